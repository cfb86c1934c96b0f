//! The restore of a backup of PostgreSQL on trial.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    BackupError, counted::Counted, judge, opened::OpenBackup, subject::Subject, trial_server::make_empty,
};
use crate::postgres::Postgres;

/// Everything, in the order in which a server takes it: roles first.
pub(super) async fn all(
    backup: &OpenBackup<'_>,
    subject: &Subject,
    postgres: &Postgres,
) -> Result<Duration, BackupError> {
    let begun = Instant::now();
    for part in backup.globals() {
        let what = "the restore of roles and tablespaces";
        let (opened, _) = Counted::new(backup.open(part).await?);
        let restored = postgres.restore_globals((opened, backup.deadline())).await;
        restored.map_err(|error| backup.failed(part, what, error))?;
    }
    let mut differences = Vec::new();
    for (part, database) in backup.databases() {
        let what = format!("the restore of database {}", database.0);
        let emptied = make_empty(postgres, &database).await;
        emptied.map_err(|error| backup.failed(part, &what, error))?;
        differences.extend(backup.restore(postgres, (part, &database), &database).await?);
    }
    let took = begun.elapsed();
    if !differences.is_empty() {
        return Err(BackupError::Differs {
            id: backup.folder.id(),
            differences: judge::bounded(differences),
        });
    }
    backup.checks(postgres, subject, |database| Some(database.clone())).await?;
    Ok(took)
}
