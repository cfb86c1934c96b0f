//! A PostgreSQL of a backup's own image that lives only while something is tried out in it: no network, little memory and
//! processor time, and the first to go when the droplet's memory is short.
//!
//! Owns the container and its anonymous volumes, from their making to their removal.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use rand::RngExt as _;
use tokio::time::Instant;

use super::{Postgres, PostgresError, Readiness};
use crate::{
    docker::{AnonymousVolumes, Container, Docker},
    scratch::{Room, host, labels},
};

/// Between looks at a server that starts.
const LOOK: Duration = Duration::from_millis(500);
/// How many last lines are told of one that does not start.
const LAST_LINES: u32 = 20;

/// What a scratch server is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScratchSettings {
    /// The container's name.
    pub name: String,
    /// What it is for: the label's value.
    pub purpose: String,
    /// `sha256:...` of the image, which is on the droplet.
    pub image: String,
    /// The superuser.
    pub user: String,
    /// Bytes of memory it may take.
    pub memory: u64,
    /// Thousandths of a processor it may take.
    pub milli_cpus: u32,
    /// How long it may take to start.
    pub start: Duration,
}

/// A scratch server. It has to be removed: see [`Scratch::remove`].
pub struct Scratch {
    docker: Docker,
    name: String,
    postgres: Postgres,
}

impl Scratch {
    /// Makes and starts one, and waits until it takes connections. One of the same name that was left behind goes first.
    ///
    /// # Errors
    /// When the image is not there, or the server does not start in time; nothing is left behind then.
    pub async fn start(docker: &Docker, settings: &ScratchSettings) -> Result<Self, PostgresError> {
        let name = settings.name.clone();
        docker.remove(&name, AnonymousVolumes::Remove).await.map_err(PostgresError::Docker)?;
        docker.create(&name, "", body(settings)).await.map_err(PostgresError::Docker)?;
        let postgres = Postgres::new(docker.clone(), &name, &settings.user);
        let scratch = Self { docker: docker.clone(), name, postgres };
        match scratch.started(settings.start).await {
            Ok(()) => Ok(scratch),
            Err(error) => {
                scratch.remove().await?;
                Err(error)
            }
        }
    }

    /// The server in it.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// Removes it with all that it held.
    ///
    /// # Errors
    /// When Docker refuses.
    pub async fn remove(self) -> Result<(), PostgresError> {
        self.docker.remove(&self.name, AnonymousVolumes::Remove).await.map_err(PostgresError::Docker)
    }

    async fn started(&self, deadline: Duration) -> Result<(), PostgresError> {
        self.docker.start(&self.name).await.map_err(PostgresError::Docker)?;
        let begun = Instant::now();
        loop {
            let found = self.docker.container(&self.name).await.map_err(PostgresError::Docker)?;
            let is_late = begun.elapsed() >= deadline;
            match found.filter(Container::is_running) {
                Some(_) if self.postgres.is_ready().await? == Readiness::Ready => return Ok(()),
                Some(_) if !is_late => tokio::time::sleep(LOOK).await,
                _ => break,
            }
        }
        let lines = self.docker.last_lines(&self.name, LAST_LINES).await.map_err(PostgresError::Docker)?;
        Err(PostgresError::NotStarted { within: begun.elapsed(), log: lines.join("\n") })
    }
}

fn body(settings: &ScratchSettings) -> ContainerCreateBody {
    // Nobody can connect but through Docker; the image wants one all the same.
    let password = format!("{:032x}", rand::rng().random::<u128>());
    // Its data need not outlive a loss of power.
    let unsafe_but_fast = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_wal_size=1GB"];
    let mut command = vec!["postgres".to_owned()];
    for setting in unsafe_but_fast {
        command.extend(["-c".to_owned(), setting.to_owned()]);
    }
    ContainerCreateBody {
        image: Some(settings.image.clone()),
        cmd: Some(command),
        env: Some(vec![
            format!("POSTGRES_USER={}", settings.user),
            format!("POSTGRES_PASSWORD={password}"),
            "POSTGRES_DB=postgres".to_owned(),
        ]),
        labels: Some(labels(&settings.purpose)),
        host_config: Some(host(Room { memory: settings.memory, milli_cpus: settings.milli_cpus })),
        ..ContainerCreateBody::default()
    }
}
