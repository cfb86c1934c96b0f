//! Which start of the droplet this is.
//!
//! Owns reading it from `/proc`. Must not remember it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

/// One start of the droplet, as the kernel calls it: a new UUID each time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootId(String);

impl BootId {
    /// From what the kernel or the database has: letters, digits and hyphens.
    pub fn new(text: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_one = (1..=64).contains(&text.len()) && text.chars().all(is_plain);
        is_one.then(|| Self(text.to_owned()))
    }

    /// As the kernel writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A start of the droplet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Which.
    pub id: BootId,
    /// When, in whole seconds.
    pub at: Timestamp,
}

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A file could not be read.
    #[error("the kernel does not tell when the droplet was started")]
    Unread(#[source] io::Error),
    /// It has another form.
    #[error("{} has another form than expected", .0.display())]
    Form(PathBuf),
}

impl Boot {
    /// Reads it below `proc`, which is `/proc`.
    ///
    /// # Errors
    /// When the kernel's files are not there, or have another form.
    pub fn read(proc: &Path) -> Result<Self, MachineError> {
        let (id_path, stat_path) = (proc.join("sys/kernel/random/boot_id"), proc.join("stat"));
        let read = |path: &Path| fs_err::read_to_string(path).map_err(MachineError::Unread);
        let id = BootId::new(read(&id_path)?.trim()).ok_or(MachineError::Form(id_path))?;
        let stat = read(&stat_path)?;
        let seconds = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
        let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Self { id, at: at.ok_or(MachineError::Form(stat_path))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_was_started_once() {
        let one = Boot::read(Path::new("/proc")).unwrap();
        let other = Boot::read(Path::new("/proc")).unwrap();
        assert_eq!(one.id, other.id);
        assert!(one.at > Timestamp::from_second(1_700_000_000).unwrap());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Boot::read(directory.path()), Err(MachineError::Unread(_))));
        fs_err::create_dir_all(directory.path().join("sys/kernel/random")).unwrap();
        fs_err::write(directory.path().join("sys/kernel/random/boot_id"), "a b\n").unwrap();
        fs_err::write(directory.path().join("stat"), "cpu 1 2 3\n").unwrap();
        let refused = Boot::read(directory.path()).unwrap_err();
        assert!(refused.to_string().contains("boot_id"), "{refused}");
        fs_err::write(directory.path().join("sys/kernel/random/boot_id"), "4f2a-1\n").unwrap();
        let refused = Boot::read(directory.path()).unwrap_err();
        assert!(refused.to_string().contains("stat"), "{refused}");
        fs_err::write(directory.path().join("stat"), "cpu 1 2 3\nbtime 1795000000\n").unwrap();
        let boot = Boot::read(directory.path()).unwrap();
        assert_eq!((boot.id.as_str(), boot.at.as_second()), ("4f2a-1", 1_795_000_000));
    }
}
