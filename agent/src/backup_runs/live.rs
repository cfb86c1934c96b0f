//! One run per service at a time.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use super::BackupError;
use crate::apps::{AppName, ServiceName};

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It makes a backup.
    Backup,
    /// It restores one on trial.
    Verification,
    /// It deletes those that no rule keeps.
    Pruning,
    /// It puts a backup in the place of what serves.
    Restore,
    /// It looks after what a dead agent left.
    Recovery,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backup => "a backup",
            Self::Verification => "the verification of a backup",
            Self::Pruning => "the pruning of the backups",
            Self::Restore => "a restore",
            Self::Recovery => "the recovery of the backups after a start of the agent",
        })
    }
}

type Key = (AppName, ServiceName);

/// The runs under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Live(Arc<Mutex<BTreeMap<Key, Run>>>);

#[derive(Clone, Debug)]
struct Run {
    doing: Doing,
    actor: String,
    since: Timestamp,
}

/// A service whose backups nobody else may change as long as this lives.
#[derive(Debug)]
pub(super) struct Reservation {
    live: Live,
    key: Key,
}

impl Live {
    /// Takes a service.
    pub(super) fn reserve(
        &self,
        (app, service): (&AppName, &ServiceName),
        doing: Doing,
        (actor, now): (&str, Timestamp),
    ) -> Result<Reservation, BackupError> {
        let key = (app.clone(), service.clone());
        let mut live = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = live.get(&key) {
            let Run { doing, actor, since } = run.clone();
            let (app, service) = key;
            return Err(BackupError::Busy { app, service, doing, actor, since });
        }
        live.insert(key.clone(), Run { doing, actor: actor.to_owned(), since: now });
        Ok(Reservation { live: self.clone(), key })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.live.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_runs_and_since_when() {
        let live = Live::default();
        let (app, service) = (AppName::new("shop").unwrap(), ServiceName::new("db"));
        let begin = |service: &ServiceName, doing| {
            let now = "2026-11-22T03:00:00Z".parse().unwrap();
            live.reserve((&app, service), doing, ("local:root", now))
        };
        let first = begin(&service, Doing::Backup).unwrap();
        let refused = begin(&service, Doing::Pruning).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a backup of shop/db is under way, begun by local:root at 2026-11-22T03:00:00Z"
        );
        drop(begin(&ServiceName::new("stock"), Doing::Verification).unwrap());
        drop(first);
        assert!(begin(&service, Doing::Verification).is_ok());
    }
}
