//! An engine over a daemon of its own, and clients inside its network.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::timers;
use bollard::{
    exec::{CreateExecOptions, StartExecResults},
    query_parameters::{
        ListContainersOptionsBuilder, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptionsBuilder,
    },
};
use futures::{StreamExt, future::BoxFuture};
use tidegate_agent::{
    apps::AppName,
    clock::SystemClock,
    docker::{Docker as AgentDocker, Logins},
    ingress::Edge,
    probe::Dial,
    release::{
        self, DeployInput, Engine, EngineError, EngineSettings, EventKind, ReleaseEvent, ReleaseState,
        SourceFile, together::Alone,
    },
    store::{Database, DatabaseSettings},
};
use tidegate_tests::docker::{Disk, Docker, Image, LiveRestore, Options, run_inside};

pub fn name(app: &str) -> AppName {
    AppName::new(app).unwrap()
}

/// What is deployed.
#[derive(Clone)]
pub struct App {
    name: String,
    files: Vec<(String, String)>,
    compose_files: Vec<String>,
    variables: BTreeMap<String, String>,
}

impl App {
    pub fn new(name: &str, compose: &str) -> Self {
        let files = vec![("compose.yaml".to_owned(), compose.to_owned())];
        Self {
            name: name.to_owned(),
            files,
            compose_files: vec!["compose.yaml".to_owned()],
            variables: BTreeMap::new(),
        }
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn compose_file(mut self, path: &str, content: &str) -> Self {
        self.compose_files.push(path.to_owned());
        self.file(path, content)
    }

    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }
}

pub struct Fixture {
    pub docker: Docker,
    pub engine: Engine,
    directory: tempfile::TempDir,
}

impl Fixture {
    pub async fn start() -> Self {
        Self::start_with(Options::default(), Edge::default()).await
    }

    /// On a daemon as a droplet has it: containers run on while it does not, and its disk, of so many bytes, is the
    /// agent's too.
    pub async fn as_on_a_droplet(bytes: u64, flags: &[&str]) -> Self {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let options = Options { live_restore: LiveRestore::On, disk: Disk::Own { bytes }, flags };
        let docker = Docker::start_with(options).await.unwrap();
        // A short name: a socket's path may have 107 bytes.
        let directory = tempfile::Builder::new().prefix("a").rand_bytes(0).tempdir_in(docker.data()).unwrap();
        Self::over(docker, directory, Edge::default()).await
    }

    /// With a daemon of these options and an ingress that stands so towards the world.
    pub async fn start_with(options: Options, edge: Edge) -> Self {
        let docker = Docker::start_with(options).await.unwrap();
        Self::over(docker, tempfile::tempdir().unwrap(), edge).await
    }

    async fn over(docker: Docker, directory: tempfile::TempDir, edge: Edge) -> Self {
        docker.load(Image::Probe).await.unwrap();
        docker.load(Image::Caddy).await.unwrap();
        let settings = EngineSettings { edge, ..settings(directory.path(), &docker.namespace()) };
        let engine = engine_with(&docker.socket(), settings);
        Self { docker, engine, directory }
    }

    /// On a droplet where this docker compose is installed, without an ingress. What is compared there are Docker's objects: the
    /// dozens of rules that each network has in the firewall would take most of the time.
    pub async fn beside(docker_compose: &Path) -> Self {
        let flags = ["--iptables=false", "--ip6tables=false"].map(str::to_owned).to_vec();
        let docker = Docker::start_with(Options { flags, ..Options::default() }).await.unwrap();
        docker.load(Image::Probe).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let docker_compose = vec![docker_compose.to_owned()];
        let settings = EngineSettings { docker_compose, ..settings(directory.path(), &docker.namespace()) };
        let engine = engine_with(&docker.socket(), settings);
        Self { docker, engine, directory }
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Another engine over the same state, as after a restart of the agent.
    pub fn restarted(&self) -> Engine {
        engine(self.directory.path(), &self.docker.socket(), &self.docker.namespace())
    }

    /// Deploys and follows it to its end.
    pub async fn release(&self, app: &App) -> Vec<ReleaseEvent> {
        let release = self.engine.deploy(input(app), "spiffe://test.test/user/test").await.unwrap();
        events(&self.engine, &release.app).await
    }

    /// The same with what only the caller says.
    pub async fn release_input(&self, input: DeployInput) -> Vec<ReleaseEvent> {
        let release = self.engine.deploy(input, "spiffe://test.test/user/test").await.unwrap();
        events(&self.engine, &release.app).await
    }

    pub async fn refused(&self, app: &App) -> Vec<release::Failure> {
        self.refused_input(input(app)).await
    }

    pub async fn refused_input(&self, input: DeployInput) -> Vec<release::Failure> {
        match self.engine.deploy(input, "test").await {
            Err(EngineError::Refused(failures)) => failures,
            other => panic!("{other:?}"),
        }
    }

    /// Names of all containers, networks and volumes.
    pub async fn inventory(&self) -> Vec<String> {
        let mut all: Vec<String> = self.container_names().await;
        let networks = self.docker.client().list_networks(None::<ListNetworksOptions>).await.unwrap();
        all.extend(networks.into_iter().filter_map(|n| n.name).map(|n| format!("network {n}")));
        let volumes = self.docker.client().list_volumes(None::<ListVolumesOptions>).await.unwrap();
        all.extend(volumes.volumes.unwrap_or_default().into_iter().map(|v| format!("volume {}", v.name)));
        all.sort();
        all
    }

    pub async fn container_names(&self) -> Vec<String> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let list = self.docker.client().list_containers(Some(options)).await.unwrap();
        let names = list.into_iter().flat_map(|c| c.names.unwrap_or_default());
        let mut names: Vec<String> = names.map(|name| name.trim_start_matches('/').to_owned()).collect();
        names.sort();
        names
    }

    /// Takes away what belongs to no app.
    pub async fn without_ingress(&self) {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        self.docker.client().remove_container("tidegate-ingress", Some(options)).await.unwrap();
        self.docker.client().remove_network("tidegate-ingress").await.unwrap();
    }

    pub async fn exec(&self, container: &str, command: &[&str]) -> (i64, String) {
        self.try_exec(container, command).await.unwrap()
    }

    /// Exit code and output of a command in a container, which may not be there or not run.
    pub async fn try_exec(
        &self,
        container: &str,
        command: &[&str],
    ) -> Result<(i64, String), bollard::errors::Error> {
        let options = CreateExecOptions {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let client = self.docker.client();
        let exec = client.create_exec(container, options).await?;
        let StartExecResults::Attached { mut output, .. } = client.start_exec(&exec.id, None).await? else {
            panic!()
        };
        let mut text = String::new();
        while let Some(chunk) = output.next().await {
            text.push_str(&chunk?.to_string());
        }
        let code = client.inspect_exec(&exec.id).await?.exit_code.unwrap_or(-1);
        Ok((code, text))
    }
}

/// Reaches containers from inside the daemon's network namespace, where they live.
#[derive(Debug)]
struct InsideDial(PathBuf);

impl Dial for InsideDial {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<tokio::net::TcpStream>> {
        let namespace = self.0.clone();
        let connect = move || TcpStream::connect_timeout(&address, Duration::from_secs(10));
        let connect = move || run_inside(&namespace, connect).map_err(io::Error::other)?;
        Box::pin(async move {
            let stream = tokio::task::spawn_blocking(connect).await.map_err(io::Error::other)??;
            stream.set_nonblocking(true)?;
            tokio::net::TcpStream::from_std(stream)
        })
    }
}

/// The daemon is at this socket, and its containers in this network namespace.
pub fn engine(state: &Path, socket: &Path, namespace: &Path) -> Engine {
    engine_with(socket, settings(state, namespace))
}

pub fn settings(state: &Path, namespace: &Path) -> EngineSettings {
    EngineSettings {
        state: state.to_owned(),
        policy: state.join("policy.toml"),
        ingress_image: "caddy:2".to_owned(),
        edge: Edge::default(),
        docker_compose: Vec::new(),
        dial: Arc::new(InsideDial(namespace.to_owned())),
        peers: Arc::new(Alone),
        timers: timers::keeper(state),
    }
}

pub fn engine_with(socket: &Path, settings: EngineSettings) -> Engine {
    let file = settings.state.join("agent.db");
    let database = Database::open(&file, &release::migrations(), DatabaseSettings::default()).unwrap();
    Engine::new(
        AgentDocker::new(socket, Logins::new(settings.state.join("docker.json"))),
        database,
        Arc::new(SystemClock),
        settings,
    )
}

pub fn input(app: &App) -> DeployInput {
    let file = |(path, content): &(String, String)| SourceFile {
        path: path.clone(),
        content: content.clone().into_bytes(),
        mode: 0o644,
    };
    DeployInput {
        files: app.files.iter().map(file).collect(),
        compose_files: app.compose_files.clone(),
        variables: app.variables.clone(),
        ..DeployInput::of(name(&app.name))
    }
}

/// All events of the latest release, once it is over.
pub async fn quiet_events(engine: &Engine, app: &AppName) -> Vec<ReleaseEvent> {
    let stream = engine.watch(app, None, 0).await.unwrap();
    let all = tokio::time::timeout(Duration::from_mins(3), stream.map(Result::unwrap).collect::<Vec<_>>());
    all.await.expect("a release takes less than three minutes")
}

/// All events of the latest release, once it is over; shown when the test fails.
pub async fn events(engine: &Engine, app: &AppName) -> Vec<ReleaseEvent> {
    let events = quiet_events(engine, app).await;
    for event in &events {
        println!("{} {:?}", event.at, event.kind);
    }
    events
}

/// How a release ended that was taken back.
pub fn undone(events: &[ReleaseEvent]) -> release::Failure {
    match &events.last().unwrap().kind {
        EventKind::Finished { state: ReleaseState::Undone, failure: Some(failure), .. } => failure.clone(),
        other => panic!("{other:?}"),
    }
}

/// How a release ended.
pub fn ended(events: &[ReleaseEvent]) -> ReleaseState {
    match &events.last().unwrap().kind {
        EventKind::Finished { state, .. } => *state,
        other => panic!("{other:?}"),
    }
}

/// Status and body of a request through the ingress, on a connection of its own. A broken one has status 0.
pub fn get(docker: &Docker, host: &str, path: &str) -> (u16, String) {
    docker.inside(|| request(host, path)).unwrap()
}

fn request(host: &str, path: &str) -> (u16, String) {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect("127.0.0.1:80")?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    match exchange() {
        Ok(answer) => {
            let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
            let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
            (status, body)
        }
        Err(error) => (0, error.to_string()),
    }
}

/// Requests one after the other until told to stop.
pub fn requests_until(docker: &Docker, host: &str, stop: &AtomicBool) -> Vec<(u16, String)> {
    docker
        .inside(|| {
            let mut answers = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                answers.push(request(host, "/"));
                std::thread::sleep(Duration::from_millis(5));
            }
            answers
        })
        .unwrap()
}
