//! Errors of asking for timers.

use tonic::{Code, Status};

use super::RichError;
use crate::{systemd::SystemdError, timers::UnitFilesError};

const WHAT: &str = "the timers cannot be told";

pub(in crate::api) fn systemd(error: &SystemdError) -> Status {
    let code = match error {
        SystemdError::Bus(_) | SystemdError::Call { .. } => Code::Unavailable,
        SystemdError::NotStarted(_) | SystemdError::Lost => Code::Aborted,
        SystemdError::Form(_) => Code::Internal,
    };
    RichError::new(code, "SYSTEMD", WHAT)
        .caused_by(error)
        .hint("on the droplet: `systemctl status dbus`, `systemctl list-timers 'tidegate-*'`")
        .into()
}

pub(in crate::api) fn unit_files(error: &UnitFilesError) -> Status {
    match error {
        UnitFilesError::Read { .. }
        | UnitFilesError::Write { .. }
        | UnitFilesError::Directory { .. }
        | UnitFilesError::Template { .. }
        | UnitFilesError::Remove { .. } => RichError::new(Code::Unavailable, "UNIT_FILES", WHAT)
            .caused_by(error)
            .hint("look at the directory of systemd's units on the droplet, then at the agent's journal")
            .into(),
    }
}
