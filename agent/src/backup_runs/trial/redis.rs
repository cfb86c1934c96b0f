//! The restore of a backup of Redis on trial: a server of the service's image reads it, and counts its keys.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{
    BackupError, Inner, ServerError, counted::Counted, judge, opened::OpenBackup, write::redis::tables,
};
use crate::{
    backup::{Part, manifest::Content},
    redis::{self, Keyspace, Load, RedisError},
    scratch::Idle,
};

/// Where the file is in the container.
const PLACE: &str = "/tmp/tidegate-trial";
const FILE: &str = "dump.rdb";
/// It belongs to nobody: the server runs as who owns it.
const WRITE: &str = "mkdir -p -m 755 \"$1\"; cat >\"$1/$2\"; chown 65534:65534 \"$1/$2\"";

pub(super) async fn all(
    (inner, backup): (&Inner, &OpenBackup<'_>),
    (idle, image): (&Idle, &str),
) -> Result<Duration, BackupError> {
    let begun = Instant::now();
    for part in backup.parts(Content::RedisSnapshot) {
        let what = "the restore of all databases";
        let (opened, count) = Counted::new(backup.open(part).await?);
        let written = idle.feed((WRITE, &[PLACE, FILE]), (opened, backup.deadline()));
        let written = count.told((backup.progress(), what), written).await;
        written.map_err(|error| backup.failed(part, what, RedisError::Program(error)))?;
        read((inner, backup, part), (idle, image), (PLACE, FILE)).await?;
    }
    Ok(begun.elapsed())
}

/// Lets a server read the file of a part, and compares what came of it with what the part holds.
pub(in crate::backup_runs) async fn read(
    (inner, backup, part): (&Inner, &OpenBackup<'_>, &Part),
    (idle, image): (&Idle, &str),
    (directory, file): (&str, &str),
) -> Result<(), BackupError> {
    let docker = inner.engine.docker();
    let facts =
        docker.image(image).await.map_err(|error| BackupError::Scratch(ServerError::Docker(error)))?;
    let entrypoint = facts.unwrap_or_default().entrypoint;
    let load = Load { entrypoint: &entrypoint, directory, file, deadline: backup.deadline() };
    let what = "reading what was restored into a server of the same image";
    let keys = redis::load((docker, idle), load).await;
    let keys: Keyspace = keys.map_err(|error| backup.failed(part, what, error))?;
    // Where the backup counted none, there is nothing to compare.
    if part.tables.is_empty() {
        return Ok(());
    }
    let differences = judge::compare_tables("", &part.tables, &tables(&keys));
    if differences.is_empty() {
        return Ok(());
    }
    let id = backup.folder.id();
    Err(BackupError::Differs { id, differences: judge::bounded(differences) })
}
