//! The files that a server keeps its data in: putting new ones beside them, in their place, and away again.
//!
//! Owns the names and the order of changes: whoever is cut off between two of them leaves a state that the same call, or the one
//! that takes it back, brings to its end. The server stands still while files change their places; that is the caller's matter.
//!
//! # On disk
//! A server keeps its data in one file or directory of its data directory: `dump.rdb`; or, with `appendonly`, the directory
//! `appendonlydir`, before version 7 the file `appendonly.aof`. All three can begin with an RDB file. What is put beside it is
//! called `.tidegate-restoring-4f2a91c0`, what served until then `.tidegate-before-4f2a91c0`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::io::AsyncRead;

use super::{QUESTION, Redis, RedisError};
use crate::scratch::Idle;

/// How long files may take to change their places: on a disk that is busy, what was written has to reach it first.
const MOVE: Duration = Duration::from_mins(10);

/// Where a server keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// The directory in its container.
    pub directory: String,
    /// What of it is the data.
    pub kept: Kept,
}

/// What of a server's directory is its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// An RDB file, which the server writes from time to time and when it ends.
    Snapshot(String),
    /// A file to which every change is appended. It may begin with an RDB file.
    Log(String),
    /// A directory of such files, with one that lists them.
    Logs {
        /// The directory's name.
        directory: String,
        /// How names in it begin.
        file: String,
    },
}

impl Kept {
    /// The name of the file or directory.
    pub fn name(&self) -> &str {
        match self {
            Self::Snapshot(name) | Self::Log(name) | Self::Logs { directory: name, .. } => name,
        }
    }
}

impl Persistence {
    /// The path of its data in the container.
    pub fn path(&self) -> String {
        self.beside(self.kept.name())
    }

    /// The path of something beside it.
    pub fn beside(&self, name: &str) -> String {
        format!("{}/{name}", self.directory.trim_end_matches('/'))
    }

    /// Directory and name of the RDB file in what lies at this path, in the form of its data.
    pub fn rdb_of(&self, path: &str) -> (String, String) {
        match &self.kept {
            Kept::Snapshot(_) | Kept::Log(_) => {
                let name = path.rsplit('/').next().unwrap_or_default();
                (self.directory.clone(), name.to_owned())
            }
            Kept::Logs { file, .. } => (path.to_owned(), format!("{file}.1.base.rdb")),
        }
    }
}

impl Redis {
    /// Where the server keeps its data.
    ///
    /// # Errors
    /// When it does not tell, or under names that no script should meet.
    pub async fn persistence(&self) -> Result<Persistence, RedisError> {
        let directory = self.setting("dir").await?;
        if !directory.starts_with('/') {
            return Err(RedisError::Answer { asked: "its directory", answer: directory });
        }
        let kept = if self.setting("appendonly").await? == "yes" {
            let file = self.setting("appendfilename").await?;
            match self.setting("appenddirname").await? {
                directory if directory.is_empty() => Kept::Log(file),
                directory => Kept::Logs { directory, file },
            }
        } else {
            Kept::Snapshot(self.setting("dbfilename").await?)
        };
        let names = match &kept {
            Kept::Snapshot(name) | Kept::Log(name) => vec![name],
            Kept::Logs { directory, file } => vec![directory, file],
        };
        match names.into_iter().find(|name| !is_simple(name)) {
            Some(name) => Err(RedisError::Name(name.clone())),
            None => Ok(Persistence { directory, kept }),
        }
    }
}

fn is_simple(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The new file belongs to whom the old one belongs to, or else the directory.
const PLACE_FILE: &str = r#"
umask 077
rm -rf -- "$1"
like=$2; [ -e "$like" ] || like=$(dirname -- "$2")
cat >"$1"
chown "$(stat -c %u:%g -- "$like")" "$1"
sync
"#;

const PLACE_LOGS: &str = r#"
umask 077
rm -rf -- "$1"
like=$2; [ -e "$like" ] || like=$(dirname -- "$2")
mkdir -- "$1"
cat >"$1/$3.1.base.rdb"
printf 'file %s.1.base.rdb seq 1 type b\n' "$3" >"$1/$3.manifest"
chown -R "$(stat -c %u:%g -- "$like")" "$1"
sync
"#;

/// What is at the place while the former is there already was made by a server that was started in between, with nothing in it.
const SWAP: &str = r#"
[ -e "$2" ] || exit 0
if [ ! -e "$3" ]; then
  [ ! -e "$1" ] || mv -- "$1" "$3"
else
  rm -rf -- "$1"
fi
mv -- "$2" "$1"
sync
"#;

const SWAP_BACK: &str = r#"
[ -e "$3" ] || exit 0
if [ -e "$2" ]; then
  rm -rf -- "$1"
else
  [ ! -e "$1" ] || mv -- "$1" "$2"
fi
mv -- "$3" "$1"
sync
"#;

/// The files of a server, in a container that has its volumes.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// That container.
    pub idle: &'a Idle,
}

impl Files<'_> {
    /// Puts an RDB file beside the data, in the form that the server will read.
    ///
    /// # Errors
    /// When it cannot be read to its end or written, or it takes longer than the deadline.
    pub async fn place(
        &self,
        (persistence, path): (&Persistence, &str),
        (rdb, deadline): (impl AsyncRead + Send + Unpin, Duration),
    ) -> Result<(), RedisError> {
        let data = persistence.path();
        let fed = match &persistence.kept {
            Kept::Snapshot(_) | Kept::Log(_) => {
                self.idle.feed((PLACE_FILE, &[path, &data]), (rdb, deadline)).await
            }
            Kept::Logs { file, .. } => {
                self.idle.feed((PLACE_LOGS, &[path, &data, file]), (rdb, deadline)).await
            }
        };
        Ok(fed?)
    }

    /// Whether something is at that path.
    ///
    /// # Errors
    /// When nobody can look.
    pub async fn has(&self, path: &str) -> Result<bool, RedisError> {
        let told = self.idle.script("[ ! -e \"$1\" ] || echo yes", (&[path], QUESTION)).await?;
        Ok(told.trim() == "yes")
    }

    /// Puts what is at `fresh` in the place of the data, which is at `former` then. Done again it changes nothing.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn swap(&self, (data, fresh, former): (&str, &str, &str)) -> Result<(), RedisError> {
        self.idle.script(SWAP, (&[data, fresh, former], MOVE)).await?;
        Ok(())
    }

    /// The other way round: what is at `former` is the data again, what was in its place is at `fresh`.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn swap_back(&self, (data, fresh, former): (&str, &str, &str)) -> Result<(), RedisError> {
        self.idle.script(SWAP_BACK, (&[data, fresh, former], MOVE)).await?;
        Ok(())
    }

    /// Removes what is at that path, whatever it is.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn remove(&self, path: &str) -> Result<(), RedisError> {
        self.idle.script("rm -rf -- \"$1\"; sync", (&[path], MOVE)).await?;
        Ok(())
    }
}
