//! What a backup holds, in one file that is written last: where it stands, there is a whole backup.
//!
//! Owns the fields and their meaning; the file's form is in [`file`](self::file). Must not know where the file lies or
//! how the parts came to be.
//!
//! # On disk
//!
//! `<folder of the backup>/manifest`, at most 4 MiB:
//!
//! ```text
//! tidegate-backup 1 <SHA-256 of all that follows, 64 hexadecimal digits>\n
//! {
//!   "id": "20261122T030000Z-4f2a91c0",
//!   ...                                        the fields of `Manifest`, indented JSON
//! }\n
//! ```
//!
//! The number behind the name is the format's version. The agent that takes the backup writes the file once, after all parts
//! are there in full; nobody changes it; rotation deletes it before the parts, so that a half deleted backup is none. A torn
//! or changed file does not match its digest and is refused.
//!
//! # Current limitations
//!
//! The digest finds damage, not malice: who may write to the destination can write another backup with another manifest,
//! because backups are encrypted to public keys.

mod content;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_proto::names::{DropletId, EnvironmentName, FleetName};

pub use self::{
    content::{Content, Engine, EngineKind, TableCount},
    file::{LARGEST_MANIFEST, ManifestError},
};
use super::{BackupId, EnrolmentId, Measure, PartName};
use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    postgres::DatabaseName,
};

/// What one backup of one service holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Which backup this is.
    pub id: BackupId,
    /// The moment whose data it holds, UTC: when the snapshot of the data was taken.
    pub taken_at: Timestamp,
    /// When the last part was stored everywhere that it could be, UTC.
    pub finished_at: Timestamp,
    /// The fleet of the droplet.
    pub fleet: FleetName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// The droplet that it was taken on.
    pub droplet: DropletId,
    /// Which enrolment of that droplet.
    pub enrolment: EnrolmentId,
    /// The app.
    pub app: AppName,
    /// The service whose data it is.
    pub service: ServiceName,
    /// The release that served while it was taken; none where the app was never released.
    pub release: Option<ReleaseNumber>,
    /// The revision of the database's schema as the app's migrations name it; none where they do not say.
    pub migration: Option<String>,
    /// What the data was taken from, and by what.
    pub engine: Engine,
    /// The files of the backup. At least one; their names differ.
    pub parts: Vec<Part>,
    /// The age public keys (`age1...`) of those who can open it. The key that the agent itself holds until the backup is
    /// verified is not among them.
    pub recipients: Vec<String>,
}

/// One file of a backup: compressed with zstd, then encrypted with age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The file's name in the backup's folder.
    pub name: PartName,
    /// What it holds.
    pub content: Content,
    /// The data before compression and encryption.
    pub plain: Measure,
    /// The file as it is stored.
    pub stored: Measure,
    /// The beginning of the file as it is stored: age's header and nonce, which hold the wrapped keys. By it a changed
    /// header and a wrong key are told apart.
    pub header: Measure,
    /// Rows per table when the backup was taken; empty where the content has none.
    pub tables: Vec<TableCount>,
}

impl Manifest {
    /// The part of that name.
    pub fn part(&self, name: &PartName) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == *name)
    }

    /// The databases of a PostgreSQL in it, with their parts.
    pub fn databases(&self) -> impl Iterator<Item = (&Part, DatabaseName)> {
        self.parts.iter().filter_map(|part| match &part.content {
            Content::PostgresDump { database } => Some((part, DatabaseName(database.clone()))),
            _ => None,
        })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// When it has no part, two of one name, or becomes larger than 4 MiB.
    pub fn write(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        file::write(self)
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// When they are no manifest, changed, cut off, of another version, or too many.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest = file::read(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let mut names = BTreeSet::new();
        match self.parts.iter().find(|part| !names.insert(&part.name)) {
            Some(part) => Err(ManifestError::TwoParts(part.name.clone())),
            None if self.parts.is_empty() => Err(ManifestError::NoPart),
            None => Ok(()),
        }
    }
}
