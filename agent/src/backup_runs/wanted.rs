//! What may be asked of backup runs. Values only.

use super::{Cause, FileKeys};
use crate::{
    apps::{AppName, ServiceName},
    backup::BackupId,
};

/// A backup is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Make {
    /// Of this app.
    pub app: AppName,
    /// Of this service of it; none: the only one that asks for backups.
    pub service: Option<ServiceName>,
    /// Why.
    pub cause: Cause,
    /// Who asks: a SPIFFE id, `local:root`.
    pub actor: String,
}

/// A backup is to be restored on trial.
#[derive(Debug)]
pub struct Verify {
    /// Of this app.
    pub app: AppName,
    /// Of this service of it; none: that of the backup, or the only one that asks for backups.
    pub service: Option<ServiceName>,
    /// This one; none: the latest that is stored.
    pub id: Option<BackupId>,
    /// What opens it; empty: the agent's own key, as long as it has it.
    pub keys: FileKeys,
    /// Who asks.
    pub actor: String,
}

/// Backups that no rule keeps are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Of this app.
    pub app: AppName,
    /// Of this service of it; none: of all that ask for backups.
    pub service: Option<ServiceName>,
    /// Whether they do go.
    pub mode: PruneMode,
}

/// Whether what would go does go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneMode {
    /// It is shown.
    Show,
    /// It is deleted.
    Delete,
}
