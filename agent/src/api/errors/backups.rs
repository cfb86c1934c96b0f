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
    let (code, reason) = match error {
        BackupError::Release { source, .. } => return released(source),
        BackupError::NotEnrolled => (Code::FailedPrecondition, "NOT_ENROLLED"),
        BackupError::NobodyAsks(_) => (Code::NotFound, "NO_BACKUPS"),
        BackupError::NotAsked { .. } => (Code::NotFound, "NO_SERVICE"),
        BackupError::NoBackup { .. } | BackupError::NoSuchId(_) | BackupError::NothingElsewhere { .. } => {
            (Code::NotFound, "NO_BACKUP")
        }
        BackupError::Which { .. } => (Code::InvalidArgument, "WHICH_SERVICE"),
        BackupError::Unsupported { .. } => (Code::FailedPrecondition, "UNSUPPORTED"),
        BackupError::Recipients { .. } => (Code::FailedPrecondition, "RECIPIENTS"),
        BackupError::Keep { .. } => (Code::FailedPrecondition, "KEEP"),
        BackupError::Busy { .. } => (Code::Aborted, "BUSY"),
        BackupError::NotRunning { .. } => (Code::FailedPrecondition, "NOT_RUNNING"),
        BackupError::Server { .. } => (Code::FailedPrecondition, "SERVER"),
        BackupError::NoDatabase(_) | BackupError::MissingDatabase { .. } => {
            (Code::FailedPrecondition, "NO_DATABASE")
        }
        BackupError::Space { .. } => (Code::ResourceExhausted, "SPACE"),
        BackupError::Destination(_) | BackupError::NoDestination(_) => (Code::Unavailable, "DESTINATION"),
        BackupError::Name(_) => (Code::FailedPrecondition, "NAME"),
        BackupError::Dump { .. } | BackupError::Seal { .. } | BackupError::Manifest(_) => {
            (Code::Aborted, "DUMP")
        }
        BackupError::Timeout { .. } => (Code::DeadlineExceeded, "TIMEOUT"),
        BackupError::Database { .. } => (Code::Unavailable, "DATABASE"),
        BackupError::Docker(_) => (Code::Unavailable, "DOCKER"),
        BackupError::NothingToVerify { .. } | BackupError::NotStored { .. } => {
            (Code::FailedPrecondition, "NOT_STORED")
        }
        BackupError::NoKey { verified_at: Some(_), .. } => (Code::FailedPrecondition, "ALREADY_VERIFIED"),
        BackupError::NoKey { verified_at: None, .. } => (Code::FailedPrecondition, "NO_KEY"),
        BackupError::MissingKey { .. } => (Code::InvalidArgument, "MISSING_KEY"),
        BackupError::Key { .. } => (Code::DataLoss, "KEY"),
        BackupError::NoCopy { .. } => (Code::DataLoss, "NO_COPY"),
        BackupError::Damaged { .. } => (Code::DataLoss, "DAMAGED"),
        BackupError::Differs { .. } => (Code::DataLoss, "DIFFERS"),
        BackupError::Unread { .. } => (Code::Unavailable, "UNREAD"),
        BackupError::Scratch(_) => (Code::Aborted, "SCRATCH"),
        BackupError::Restore { .. } => (Code::Aborted, "RESTORE"),
        BackupError::ScrubMany { .. } => (Code::InvalidArgument, "SCRUB_MANY"),
        BackupError::Scrub { .. } => (Code::Aborted, "SCRUB"),
        BackupError::NewerServer { .. } => (Code::FailedPrecondition, "NEWER_SERVER"),
        BackupError::OtherEngine { .. } => (Code::FailedPrecondition, "OTHER_ENGINE"),
        BackupError::NoWayBack { .. } => (Code::FailedPrecondition, "NO_WAY_BACK"),
        BackupError::NoScrub { .. } | BackupError::NoDatabases { .. } => (Code::InvalidArgument, "ENGINE"),
        BackupError::Changed { .. } => (Code::FailedPrecondition, "CHANGED"),
        BackupError::NotInBackup { .. } => (Code::NotFound, "NO_DATABASE"),
        BackupError::IntoMany { .. } => (Code::InvalidArgument, "INTO_MANY"),
        BackupError::IntoName { .. } => (Code::InvalidArgument, "INTO_NAME"),
        BackupError::IntoTaken { .. } => (Code::AlreadyExists, "INTO_TAKEN"),
        BackupError::Tied { .. } => (Code::FailedPrecondition, "TIED"),
        BackupError::NoRestore { .. } => (Code::NotFound, "NO_RESTORE"),
        BackupError::NothingKept { .. } => (Code::FailedPrecondition, "NOTHING_KEPT"),
        BackupError::CutOff | BackupError::Undone(_) => (Code::Aborted, "UNDONE"),
        BackupError::RestoreStuck(_) => (Code::FailedPrecondition, "RESTORE_STUCK"),
        BackupError::Restoring { .. } | BackupError::Copying { .. } => (Code::Aborted, "SERVER"),
        BackupError::Check { .. } => (Code::Aborted, "CHECK"),
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
