//! A restore on trial: a copy of the backup into a scratch server without network, and the look at what came of it.
//!
//! Owns the course of it; what is asked of a server is below.

mod mysql;
mod postgres;
pub(super) mod redis;

use std::time::Duration;

use super::{
    BackupError, BackupRow, Inner, Progress,
    keys::Keys,
    opened::OpenBackup,
    origin::Chosen,
    row::Facts,
    space,
    subject::{Data, Subject},
    trial_server::{ScratchServer, idle, image},
};
use crate::scratch::Volumes;

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
    backup.is_of(subject)?;
    progress.say(format!("restoring backup {} from {} on trial", row.id, backup.destination.title()));
    let _used = if let Ok(free) = inner.scratch.try_lock() {
        free
    } else {
        progress.say("waiting until another backup is verified");
        inner.scratch.lock().await
    };
    space::check_for_restore(inner, Facts::of(&backup.manifest, Vec::new()).plain).await?;
    let (restored, removed) = match &subject.data {
        Data::Postgres(_) => {
            let server = ScratchServer::start(inner, subject, &backup.manifest).await?;
            (Box::pin(postgres::all(&backup, subject, server.postgres())).await, server.remove().await)
        }
        Data::Mysql(data) => {
            let image = image(inner.engine.docker(), subject, &backup.manifest).await?;
            let server = mysql::server(inner, (subject, image)).await?;
            (Box::pin(mysql::all(&backup, data, server.mysql())).await, server.remove().await)
        }
        Data::Redis(_) => {
            let image = image(inner.engine.docker(), subject, &backup.manifest).await?;
            let idle = idle(inner, (subject, image.clone()), Volumes::Own).await?;
            (Box::pin(redis::all((inner, &backup), (&idle, &image))).await, idle.remove().await)
        }
    };
    let took = restored?;
    // It holds the data in clear: that it is gone is part of the trial.
    removed.map_err(|error| BackupError::Scratch(error.into()))?;
    Ok(took)
}
