//! Errors of backups. What they say, why and what to do they tell themselves; here they get their codes.

use std::borrow::Cow;

use tonic::{Code, Status};

use super::{RichError, engine, of_failure};
use crate::{backup_runs::BackupError, release::EngineError};

pub(in crate::api) fn backup(error: &BackupError) -> Status {
    let (code, reason) = code(error);
    of_failure(code, &reason, &error.failure()).into()
}

/// The code, and the reason for programs.
fn code(error: &BackupError) -> (Code, Cow<'static, str>) {
    use BackupError as E;

    let (code, reason) = match error {
        E::Release { source, .. } => return released(source),
        E::NotEnrolled => (Code::FailedPrecondition, "NOT_ENROLLED"),
        E::NobodyAsks(_) => (Code::NotFound, "NO_BACKUPS"),
        E::NotAsked { .. } => (Code::NotFound, "NO_SERVICE"),
        E::NoBackup { .. } | E::NoSuchId(_) | E::NothingElsewhere { .. } => (Code::NotFound, "NO_BACKUP"),
        E::Which { .. } => (Code::InvalidArgument, "WHICH_SERVICE"),
        E::Unsupported { .. } => (Code::FailedPrecondition, "UNSUPPORTED"),
        E::Recipients { .. } => (Code::FailedPrecondition, "RECIPIENTS"),
        E::Keep { .. } => (Code::FailedPrecondition, "KEEP"),
        E::Busy { .. } => (Code::Aborted, "BUSY"),
        E::NotRunning { .. } => (Code::FailedPrecondition, "NOT_RUNNING"),
        E::Server { .. } => (Code::FailedPrecondition, "SERVER"),
        E::NoDatabase(_) | E::MissingDatabase { .. } => (Code::FailedPrecondition, "NO_DATABASE"),
        E::Space { .. } => (Code::ResourceExhausted, "SPACE"),
        E::Destination(_) | E::NoDestination(_) => (Code::Unavailable, "DESTINATION"),
        E::Name(_) => (Code::FailedPrecondition, "NAME"),
        E::Dump { .. } | E::Seal { .. } | E::Manifest(_) => (Code::Aborted, "DUMP"),
        E::Timeout { .. } => (Code::DeadlineExceeded, "TIMEOUT"),
        E::Database { .. } => (Code::Unavailable, "DATABASE"),
        E::Docker(_) => (Code::Unavailable, "DOCKER"),
        E::NothingToVerify { .. } | E::NotStored { .. } => (Code::FailedPrecondition, "NOT_STORED"),
        E::NoKey { verified_at: Some(_), .. } => (Code::FailedPrecondition, "ALREADY_VERIFIED"),
        E::NoKey { verified_at: None, .. } => (Code::FailedPrecondition, "NO_KEY"),
        E::MissingKey { .. } => (Code::InvalidArgument, "MISSING_KEY"),
        E::Key { .. } => (Code::DataLoss, "KEY"),
        E::NoCopy { .. } => (Code::DataLoss, "NO_COPY"),
        E::Damaged { .. } => (Code::DataLoss, "DAMAGED"),
        E::Differs { .. } => (Code::DataLoss, "DIFFERS"),
        E::Unread { .. } => (Code::Unavailable, "UNREAD"),
        E::Scratch(_) => (Code::Aborted, "SCRATCH"),
        E::Restore { .. } => (Code::Aborted, "RESTORE"),
        E::ScrubMany { .. } => (Code::InvalidArgument, "SCRUB_MANY"),
        E::Scrub { .. } => (Code::Aborted, "SCRUB"),
        E::NewerServer { .. } => (Code::FailedPrecondition, "NEWER_SERVER"),
        E::OtherEngine { .. } => (Code::FailedPrecondition, "OTHER_ENGINE"),
        E::NoWayBack { .. } => (Code::FailedPrecondition, "NO_WAY_BACK"),
        E::NoScrub { .. } | E::NoDatabases { .. } => (Code::InvalidArgument, "NOT_OF_THIS_ENGINE"),
        E::Changed { .. } => (Code::FailedPrecondition, "CHANGED"),
        E::NotInBackup { .. } => (Code::NotFound, "NO_DATABASE"),
        E::IntoMany { .. } => (Code::InvalidArgument, "INTO_MANY"),
        E::IntoName { .. } => (Code::InvalidArgument, "INTO_NAME"),
        E::IntoTaken { .. } => (Code::AlreadyExists, "INTO_TAKEN"),
        E::Tied { .. } => (Code::FailedPrecondition, "TIED"),
        E::NoRestore { .. } => (Code::NotFound, "NO_RESTORE"),
        E::NothingKept { .. } => (Code::FailedPrecondition, "NOTHING_KEPT"),
        E::CutOff | E::Undone(_) => (Code::Aborted, "UNDONE"),
        E::RestoreStuck(_) => (Code::FailedPrecondition, "RESTORE_STUCK"),
        E::Restoring { .. } | E::Copying { .. } => (Code::Aborted, "SERVER"),
        E::Check { .. } => (Code::Aborted, "CHECK"),
    };
    (code, Cow::Borrowed(reason))
}

fn released(source: &EngineError) -> (Code, Cow<'static, str>) {
    let told = RichError::from_status(&engine(source));
    // That an app's files cannot be read any more is no mistake of who asks for a backup.
    let code = if told.code == Code::InvalidArgument { Code::FailedPrecondition } else { told.code };
    (code, Cow::Owned(told.reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::{AppName, ServiceName};

    fn app() -> AppName {
        AppName::new("shop").unwrap()
    }

    #[test]
    fn a_status_tells_what_why_and_what_to_do() {
        let services = vec![ServiceName::new("db"), ServiceName::new("stock")];
        let told = RichError::from_status(&backup(&BackupError::Which { app: app(), services }));
        assert_eq!((told.code, told.reason.as_str()), (Code::InvalidArgument, "WHICH_SERVICE"));
        assert!(told.hint.contains("db, stock"), "{told:?}");
    }

    #[test]
    fn an_app_that_is_not_here_is_not_found() {
        let gone = BackupError::Release { app: app(), source: Box::new(EngineError::NoApp(app())) };
        let told = RichError::from_status(&backup(&gone));
        assert_eq!((told.code, told.reason.as_str()), (Code::NotFound, "NO_APP"));
    }

    #[test]
    fn a_key_that_was_erased_after_a_verification_has_a_reason_of_its_own() {
        let id = "20261122T030000Z-4f2a91c0".parse().unwrap();
        let reason =
            |verified_at| RichError::from_status(&backup(&BackupError::NoKey { id, verified_at })).reason;
        assert_eq!(reason(Some(jiff::Timestamp::UNIX_EPOCH)), "ALREADY_VERIFIED");
        assert_eq!(reason(None), "NO_KEY");
    }
}
