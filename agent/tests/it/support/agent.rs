//! An agent in this process.

use std::{net::SocketAddr, path::Path, sync::Arc};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tidegate_agent::{
    clock::ManualClock,
    config::{Config, DropletConfig},
    serve::{self, Paths, ServeError},
};
use tidegate_proto::{enrolment::EnrolmentFile, grants::Role};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    fleet::{Attempt, DROPLET, Fleet, NOW, in_an_hour},
    metadata::Metadata,
};

/// Where an agent lives; it can be started there again and again.
pub struct Droplet {
    pub directory: TempDir,
    pub metadata: Metadata,
    pub clock: Arc<ManualClock>,
    fleet: String,
    docker: String,
    settings: String,
}

/// An agent that runs.
pub struct Agent {
    pub address: SocketAddr,
    /// Where it serves metrics.
    pub metrics: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Droplet {
    /// A droplet as cloud-init leaves it, with a token that holds for an hour.
    pub async fn new(fleet: &Fleet) -> Self {
        Self::numbered(fleet, DROPLET).await
    }

    /// The same with an id of its own.
    pub async fn numbered(fleet: &Fleet, id: u64) -> Self {
        let directory = TempDir::new().unwrap();
        let droplet = Self {
            metadata: Metadata::start(id).await,
            clock: Arc::new(ManualClock::new(NOW)),
            fleet: fleet.domain.fleet.to_string(),
            docker: "/nonexistent/docker.sock".to_owned(),
            // The usual port can be had by one agent only.
            settings: "[metrics]\nlisten = 'off'\n".to_owned(),
            directory,
        };
        fs_err::create_dir(droplet.path("etc")).unwrap();
        fs_err::write(droplet.path("etc/ca.pem"), fleet.ca_pem()).unwrap();
        fs_err::write(droplet.path("serial"), id.to_string()).unwrap();
        droplet.write_token(&fleet.token_file(in_an_hour()));
        droplet
    }

    pub fn with_docker(self, socket: &Path) -> Self {
        Self { docker: socket.display().to_string(), ..self }
    }

    /// With these sections of `agent.toml`.
    pub fn with_settings(self, settings: &str) -> Self {
        Self { settings: settings.to_owned(), ..self }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub fn socket(&self) -> std::path::PathBuf {
        self.path("run/agent.sock")
    }

    pub fn write_token(&self, file: &EnrolmentFile) {
        fs_err::write(self.path("etc/enrolment.json"), file.to_json().unwrap().expose_secret()).unwrap();
    }

    pub fn set_time(&self, at: Timestamp) {
        use tidegate_agent::clock::Clock;

        self.clock.advance(self.clock.now().duration_until(at));
    }

    pub async fn try_start(&self) -> Result<Agent, ServeError> {
        let text = format!(
            "fleet = {:?}\nenvironment = 'production'\nlisten = '127.0.0.1:0'\n[docker]\nsocket = {:?}\n{}",
            self.fleet, self.docker, self.settings
        );
        let mut config = Config::parse(&text, Path::new("agent.toml")).unwrap();
        config.docker.logins = self.path("etc/docker.json");
        config.droplet =
            DropletConfig { dmi_serial: self.path("serial"), metadata: self.metadata.address.clone() };
        let paths = Paths {
            configuration: self.path("etc"),
            state: self.path("state"),
            runtime: self.path("run"),
            units: self.path("units"),
            program: env!("CARGO_BIN_EXE_tidegate-agent").into(),
        };
        let running = serve::start(config, paths, self.clock.clone()).await?;
        let (address, metrics) = (running.address, running.metrics);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(running.until(async move {
            stopped.await.ok();
        }));
        Ok(Agent { address, metrics, stop, task })
    }

    pub async fn start(&self) -> Agent {
        self.try_start().await.unwrap()
    }

    /// Starts and enrols.
    pub async fn enrolled(&self, fleet: &Fleet) -> Agent {
        let agent = self.start().await;
        Attempt::connect(fleet, agent.address, &fleet.user(Role::Admin)).await.enrol().await.unwrap();
        agent
    }
}

impl Agent {
    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}
