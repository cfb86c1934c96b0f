//! Where backups go and how long things may take.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use crate::backup::{destination, layout::DropletFolder, pipe::Limits};

/// What backup runs are given.
#[derive(Clone)]
pub struct BackupSettings {
    /// The directory that is the destination `local`: `/var/lib/tidegate/backups`. It is made (0700) where its parent is there.
    pub local: PathBuf,
    /// Which droplet this is; none: the agent is not enrolled, or this is a copy of another droplet.
    pub whose: Arc<dyn Fn() -> Option<DropletFolder> + Send + Sync>,
    /// How long things may take.
    pub patience: Patience,
}

impl fmt::Debug for BackupSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { local, patience, whose: _ } = self;
        let mut shown = f.debug_struct("BackupSettings");
        shown.field("local", local).field("patience", patience).finish_non_exhaustive()
    }
}

/// How long things may take that the Compose file says nothing about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a scratch server to start.
    pub scratch_start: Duration,
    /// For a whole restore on trial.
    pub verification: Duration,
    /// For the next bytes of a dump, or of a stored part.
    pub silence: Duration,
    /// For what was stored in vain to be deleted again.
    pub clearing: Duration,
    /// For a bucket.
    pub bucket: destination::Patience,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            scratch_start: Duration::from_mins(5),
            verification: Duration::from_hours(12),
            silence: Duration::from_hours(1),
            clearing: Duration::from_mins(15),
            bucket: destination::Patience::default(),
        }
    }
}

impl Patience {
    pub(super) fn limits(self) -> Limits {
        Limits { silence: self.silence, ..Limits::default() }
    }
}
