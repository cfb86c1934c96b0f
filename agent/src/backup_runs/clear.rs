//! Deleting what lies at a destination: always the manifest first, so that what is half deleted is no backup.

use std::time::Duration;

use jiff::Timestamp;

use super::BackupError;
use crate::{
    backup::{
        ObjectName, PartName,
        destination::{Destination, DestinationError},
        layout::BackupFolder,
    },
    release::chain,
};

/// Deletes these objects in their order, of which the manifest is the first. At the first that cannot be deleted it ends: where
/// the manifest stands the parts have to stand too.
pub(super) async fn delete(
    destination: &dyn Destination,
    objects: &[ObjectName],
) -> Result<(), DestinationError> {
    for object in objects {
        destination.delete(object).await?;
    }
    Ok(())
}

/// The names of all that a backup's folder may hold, the manifest first.
pub(super) fn objects(folder: &BackupFolder, parts: &[PartName]) -> Result<Vec<ObjectName>, BackupError> {
    let manifest = folder.manifest().map_err(BackupError::Name);
    let parts = parts.iter().map(|part| folder.part(part).map_err(BackupError::Name));
    std::iter::once(manifest).chain(parts).collect()
}

/// Deletes what a run stored in vain. What cannot be deleted is logged: it is an orphan, which pruning removes later.
pub(super) async fn clear(destination: &dyn Destination, objects: &[ObjectName], patience: Duration) {
    let why = match tokio::time::timeout(patience, delete(destination, objects)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&error),
        Err(_) => format!("it took longer than {} s", patience.as_secs()),
    };
    tracing::warn!(at = destination.title(), why, "what a backup run stored in vain could not be deleted");
}

/// Ends the uploads of a backup's parts that nobody finished. Nobody writes there any more, whenever they were begun.
pub(super) async fn end_uploads(destination: &dyn Destination, folder: &BackupFolder, patience: Duration) {
    let Ok(name) = folder.name() else { return };
    let ending = destination.end_unfinished(&name, Timestamp::MAX);
    let why = match tokio::time::timeout(patience, ending).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => chain(&error),
        Err(_) => format!("it took longer than {} s", patience.as_secs()),
    };
    tracing::warn!(at = destination.title(), why, "unfinished uploads of a backup run could not be ended");
}
