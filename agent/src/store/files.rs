//! The one way to write a file of state: wholly there or not at all, also after a power loss.
//!
//! Owns the order temp file → fsync → rename → fsync of the directory. Must not know what the files hold.

use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;

/// Why a file could not be replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The path names no file in a directory.
    #[error("{} names no file", .0.display())]
    NoFile(PathBuf),
    /// A step failed; the file still has its former content.
    #[error("could not write {}; it keeps its former content", path.display())]
    Io {
        /// The file that was to be replaced.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Replaces `path` by `content` with permission bits `mode`.
///
/// # Errors
/// The former content stays when writing, syncing or renaming fails.
pub fn atomic_replace(path: &Path, content: &[u8], mode: u32) -> Result<(), ReplaceError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ReplaceError::NoFile(path.to_owned()));
    };
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(".new");
    let temporary = directory.join(temporary_name);
    let replaced = write_new(&temporary, content, mode)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_directory(directory));
    replaced.map_err(|source| {
        // On a full disk it would only take more of it; the directory may be a user's. What it failed for says more than
        // that it could not be removed.
        drop(fs::remove_file(&temporary));
        ReplaceError::Io { path: path.to_owned(), source }
    })
}

fn write_new(temporary: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // A file left by a crash may have other permissions; it is made anew rather than truncated.
    match fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)?;
    // The unit's umask took bits away; the caller means these.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes renames and removals in `directory` durable.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_content_and_sets_the_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        atomic_replace(&path, b"old", 0o644).unwrap();
        atomic_replace(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in-the-way");
        fs::create_dir(&path).unwrap();
        atomic_replace(&path, b"new", 0o600).unwrap_err();
        let entries: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries, [path]);
    }

    #[test]
    fn the_mode_is_the_one_asked_for_whatever_the_umask() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hook");
        // No usual umask leaves these bits.
        atomic_replace(&path, b"x", 0o777).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o777);
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        fs::write(directory.path().join(".state.json.new"), "torn").unwrap();
        atomic_replace(&path, b"{}", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
    }

    #[test]
    fn a_failure_names_the_file_and_keeps_its_content() {
        let error = atomic_replace(Path::new("/nonexistent/dir/file"), b"x", 0o600).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/dir/file"), "{error}");
    }
}
