//! A command's variables for systemd, in a root-only file.
//!
//! Owns systemd's quoting of environment files. The property `Environment` would do, but any user of the droplet can read
//! a unit's properties, and variables may be secrets.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;

/// The file; it goes away with this value.
#[derive(Debug)]
pub(super) struct EnvironmentFile(PathBuf);

impl EnvironmentFile {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for EnvironmentFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, "a command's variables could not be removed");
        }
    }
}

/// Writes the variables to a file of its own; `None` when there are none.
pub(super) fn write(
    directory: &Path,
    unit: &str,
    variables: &BTreeMap<String, String>,
) -> io::Result<Option<EnvironmentFile>> {
    if variables.is_empty() {
        return Ok(None);
    }
    let path = directory.join(format!("{unit}.env"));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let guard = EnvironmentFile(path);
    for (name, value) in variables {
        writeln!(file, "{name}=\"{}\"", quote(value))?;
    }
    Ok(Some(guard))
}

/// Within double quotes systemd reads a backslash before `"`, `\`, `` ` `` and `$` as quoting, and line feeds as they are.
fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn values_are_quoted_and_the_file_is_private_and_goes_away() {
        let directory = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([("A".to_owned(), "x \"y\" $z \\ `w`\nnext".to_owned())]);
        let file = write(directory.path(), "u.service", &variables).unwrap().unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "A=\"x \\\"y\\\" \\$z \\\\ \\`w\\`\nnext\"\n");
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let path = file.path().to_owned();
        drop(file);
        assert!(!path.exists());
        assert!(write(directory.path(), "u.service", &BTreeMap::new()).unwrap().is_none());
    }
}
