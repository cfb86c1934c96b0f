//! A timer of an app's backups that a release brings, changes or takes away.

use serde::{Deserialize, Serialize};

use super::{Change, ChangeKind};

/// A timer that does not stay as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTimer {
    /// systemd's unit: `tidegate-backup@shop-db.timer`.
    pub unit: String,
    /// What becomes of it.
    pub action: TimerAction,
    /// When it will elapse, as the Compose file has it; empty for one that goes.
    pub schedule: String,
}

/// What becomes of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimerAction {
    /// There is none yet.
    Create,
    /// It gets another time.
    Change,
    /// It goes.
    Remove,
}

impl PlannedTimer {
    /// A line of the plan.
    pub fn change(&self) -> Change {
        let (kind, reason) = match self.action {
            TimerAction::Create => (ChangeKind::Create, self.schedule.clone()),
            TimerAction::Change => (ChangeKind::Recreate, format!("its schedule is {} now", self.schedule)),
            TimerAction::Remove => (ChangeKind::Remove, "nothing of the file wants it".to_owned()),
        };
        Change { kind, object: format!("timer {}", self.unit), reason, strategy: String::new() }
    }
}
