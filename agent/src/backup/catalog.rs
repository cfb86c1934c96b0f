//! What is at the destinations: which backups, each with its copies, and whether they are whole.
//!
//! Owns listing and comparing. It changes nothing, and trusts the manifest only where its digest fits and it lies where it
//! says. Must not decide what goes (`rotation`), and reads no part: that a copy is complete means that all is there in the
//! right size, not that it can be restored.

mod gather;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{StreamExt as _, future::join_all, stream};
use jiff::Timestamp;

use self::gather::{Folder, gather};
use super::{
    ByteCount, Manifest, NameError, ObjectName, PartName,
    destination::{Destination, DestinationError},
    layout::{BackupFolder, Scope},
    manifest::{LARGEST_MANIFEST, ManifestError},
};

/// How many manifests are read at a time from one destination.
const AT_ONCE: usize = 4;
/// One destination's listing and reading of manifests: tens of thousands of objects take minutes.
const DEADLINE: Duration = Duration::from_mins(15);

/// What is at the destinations.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The backups, the oldest first within one service's folder.
    pub backups: Vec<Found>,
    /// What is left of backups that did not come to their end, or are being written.
    pub orphans: Vec<Orphan>,
    /// Destinations that could not be looked at: what is there is not known.
    pub unseen: Vec<Unseen>,
}

/// A backup.
#[derive(Debug)]
pub struct Found {
    /// Where it lies at each of its destinations.
    pub folder: BackupFolder,
    /// What it holds, by the first copy whose manifest is whole; none where none is.
    pub manifest: Option<Manifest>,
    /// Its copies, in the order of the destinations.
    pub copies: Vec<CopyAt>,
}

/// One copy of a backup.
#[derive(Debug)]
pub struct CopyAt {
    /// The destination's title.
    pub at: String,
    /// What is wrong with it; nothing where it is complete.
    pub damage: Vec<Damage>,
    /// All objects in its folder; the manifest is the first to delete.
    pub objects: Vec<ObjectName>,
}

/// What is wrong with a copy.
#[derive(Debug)]
pub enum Damage {
    /// Its manifest cannot be used.
    Manifest(ManifestError),
    /// Its manifest could not be read.
    Unread(DestinationError),
    /// Its manifest is another backup's.
    Elsewhere,
    /// A part is not there.
    Missing(PartName),
    /// A part has another size.
    Size {
        /// Which part.
        part: PartName,
        /// What was stored.
        expected: ByteCount,
        /// What is there.
        found: ByteCount,
    },
}

/// A backup's folder without a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The folder.
    pub folder: BackupFolder,
    /// The destination's title.
    pub at: String,
    /// When its last object was written, by the destination's clock.
    pub newest: Timestamp,
    /// What is in it.
    pub objects: Vec<ObjectName>,
    /// How much that is.
    pub bytes: ByteCount,
}

/// A destination that could not be looked at.
#[derive(Debug)]
pub struct Unseen {
    /// Its title.
    pub at: String,
    /// Why.
    pub error: CatalogError,
}

/// Why a destination could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// It could not even be opened.
    #[error("{0}")]
    Unopened(String),
    /// It cannot be listed.
    #[error("the backups could not be listed")]
    List(#[source] DestinationError),
    /// Too much.
    #[error(
        "there are more than {most} objects: this is no folder of backups, or nothing was ever cleaned up"
    )]
    TooMany {
        /// How many are looked at.
        most: usize,
    },
    /// No name.
    #[error("the folder of the backups has no possible name")]
    Name(#[source] NameError),
    /// It takes too long.
    #[error("the backups could not be listed within {} s", DEADLINE.as_secs())]
    Timeout,
}

impl Found {
    /// Whether a copy of it is complete somewhere.
    pub fn is_complete(&self) -> bool {
        self.copies.iter().any(|copy| copy.damage.is_empty())
    }
}

impl Orphan {
    /// How long ago its last object was written.
    pub fn age(&self, now: Timestamp) -> jiff::SignedDuration {
        now.duration_since(self.newest)
    }
}

/// Looks at all destinations at once. One that cannot be looked at is told, and the others are.
pub async fn look(destinations: &[Arc<dyn Destination>], scope: &Scope) -> Catalog {
    let looks = destinations.iter().map(|destination| async {
        let seen = tokio::time::timeout(DEADLINE, see(destination.as_ref(), scope)).await;
        (destination.title().to_owned(), seen.unwrap_or(Err(CatalogError::Timeout)))
    });
    let mut catalog = Catalog::default();
    let mut backups: BTreeMap<BackupFolder, Found> = BTreeMap::new();
    for (at, seen) in join_all(looks).await {
        match seen {
            Ok(seen) => {
                for copy in seen {
                    merge(&at, copy, &mut backups, &mut catalog.orphans);
                }
            }
            Err(error) => catalog.unseen.push(Unseen { at, error }),
        }
    }
    catalog.backups = backups.into_values().collect();
    catalog
}

fn merge(at: &str, seen: Seen, backups: &mut BTreeMap<BackupFolder, Found>, orphans: &mut Vec<Orphan>) {
    let Seen { name, folder, read } = seen;
    let at = at.to_owned();
    let objects = folder.objects();
    let Some((manifest, damage)) = read else {
        let (newest, bytes) = (folder.newest, folder.bytes);
        return orphans.push(Orphan { folder: name, at, newest, objects, bytes });
    };
    let empty = || Found { folder: name.clone(), manifest: None, copies: Vec::new() };
    let found = backups.entry(name.clone()).or_insert_with(empty);
    found.manifest = found.manifest.take().or(manifest);
    found.copies.push(CopyAt { at, damage, objects });
}

/// One folder at one destination. Without a manifest there, nothing was read.
struct Seen {
    name: BackupFolder,
    folder: Folder,
    read: Option<(Option<Manifest>, Vec<Damage>)>,
}

async fn see(destination: &dyn Destination, scope: &Scope) -> Result<Vec<Seen>, CatalogError> {
    let folders = gather(destination, scope).await?;
    let read = folders.into_iter().map(|(name, folder)| async move {
        let read = match &folder.manifest {
            Some(object) => Some(check(destination, &name, &folder, object).await),
            None => None,
        };
        Seen { name, folder, read }
    });
    Ok(stream::iter(read).buffered(AT_ONCE).collect().await)
}

async fn check(
    destination: &dyn Destination,
    name: &BackupFolder,
    folder: &Folder,
    object: &ObjectName,
) -> (Option<Manifest>, Vec<Damage>) {
    let bytes = match destination.read_small(object, LARGEST_MANIFEST).await {
        Ok(bytes) => bytes,
        Err(error) => return (None, vec![Damage::Unread(error)]),
    };
    let manifest = match Manifest::read(&bytes) {
        Ok(manifest) => manifest,
        Err(error) => return (None, vec![Damage::Manifest(error)]),
    };
    if !BackupFolder::of(&manifest).is_ok_and(|own| own == *name) {
        return (None, vec![Damage::Elsewhere]);
    }
    let damage = manifest.parts.iter().filter_map(|part| {
        let expected = part.stored.bytes;
        match folder.parts.get(&part.name) {
            None => Some(Damage::Missing(part.name.clone())),
            Some(found) if *found == expected => None,
            Some(found) => Some(Damage::Size { part: part.name.clone(), expected, found: *found }),
        }
    });
    let damage = damage.collect();
    (Some(manifest), damage)
}
