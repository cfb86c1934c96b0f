//! A MariaDB or MySQL that is backed up: the server, and which of its databases.

use tokio::time::Instant;

use super::{
    super::{
        BackupError, Inner, ServerError,
        progress::size,
        subject::{MysqlData, Subject},
    },
    chosen,
    postgres::{LOOK, RETURN},
    running,
};
use crate::{
    backup::{ByteCount, PartName},
    mysql::{Mysql, MysqlError, ServerVersion},
    postgres::DatabaseName,
};

/// A MariaDB or MySQL that answers.
pub(in crate::backup_runs) struct MysqlSource {
    pub(in crate::backup_runs) mysql: Mysql,
    pub(in crate::backup_runs) version: ServerVersion,
    /// `sha256:...` of the image that it runs.
    pub(in crate::backup_runs) image_id: String,
    /// At least one.
    pub(in crate::backup_runs) databases: Vec<DatabaseName>,
    /// What they take on the server's disk, as far as it knows.
    pub(in crate::backup_runs) size: ByteCount,
}

impl MysqlSource {
    /// Looks for the server and asks it.
    pub(in crate::backup_runs) async fn find(
        inner: &Inner,
        (subject, data): (&Subject, &MysqlData),
    ) -> Result<Self, BackupError> {
        let container = running(inner, subject).await?;
        let failed = |source: MysqlError| BackupError::Server {
            service: subject.service.clone(),
            source: ServerError::Mysql(source),
        };
        let mysql = Mysql::find(inner.engine.docker(), &container.name, &data.access).await;
        let mysql = mysql.map_err(failed)?;
        let version = mysql.version().await.map_err(failed)?;
        let there = mysql.databases().await.map_err(failed)?;
        let databases = chosen((subject, &data.databases.names), there)?;
        let mut size = ByteCount::default();
        for database in &databases {
            size = size.plus(ByteCount::new(mysql.size(database).await.map_err(failed)?));
        }
        Ok(Self { mysql, version, image_id: container.image_id, databases, size })
    }

    /// What it is, in a few words.
    pub(super) fn told(&self) -> String {
        format!("{} databases, {}, {}", self.databases.len(), size(self.size), self.version)
    }

    /// The names of all parts.
    pub(super) fn part_names(&self) -> Result<Vec<PartName>, BackupError> {
        (0..self.databases.len()).map(Self::part_name).collect()
    }

    /// A database's name may hold anything: it stands in the manifest.
    pub(in crate::backup_runs) fn part_name(index: usize) -> Result<PartName, BackupError> {
        let name = format!("database-{}.sql.zst.age", index.saturating_add(1));
        PartName::new(name).map_err(BackupError::Name)
    }
}

/// The server, once it answers.
pub(in crate::backup_runs) async fn answering_mysql(
    inner: &Inner,
    (subject, data): (&Subject, &MysqlData),
) -> Result<Mysql, BackupError> {
    let begun = Instant::now();
    loop {
        let error = match running(inner, subject).await {
            Ok(container) => {
                match Mysql::find(inner.engine.docker(), &container.name, &data.access).await {
                    Ok(mysql) => return Ok(mysql),
                    Err(error) => {
                        let is_shut = matches!(error, MysqlError::Login { .. });
                        let service = subject.service.clone();
                        let error = BackupError::Restoring { service, source: error.into() };
                        // No time will open the door.
                        if is_shut {
                            return Err(error);
                        }
                        error
                    }
                }
            }
            Err(error) => error,
        };
        if begun.elapsed() >= RETURN {
            return Err(error);
        }
        tokio::time::sleep(LOOK).await;
    }
}
