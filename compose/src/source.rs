//! Where files come from: the only door to a file system.
//!
//! Paths are absolute or project-relative strings with `/` on every system. [`OsFiles`] maps them to a directory of
//! this machine, [`MemoryFiles`] is a map; both let one side compute what the other will see.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::names::clean_path;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Nothing, or nothing that can be seen.
    Absent,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no file {path}; check the name and that it is part of the project")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// The file is larger than a source file may be.
    #[error("{path} is larger than {limit} bytes, the most a source file may have")]
    TooLarge {
        /// The path asked for.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The system refused.
    #[error("{path} cannot be read; check its permissions")]
    Io {
        /// The path asked for.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The largest source file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 8 << 20;

/// Gives source files by `/`-separated path.
pub trait FileSource {
    /// Reads a file.
    ///
    /// # Errors
    /// When there is no such file, it is too large, or the system refuses.
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError>;

    /// What stands at a path.
    fn kind(&self, path: &str) -> FileKind;
}

/// Files held in memory, by absolute path: what an agent received.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file; its directories exist with it.
    pub fn insert(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.insert(clean_path(path), content.into());
    }
}

impl<P: AsRef<str>, C: Into<Vec<u8>>> FromIterator<(P, C)> for MemoryFiles {
    fn from_iter<I: IntoIterator<Item = (P, C)>>(items: I) -> Self {
        let mut files = Self::new();
        for (path, content) in items {
            files.insert(path.as_ref(), content);
        }
        files
    }
}

impl FileSource for MemoryFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        self.files
            .get(&clean_path(path))
            .cloned()
            .ok_or_else(|| SourceError::NotFound { path: path.to_owned() })
    }

    fn kind(&self, path: &str) -> FileKind {
        let path = clean_path(path);
        if self.files.contains_key(&path) {
            return FileKind::File;
        }
        let below = if path.ends_with('/') { path } else { format!("{path}/") };
        let first = self.files.range(below.clone()..).next();
        if first.is_some_and(|(name, _)| name.starts_with(&below)) {
            FileKind::Directory
        } else {
            FileKind::Absent
        }
    }
}

/// Files of this machine: a project path and where it really lies.
///
/// `project` is the path used in the model (on a droplet `/var/lib/tidegate/apps/<app>`), `local` the directory of this
/// machine that stands for it. Paths above the project go up from `local` as far; other absolute paths are taken as
/// they are.
#[derive(Debug, Clone)]
pub struct OsFiles {
    project: String,
    local: PathBuf,
}

impl OsFiles {
    /// Shows the local directory `local` under the project path `project`.
    pub fn new(project: &str, local: impl Into<PathBuf>) -> Self {
        Self { project: clean_path(project), local: local.into() }
    }

    /// The path on this machine for a path of the project.
    pub fn local_path(&self, path: &str) -> PathBuf {
        let path = clean_path(path);
        let mut up = 0_usize;
        let mut base = self.project.as_str();
        loop {
            let below = if base == "/" { path.strip_prefix('/') } else { below(&path, base) };
            // Two paths that share only the root have nothing to do with each other.
            if let Some(rest) = below
                && (base != "/" || up == 0)
            {
                let mut local = self.local.clone();
                for _ in 0..up {
                    local.push("..");
                }
                local.extend(rest.split('/').filter(|part| !part.is_empty()));
                return local;
            }
            match base.rsplit_once('/') {
                Some((parent, _)) if !parent.is_empty() => base = parent,
                _ => return PathBuf::from(path),
            }
            up += 1;
        }
    }
}

fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(base)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

impl FileSource for OsFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        read_local(&self.local_path(path), path)
    }

    fn kind(&self, path: &str) -> FileKind {
        match fs_err::metadata(self.local_path(path)) {
            Ok(data) if data.is_dir() => FileKind::Directory,
            Ok(_) => FileKind::File,
            Err(_) => FileKind::Absent,
        }
    }
}

fn read_local(local: &Path, path: &str) -> Result<Vec<u8>, SourceError> {
    use std::io::Read as _;
    let failed = |source: std::io::Error| {
        let path = path.to_owned();
        if source.kind() == std::io::ErrorKind::NotFound {
            SourceError::NotFound { path }
        } else {
            SourceError::Io { path, source }
        }
    };
    let file = fs_err::File::open(local).map_err(failed)?;
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(SourceError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES });
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_knows_directories_by_their_files() {
        let files: MemoryFiles = [("/p/a/b.txt", "x")].into_iter().collect();
        assert_eq!(files.kind("/p/a/b.txt"), FileKind::File);
        assert_eq!(files.kind("/p/./a"), FileKind::Directory);
        assert_eq!(files.kind("/p/a/b"), FileKind::Absent);
        assert_eq!(files.read("/p/a/../a/b.txt").unwrap(), b"x");
    }

    #[test]
    fn project_paths_map_to_the_local_directory_and_above_it() {
        let files = OsFiles::new("/var/lib/tidegate/apps/shop", "/home/me/shop");
        assert_eq!(files.local_path("/var/lib/tidegate/apps/shop/a/b"), Path::new("/home/me/shop/a/b"));
        assert_eq!(files.local_path("/var/lib/tidegate/apps/x"), Path::new("/home/me/shop/../x"));
        assert_eq!(files.local_path("/etc/hosts"), Path::new("/etc/hosts"));
    }
}
