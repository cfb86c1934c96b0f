//! The server that is backed up, once all is known of it that can be known before a run begins.

use std::time::Duration;

use tokio::time::Instant;

use super::{BackupError, Inner, subject::Subject};
use crate::{
    backup::ByteCount,
    docker::Container,
    postgres::{DatabaseName, Postgres, PostgresError, Readiness, Versions},
    release::EngineError,
};

/// How long the database's server may take to answer again, for example after a start of the droplet.
const RETURN: Duration = Duration::from_mins(3);
/// Between looks at it.
const LOOK: Duration = Duration::from_secs(1);

/// A server that answers, with the databases that are to be dumped.
pub(super) struct Source {
    pub(super) postgres: Postgres,
    pub(super) versions: Versions,
    /// `sha256:...` of the image that it runs.
    pub(super) image_id: String,
    /// At least one.
    pub(super) databases: Vec<DatabaseName>,
    /// What they take on the server's disk.
    pub(super) size: ByteCount,
}

impl Source {
    /// Looks for the server and asks it.
    pub(super) async fn find(inner: &Inner, subject: &Subject) -> Result<Self, BackupError> {
        let container = running(inner, subject).await?;
        let docker = inner.engine.docker().clone();
        let postgres = Postgres::new(docker, &container.name, &subject.user);
        let failed = |source: PostgresError| BackupError::Server { service: subject.service.clone(), source };
        let versions = postgres.versions().await.map_err(failed)?;
        let there = postgres.databases().await.map_err(failed)?;
        let databases = chosen(subject, there)?;
        let mut size = ByteCount::default();
        for database in &databases {
            // This is also the first connection to each of them.
            size = size.plus(ByteCount::new(postgres.size(database).await.map_err(failed)?));
        }
        Ok(Self { postgres, versions, image_id: container.image_id, databases, size })
    }
}

/// The server, once it answers.
pub(super) async fn answering(inner: &Inner, subject: &Subject) -> Result<Postgres, BackupError> {
    let failed = |source| BackupError::Restoring { service: subject.service.clone(), source };
    let begun = Instant::now();
    loop {
        let found = running(inner, subject).await;
        let is_late = begun.elapsed() >= RETURN;
        match found {
            Ok(container) => {
                let docker = inner.engine.docker().clone();
                let postgres = Postgres::new(docker, &container.name, &subject.user);
                match postgres.is_ready().await {
                    Ok(Readiness::Ready) => return Ok(postgres),
                    Ok(Readiness::NotYet) if is_late => return Err(failed(PostgresError::Deadline(RETURN))),
                    Err(error) if is_late => return Err(failed(error)),
                    Ok(Readiness::NotYet) | Err(_) => {}
                }
            }
            Err(error) if is_late => return Err(error),
            Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) async fn running(inner: &Inner, subject: &Subject) -> Result<Container, BackupError> {
    let (app, service) = (&subject.app, &subject.service);
    let found = inner.engine.containers(app, Some(service.as_str())).await;
    let found = match found {
        Ok(found) => found,
        // It is in the release, and has nothing that was ever started.
        Err(EngineError::NoService { .. }) => Vec::new(),
        Err(source) => return Err(BackupError::Release { app: app.clone(), source: Box::new(source) }),
    };
    let states: Vec<String> =
        found.iter().map(|one| format!("{} is {}", one.name, one.state.word())).collect();
    found.into_iter().find(Container::is_running).ok_or_else(|| BackupError::NotRunning {
        app: app.clone(),
        service: service.clone(),
        state: if states.is_empty() { "it has no container".to_owned() } else { states.join(", ") },
    })
}

/// Those that the file names, or all.
fn chosen(subject: &Subject, there: Vec<DatabaseName>) -> Result<Vec<DatabaseName>, BackupError> {
    let wanted = &subject.databases.names;
    let service = &subject.service;
    if wanted.is_empty() {
        return if there.is_empty() { Err(BackupError::NoDatabase(service.clone())) } else { Ok(there) };
    }
    let is_missing = |name: &&String| !there.iter().any(|database| database.0 == **name);
    let missing: Vec<String> = wanted.iter().filter(is_missing).cloned().collect();
    if missing.is_empty() {
        return Ok(wanted.iter().cloned().map(DatabaseName).collect());
    }
    let known = there.into_iter().map(|database| database.0).collect();
    Err(BackupError::MissingDatabase { service: service.clone(), missing, known })
}
