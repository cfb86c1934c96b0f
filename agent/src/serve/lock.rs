//! One agent per state directory.
//!
//! Owns the lock file `agent.lock`. Must not know what it protects. The system releases the lock with the process,
//! however that ends.

use std::{
    fs::TryLockError,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The system said no.
    #[error("the state directory could not be made or locked")]
    Io(#[source] io::Error),
    /// Another agent runs.
    #[error("another agent uses {}", .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// The lock; released with this value.
#[derive(Debug)]
pub struct StateLock {
    _file: fs::File,
}

impl StateLock {
    /// Makes the directory when it is not there, for root alone, and locks it.
    pub(super) fn take(directory: &Path) -> Result<Self, LockError> {
        fs::create_dir_all(directory).map_err(LockError::Io)?;
        fs::set_permissions(directory, PermissionsExt::from_mode(0o700)).map_err(LockError::Io)?;
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join("agent.lock"))
            .map_err(LockError::Io)?;
        match file.file().try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse { path: directory.to_owned() }),
            Err(TryLockError::Error(error)) => Err(LockError::Io(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_refused_until_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = StateLock::take(directory.path()).unwrap();
        assert!(matches!(StateLock::take(directory.path()), Err(LockError::InUse { .. })));
        drop(first);
        StateLock::take(directory.path()).unwrap();
    }
}
