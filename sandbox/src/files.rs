//! Files of state: private, and replaced as a whole; sockets of this user alone.

use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use tokio::net::UnixListener;

/// Replaces a private file of a directory as a whole.
///
/// # Errors
/// When it cannot be written; the old one is then still there.
pub fn replace_file(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = dir.join(format!("{name}.new"));
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options.options_mut().mode(0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs_err::rename(&beside, dir.join(name))?;
    fs_err::File::open(dir)?.sync_all()
}

/// Makes a directory for this user alone.
///
/// # Errors
/// When it cannot be made.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    fs_err::create_dir_all(dir)?;
    fs_err::set_permissions(dir, Permissions::from_mode(0o700))
}

/// The last lines of a text that say something, on one line: for errors that quote a log.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let skipped = lines.len().saturating_sub(count);
    lines.iter().skip(skipped).copied().collect::<Vec<_>>().join("; ")
}

/// Removes a file; that there is none is fine.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A listening socket that only this user may connect to.
///
/// # Errors
/// When it cannot be made.
pub fn listen(socket: &Path) -> io::Result<UnixListener> {
    remove_if_there(socket)?;
    let listener = UnixListener::bind(socket).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", socket.display()))
    })?;
    fs_err::set_permissions(socket, Permissions::from_mode(0o600))?;
    Ok(listener)
}
