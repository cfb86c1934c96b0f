//! Sorts a listing into the folders of backups. What is not ours is passed over.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use jiff::Timestamp;

use super::CatalogError;
use crate::backup::{
    ByteCount, ObjectName, PartName,
    destination::{Destination, Listed},
    layout::{self, BackupFolder, File, Scope},
};

/// The most objects of one destination that are looked at. They are held in memory.
const MOST: usize = 100_000;

/// What is in the folder of a backup.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) manifest: Option<ObjectName>,
    pub(super) parts: BTreeMap<PartName, ByteCount>,
    others: Vec<ObjectName>,
    pub(super) newest: Timestamp,
    pub(super) bytes: ByteCount,
}

impl Folder {
    /// All objects, the manifest first: without it the rest is no backup.
    pub(super) fn objects(&self) -> Vec<ObjectName> {
        self.manifest.iter().chain(&self.others).cloned().collect()
    }

    fn add(&mut self, file: File, listed: Listed) {
        let Listed { name, bytes, modified } = listed;
        self.bytes = self.bytes.plus(bytes);
        self.newest = self.newest.max(modified);
        match file {
            File::Manifest => self.manifest = Some(name),
            File::Part(part) => {
                self.parts.insert(part, bytes);
                self.others.push(name);
            }
            File::Partial => self.others.push(name),
        }
    }
}

pub(super) async fn gather(
    destination: &dyn Destination,
    scope: &Scope,
) -> Result<BTreeMap<BackupFolder, Folder>, CatalogError> {
    let prefix = scope.prefix().map_err(CatalogError::Name)?;
    let mut listing = destination.list(&prefix);
    let mut folders: BTreeMap<BackupFolder, Folder> = BTreeMap::new();
    let mut count = 0_usize;
    while let Some(listed) = listing.try_next().await.map_err(CatalogError::List)? {
        count = count.saturating_add(1);
        if count > MOST {
            return Err(CatalogError::TooMany { most: MOST });
        }
        let Ok((folder, file)) = layout::parse(&listed.name) else { continue };
        if scope.has(folder.service()) {
            folders.entry(folder).or_default().add(file, listed);
        }
    }
    Ok(folders)
}
