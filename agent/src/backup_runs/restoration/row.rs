//! A restore as the agent remembers it. Values only.

use std::time::Duration;

use jiff::Timestamp;

use super::{super::BackupId, plan::RestorePlan};
use crate::{postgres::DatabaseName, release::Failure};

/// What the agent remembers of one restore.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreRow {
    /// Which; of the same form as a backup's id.
    pub id: BackupId,
    /// Who asked for it.
    pub actor: String,
    /// What it does, or did.
    pub plan: RestorePlan,
    /// Where it is.
    pub state: RestoreState,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it goes on.
    pub finished_at: Option<Timestamp>,
    /// How long the app stood still.
    pub stood_still: Option<Duration>,
    /// What served before and is still there.
    pub kept: Vec<DatabaseName>,
    /// Until when.
    pub kept_until: Option<Timestamp>,
    /// Why it was undone, or is stuck.
    pub failure: Option<Failure>,
}

/// Where a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreState {
    /// On its way.
    Running,
    /// What was restored serves.
    Restored,
    /// What served before serves, as if nothing had happened.
    Undone,
    /// It could not be undone: it needs a hand.
    Stuck,
}

impl RestoreState {
    /// As it is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restored => "restored",
            Self::Undone => "undone",
            Self::Stuck => "stuck",
        }
    }

    /// The state of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Running, Self::Restored, Self::Undone, Self::Stuck]
            .into_iter()
            .find(|state| state.word() == word)
    }
}
