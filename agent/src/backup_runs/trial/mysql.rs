//! The restore of a backup of MariaDB or MySQL on trial.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    BackupError, Inner, judge,
    opened::{OpenBackup, mysql::databases_of},
    subject::{MysqlData, Subject},
    trial_server::{purpose, stem},
};
use crate::mysql::{Mysql, Scratch};

/// A server for it.
pub(super) async fn server(
    inner: &Inner,
    (subject, image): (&Subject, String),
) -> Result<Scratch, BackupError> {
    let (stem, purpose) = (stem(subject), purpose(subject));
    let deadline = inner.settings.patience.scratch_start;
    let started = Scratch::start(inner.engine.docker(), (&stem, &purpose), (image, deadline)).await;
    started.map_err(|error| BackupError::Scratch(error.into()))
}

/// Everything, in the order in which a server takes it.
pub(super) async fn all(
    backup: &OpenBackup<'_>,
    data: &MysqlData,
    mysql: &Mysql,
) -> Result<Duration, BackupError> {
    let begun = Instant::now();
    let mut differences = Vec::new();
    for (part, database) in databases_of(&backup.manifest) {
        mysql.create_database(&database).await.map_err(|error| BackupError::Scratch(error.into()))?;
        differences.extend(backup.restore_mysql(mysql, (part, &database), &database).await?);
    }
    let took = begun.elapsed();
    if !differences.is_empty() {
        let id = backup.folder.id();
        return Err(BackupError::Differs { id, differences: judge::bounded(differences) });
    }
    backup.checks_mysql(mysql, &data.databases, |database| Some(database.clone())).await?;
    Ok(took)
}
