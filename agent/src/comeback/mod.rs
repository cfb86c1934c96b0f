//! What comes back after a start of the droplet: the agent sees to it that every app does, and remembers what did not.
//!
//! Owns the course: which start of the droplet this is, bringing each app back under its lock, waiting until its containers are
//! well, and the record of that. Must not know how a container is made or started ([`Engine::bring_back`] does) nor who asks.
//!
//! # What is brought back
//! At each start of the agent: containers of the release that serves that are not there any more. After a start of the
//! droplet also those that ended with it and that Docker does not start by itself, because their service has no restart
//! policy. What somebody stopped before that, or stops later, is left alone. A release or restore under way goes first.

mod machine;
mod record;
mod run;
mod see;
mod store;

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;

pub use self::{
    machine::{Boot, BootId, MachineError},
    record::{AppBack, AppStands, By, ContainerBack, Stands},
    store::{BootRow, ComebackStore, MIGRATIONS},
};
use crate::{
    audit::AuditLog,
    clock::Clock,
    release::{Engine, EngineError},
    store::{Database, DatabaseError},
};

/// Where the droplet's start is read, and how long apps are waited for.
#[derive(Clone, Debug)]
pub struct ComebackSettings {
    /// `/proc`
    pub proc: PathBuf,
    /// How long after the agent's start an app may take to be back.
    pub patience: Duration,
}

impl Default for ComebackSettings {
    fn default() -> Self {
        Self { proc: PathBuf::from("/proc"), patience: Duration::from_mins(5) }
    }
}

/// Why it cannot be told what came back.
#[derive(Debug, thiserror::Error)]
pub enum ComebackError {
    /// Which start of the droplet this is.
    #[error("it is not known when the droplet was started")]
    Machine(#[source] MachineError),
    /// What is remembered.
    #[error("what came back could not be read")]
    Database(#[source] DatabaseError),
    /// Which apps there are.
    #[error("the apps of the droplet could not be read")]
    Engine(#[source] EngineError),
}

/// What came back after the droplet's last start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfterBoot {
    /// The start.
    pub boot: Boot,
    /// When the agent began after it; none while it is about to look.
    pub agent_at: Option<Timestamp>,
    /// The apps that serve and did so when the agent began, by name.
    pub apps: Vec<AppBack>,
}

/// Sees to what comes back. Cheap to clone.
#[derive(Clone)]
pub struct Comeback {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    audit: AuditLog,
    store: ComebackStore,
    clock: Arc<dyn Clock>,
    settings: ComebackSettings,
}

impl std::fmt::Debug for Comeback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comeback").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Comeback {
    /// With these parts; nothing happens yet. The database has run [`MIGRATIONS`].
    pub fn new(
        (engine, audit): (Engine, AuditLog),
        database: Database,
        clock: Arc<dyn Clock>,
        settings: ComebackSettings,
    ) -> Self {
        let store = ComebackStore::new(database);
        Self { inner: Arc::new(Inner { engine, audit, store, clock, settings }) }
    }

    /// At the agent's start, after releases and restores were resumed: brings all apps back, side by side, and ends when each
    /// is back or will not be. What goes wrong is logged and remembered.
    pub async fn run(&self) {
        run::all(&self.inner).await;
    }

    /// Writes down that the droplet goes down, so that what ends now is known to end with it.
    ///
    /// # Errors
    /// When the database fails, or it is not known which start of the droplet this is.
    pub async fn going_down(&self) -> Result<(), ComebackError> {
        let boot = self.boot()?;
        let written = self.inner.store.going_down(&boot.id, self.inner.clock.now()).await;
        written.map_err(ComebackError::Database)
    }

    /// What came back after the droplet's last start.
    ///
    /// # Errors
    /// When it is not known which that is, or the database fails.
    pub async fn after_boot(&self) -> Result<AfterBoot, ComebackError> {
        let boot = self.boot()?;
        let latest = self.inner.store.latest().await.map_err(ComebackError::Database)?;
        let (row, mut apps) = latest.filter(|(row, _)| row.boot.id == boot.id).unzip();
        let serving = self.inner.engine.serving_releases().await.map_err(ComebackError::Engine)?;
        let apps = serving.into_iter().filter_map(|serving| {
            let known = apps.iter_mut().flatten().find(|back| back.app == serving.app).cloned();
            // What was deployed since was not there to come back.
            let is_older = row.as_ref().is_none_or(|row: &BootRow| serving.started_at < row.agent_at);
            known.or_else(|| is_older.then(|| AppBack::begun(serving.app, serving.number)))
        });
        let apps = apps.collect();
        Ok(AfterBoot { agent_at: row.map(|row| row.agent_at), boot, apps })
    }

    fn boot(&self) -> Result<Boot, ComebackError> {
        Boot::read(&self.inner.settings.proc).map_err(ComebackError::Machine)
    }
}
