//! What is told of backups that were looked for. Values only.

use super::{BackupRow, MadeOn};
use crate::{
    apps::ServiceName,
    backup::{
        BackupId, ByteCount, Manifest,
        catalog::{Orphan, Unseen},
    },
    release::Failure,
};

/// The backups of an app.
#[derive(Debug, Default)]
pub struct Listing {
    /// The newest first.
    pub backups: Vec<Listed>,
    /// What is left of backups that did not come to their end.
    pub orphans: Vec<Orphan>,
    /// Destinations that could not be looked at: what is there is not known.
    pub unseen: Vec<Unseen>,
}

/// A backup with what was found of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// What the agent remembers, or what the manifest says where it remembers nothing.
    pub row: BackupRow,
    /// What is at the destinations now; none where all copies are gone, or could not be looked at.
    pub copies: Vec<Copy>,
    /// Where it was made, where backups of elsewhere were looked for.
    pub made_on: Option<MadeOn>,
}

/// One copy of a backup as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The destination's title.
    pub at: String,
    /// What is wrong with it; nothing where all is there.
    pub damage: Vec<String>,
}

/// One backup with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// What the agent remembers.
    pub row: BackupRow,
    /// What is at the destinations now.
    pub copies: Vec<Copy>,
    /// What it holds; none where no copy's manifest can be read.
    pub manifest: Option<Manifest>,
}

/// What became of the backups of one service that no rule keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruned {
    /// The service.
    pub service: ServiceName,
    /// What stays, the newest first, and why.
    pub stays: Vec<(BackupId, Vec<String>)>,
    /// What goes, or went, and why.
    pub goes: Vec<(BackupId, String)>,
    /// Folders of what is left of backups that did not come to their end, and how much they hold; they go too.
    pub orphans: Vec<(String, ByteCount)>,
    /// What was deleted; nothing where it was only shown.
    pub deleted: Deleted,
}

/// What was deleted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deleted {
    /// Backups of which no copy is left.
    pub backups: Vec<BackupId>,
    /// How much was deleted, of backups and what was left of others.
    pub bytes: ByteCount,
    /// What could not be deleted, and why. The next time it is tried again.
    pub failures: Vec<Failure>,
}
