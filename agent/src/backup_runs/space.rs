//! Whether there is room for a backup, or for its restore on trial.

use super::{BackupError, BackupRow, BackupState, Inner};
use crate::{
    backup::{ByteCount, destination::Destination},
    host,
};

/// What has to stay free beside what is expected.
const MARGIN: ByteCount = ByteCount::mebibytes(64);
/// The same for a restore: the server writes its log of changes too.
const RESTORE_MARGIN: ByteCount = ByteCount::mebibytes(512);

/// How much a new backup needs: by the last one of the service, else by what the databases take. `rows` are the newest first.
pub(super) fn needed(rows: &[BackupRow], databases: ByteCount) -> ByteCount {
    let is_stored = |row: &&BackupRow| matches!(row.state, BackupState::Stored | BackupState::Verified);
    let last = rows.iter().find(is_stored).map(|row| row.stored.get());
    let expected = match last {
        Some(stored) => stored.saturating_add(stored / 4),
        None => databases.get() / 2,
    };
    ByteCount::new(expected).plus(MARGIN)
}

/// Refuses where a destination that tells its room has too little.
pub(super) async fn check(destination: &dyn Destination, needed: ByteCount) -> Result<(), BackupError> {
    let free = destination.free().await.map_err(BackupError::Destination)?;
    match free {
        Some(free) if free < needed => {
            Err(BackupError::Space { at: destination.title().to_owned(), needed, free })
        }
        _ => Ok(()),
    }
}

/// Refuses a restore that could fill the disk of those who serve: a dump has no indexes, a restored database does.
pub(super) async fn check_for_restore(inner: &Inner, plain: ByteCount) -> Result<(), BackupError> {
    check_disk(inner, plain.plus(plain).plus(RESTORE_MARGIN)).await
}

/// Refuses a copy that could fill the disk of those who serve.
pub(super) async fn check_for_copy(inner: &Inner, databases: ByteCount) -> Result<(), BackupError> {
    check_disk(inner, databases.plus(RESTORE_MARGIN)).await
}

async fn check_disk(inner: &Inner, needed: ByteCount) -> Result<(), BackupError> {
    let machine = inner.engine.docker().machine().await.map_err(BackupError::Docker)?;
    // Where it cannot be measured nobody knows better.
    let Ok(free) = host::free(&machine.data).await else { return Ok(()) };
    let free = ByteCount::new(free.bytes);
    if free < needed {
        let at = format!("the disk of {}", machine.data.display());
        return Err(BackupError::Space { at, needed, free });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::sample;

    #[test]
    fn the_last_stored_backup_tells_how_much_is_needed() {
        let row = |state, stored| BackupRow {
            state,
            stored: ByteCount::new(stored),
            ..BackupRow::found(&sample::manifest(), Vec::new())
        };
        let databases = ByteCount::new(1000);
        let beside = |rows: &[BackupRow]| needed(rows, databases).get() - MARGIN.get();
        assert_eq!(beside(&[]), 500);
        assert_eq!(beside(&[row(BackupState::Failed, 0), row(BackupState::Running, 0)]), 500);
        let rows =
            [row(BackupState::Failed, 0), row(BackupState::Verified, 400), row(BackupState::Stored, 40)];
        assert_eq!(beside(&rows), 500);
        assert_eq!(beside(&[row(BackupState::Stored, 40)]), 50);
    }
}
