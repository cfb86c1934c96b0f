//! The one way to write state: a temporary file beside it, synced, renamed over it, the directory synced. Temporary
//! files are made readable by their owner alone, and stay so.

use std::{
    io::{self, Write},
    path::Path,
};

/// Replaces a file whole; its directory has to exist.
///
/// # Errors
/// When any of the steps fails; the old file is then still there.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // Windows cannot open a directory to sync it; its rename is journaled by the file system.
    if cfg!(unix) {
        fs_err::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// A new directory for its owner alone, to be filled and renamed into place; removed when it is dropped before.
///
/// # Errors
/// When it cannot be made.
pub fn private_directory(parent: &Path) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    for_owner_alone(builder.prefix(".new-")).tempdir_in(parent)
}

#[cfg(unix)]
fn for_owner_alone<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
) -> &'c mut tempfile::Builder<'a, 'b> {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
    builder.permissions(Permissions::from_mode(0o700))
}

/// On Windows it inherits the rights of the user's profile, which are the user's alone.
#[cfg(not(unix))]
fn for_owner_alone<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
) -> &'c mut tempfile::Builder<'a, 'b> {
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"two");
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1);
    }
}
