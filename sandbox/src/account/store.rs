//! The account on disk: `account.json` in the state directory, mode 0600 because user data may hold secrets.
//!
//! The file is one JSON object, [`State`] as serde writes it, with its layout version first. It is replaced as a whole:
//! written beside, synced, renamed, directory synced. So after a crash it is the old or the new state, never a mixture;
//! a left-over `account.json.new` is overwritten by the next write. `tokens.json` is handled the same way.
//! `lock` is held by the process that has the account open.

use std::{
    fs::{File, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read, written or renamed.
    #[error("account state cannot be read or written")]
    Io(#[from] io::Error),
    /// A file holds something else than this version's state.
    #[error("{} is not an account's state of this version; `tidegate sandbox reset` starts a new one", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another sandbox; stop that one first", .0.display())]
    InUse(PathBuf),
}

/// The state directory, held by this process.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    _lock: File,
}

impl Store {
    /// Makes the directory if it is missing and takes its lock.
    ///
    /// # Errors
    /// When the directory cannot be used or another process holds it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        fs_err::create_dir_all(dir)?;
        fs_err::set_permissions(dir, Permissions::from_mode(0o700))?;
        let (lock, _path) = fs_err::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join("lock"))?
            .into_parts();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StoreError::InUse(dir.to_path_buf()))?;
        Ok(Self { dir: dir.to_path_buf(), _lock: lock })
    }

    /// Reads a file of the directory; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be read or is not what it should be.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let path = self.dir.join(name);
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| StoreError::Malformed { path, source })
    }

    /// Replaces a file of the directory.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn replace<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        let path = self.dir.join(name);
        let beside = self.dir.join(format!("{name}.new"));
        let bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
        let mut file = fs_err::OpenOptions::new();
        file.write(true).create(true).truncate(true);
        file.options_mut().mode(0o600);
        let mut file = file.open(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs_err::rename(&beside, &path)?;
        fs_err::File::open(&self.dir)?.sync_all()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        assert!(matches!(Store::open(dir.path()), Err(StoreError::InUse(_))));
        drop(first);
        Store::open(dir.path()).unwrap();
    }

    #[test]
    fn files_are_private_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.read::<u32>("x.json").unwrap(), None);
        store.replace("x.json", &7_u32).unwrap();
        store.replace("x.json", &8_u32).unwrap();
        assert_eq!(store.read::<u32>("x.json").unwrap(), Some(8));
        let mode = fs_err::metadata(dir.path().join("x.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        fs_err::write(dir.path().join("x.json"), "{").unwrap();
        let error = store.read::<u32>("x.json").unwrap_err();
        assert!(error.to_string().contains("x.json"), "{error}");
    }
}
