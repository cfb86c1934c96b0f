//! A PostgreSQL that is backed up: the server, and which of its databases.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::{BackupError, Inner, ServerError, progress::size, subject::Subject},
    chosen, running,
};
use crate::{
    backup::ByteCount,
    postgres::{DatabaseName, Postgres, PostgresError, Readiness, Versions},
};

/// How long the database's server may take to answer again, for example after a start of the droplet.
pub(super) const RETURN: Duration = Duration::from_mins(3);
/// Between looks at it.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// A server that answers, with the databases that are to be dumped.
pub(in crate::backup_runs) struct PostgresSource {
    pub(in crate::backup_runs) postgres: Postgres,
    pub(in crate::backup_runs) versions: Versions,
    /// `sha256:...` of the image that it runs.
    pub(in crate::backup_runs) image_id: String,
    /// At least one.
    pub(in crate::backup_runs) databases: Vec<DatabaseName>,
    /// What they take on the server's disk.
    pub(in crate::backup_runs) size: ByteCount,
}

impl PostgresSource {
    /// Looks for the server and asks it.
    pub(in crate::backup_runs) async fn find(inner: &Inner, subject: &Subject) -> Result<Self, BackupError> {
        let container = running(inner, subject).await?;
        let docker = inner.engine.docker().clone();
        let user = &subject.postgres()?.user;
        let postgres = Postgres::new(docker, &container.name, user);
        let failed = |source: PostgresError| BackupError::Server {
            service: subject.service.clone(),
            source: ServerError::Postgres(source),
        };
        let versions = postgres.versions().await.map_err(failed)?;
        let there = postgres.databases().await.map_err(failed)?;
        let databases = chosen((subject, &subject.postgres()?.databases.names), there)?;
        let mut size = ByteCount::default();
        for database in &databases {
            // This is also the first connection to each of them.
            size = size.plus(ByteCount::new(postgres.size(database).await.map_err(failed)?));
        }
        Ok(Self { postgres, versions, image_id: container.image_id, databases, size })
    }

    /// What it is, in a few words.
    pub(in crate::backup_runs) fn told(&self) -> String {
        let (count, bytes) = (self.databases.len(), size(self.size));
        format!("{count} databases, {bytes}, PostgreSQL {}", self.versions.server)
    }
}

/// The server, once it answers.
pub(in crate::backup_runs) async fn answering(
    inner: &Inner,
    subject: &Subject,
) -> Result<Postgres, BackupError> {
    let user = &subject.postgres()?.user;
    let failed = |source: PostgresError| BackupError::Restoring {
        service: subject.service.clone(),
        source: ServerError::Postgres(source),
    };
    let begun = Instant::now();
    loop {
        let found = running(inner, subject).await;
        let is_late = begun.elapsed() >= RETURN;
        match found {
            Ok(container) => {
                let docker = inner.engine.docker().clone();
                let postgres = Postgres::new(docker, &container.name, user);
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
