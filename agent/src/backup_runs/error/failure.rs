//! The parts of an error that are shown one by one, and kept in the row.

use std::error::Error as _;

use jiff::Timestamp;

use super::BackupError;
use crate::{
    backup::BackupId,
    release::{EngineError, Failure, chain},
};

impl BackupError {
    /// What failed, why, and what to do.
    pub fn failure(&self) -> Failure {
        if let Self::Release { source, .. } = self
            && let EngineError::Refused(failures) = source.as_ref()
            && let Some(first) = failures.first()
        {
            return first.clone();
        }
        if let Self::Undone(failure) | Self::RestoreStuck(failure) = self {
            return failure.clone();
        }
        let cause = match self {
            Self::Check { statement, answer, .. } => format!("`{statement}` answered {}", shown(answer)),
            _ => self.source().map(chain).unwrap_or_default(),
        };
        let details = match self {
            Self::NoDestination(told)
            | Self::NoCopy { seen: told, .. }
            | Self::NothingElsewhere { seen: told, .. } => told.clone(),
            Self::Differs { differences, .. } => differences.clone(),
            _ => Vec::new(),
        };
        Failure::new(self.to_string(), cause).hint(self.hint()).details(details)
    }
}

/// How long an answer may be that is shown.
const LONGEST_ANSWER: usize = 200;

fn shown(answer: &str) -> String {
    if answer.is_empty() {
        return "nothing".to_owned();
    }
    format!("`{}`", answer.chars().take(LONGEST_ANSWER).collect::<String>())
}

/// A key that is gone is no fault.
pub(super) fn no_key(id: BackupId, verified_at: Option<Timestamp>) -> String {
    match verified_at {
        Some(at) => format!(
            "the backup {id} was verified at {at}; this agent's key for it was held only until then, so it cannot open it any more"
        ),
        None => format!("this agent has no key for the backup {id}, so it cannot open it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apps::{AppName, ServiceName},
        backup::ByteCount,
    };

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let space = BackupError::Space {
            at: "directory /backups".to_owned(),
            needed: ByteCount::new(70_000_000),
            free: ByteCount::new(5),
        };
        let failure = space.failure();
        assert!(failure.what.contains("70.0 MB") && failure.what.contains("5 bytes"), "{failure:?}");
        assert!(failure.hint.contains("tidegate backup prune"));

        let services = vec![ServiceName::new("db"), ServiceName::new("stock")];
        let which = BackupError::Which { app: AppName::new("shop").unwrap(), services };
        assert_eq!(which.failure().hint, "name one of them: db, stock");

        let app = AppName::new("shop").unwrap();
        let gone = BackupError::Release { app: app.clone(), source: Box::new(EngineError::NoApp(app)) };
        assert!(gone.failure().cause.contains("there is no app shop"), "{gone:?}");

        let check = BackupError::Check {
            id: "20261122T030000Z-4f2a91c0".parse().unwrap(),
            database: "shop".to_owned(),
            statement: "SELECT false".to_owned(),
            answer: "f".to_owned(),
        };
        assert_eq!(check.failure().cause, "`SELECT false` answered `f`");
        let key = BackupError::NoKey { id: "20261122T030000Z-4f2a91c0".parse().unwrap(), verified_at: None };
        assert!(key.failure().hint.contains("--identity FILE"));
    }
}
