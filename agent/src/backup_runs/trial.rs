//! A restore on trial: a copy of the backup into a scratch server without network, and the look at what came of it.
//!
//! Owns the course of it.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    BackupError, BackupRow, Inner, Progress,
    counted::Counted,
    judge,
    keys::Keys,
    opened::OpenBackup,
    origin::Chosen,
    row::Facts,
    space,
    subject::Subject,
    trial_server::{ScratchServer, make_empty},
};
use crate::postgres::Postgres;

/// What is tried.
pub(super) struct Trial<'a> {
    pub(super) subject: &'a Subject,
    pub(super) row: &'a BackupRow,
    pub(super) keys: Keys,
    pub(super) progress: &'a Progress,
}

/// How long restore and comparison took.
pub(super) async fn trial(inner: &Inner, trial: Trial<'_>) -> Result<Duration, BackupError> {
    let Trial { subject, row, keys, progress } = trial;
    let chosen = Chosen::own(subject, row.clone());
    let backup = OpenBackup::find(inner, (subject, &chosen), keys, progress).await?;
    progress.say(format!("restoring backup {} from {} on trial", row.id, backup.destination.title()));
    let _used = if let Ok(free) = inner.scratch.try_lock() {
        free
    } else {
        progress.say("waiting until another backup is verified");
        inner.scratch.lock().await
    };
    space::check_for_restore(inner, Facts::of(&backup.manifest, Vec::new()).plain).await?;
    let server = ScratchServer::start(inner, subject, &backup.manifest).await?;
    let restored = Box::pin(all(&backup, subject, server.postgres())).await;
    let removed = server.remove().await;
    let took = restored?;
    // It holds the data in clear: that it is gone is part of the trial.
    removed.map_err(BackupError::Scratch)?;
    Ok(took)
}

/// Everything, in the order in which a server takes it: roles first.
async fn all(
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
