//! Disk space set aside for the moment when the disk is full: giving it up lets an undo be journaled.
//!
//! Owns the file `<database>.reserve`. Must not know what the space is then used for.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;

/// The space set aside beside a database.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    pub(super) fn beside(database: &Path, bytes: u64) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".reserve");
        Self { path: PathBuf::from(name), bytes }
    }

    /// Sets the space aside, unless that would take the last of the disk: at least four times as much stays free.
    pub(super) fn fill(&self) -> io::Result<()> {
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == self.bytes) {
            return Ok(());
        }
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let space = rustix::fs::statvfs(directory)?;
        if space.f_bavail.saturating_mul(space.f_frsize) < self.bytes.saturating_mul(5) {
            return Ok(());
        }
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
        // Written, not just allocated: a sparse or compressed file would be no reserve.
        let mut left = self.bytes;
        let chunk = [0x5a_u8; 16 * 1024];
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            file.write_all(chunk.get(..length).unwrap_or(&chunk))?;
            left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
        }
        file.sync_all()
    }

    /// Gives the space up; says whether there was any.
    pub(super) fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_filled_given_up_and_filled_again() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&directory.path().join("agent.db"), 100_000);
        assert!(!reserve.release());
        reserve.fill().unwrap();
        reserve.fill().unwrap();
        assert_eq!(fs::metadata(directory.path().join("agent.db.reserve")).unwrap().len(), 100_000);
        assert!(reserve.release());
        reserve.fill().unwrap();
        assert!(reserve.release());
    }

    #[test]
    fn leaves_a_nearly_full_disk_alone() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&directory.path().join("agent.db"), u64::MAX / 8);
        reserve.fill().unwrap();
        assert!(!reserve.release());
    }
}
