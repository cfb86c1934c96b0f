//! Errors of commands, in containers and on the droplet.

use tonic::{Code, Status};

use super::{RichError, disk, rich};
use crate::exec::{
    CommandError,
    container::{ContainerExecError, TargetError},
    host::HostExecError,
};

pub(in crate::api) fn command(error: &CommandError) -> Status {
    let place = match error {
        CommandError::Empty | CommandError::Nul(_) | CommandError::TooLong { .. } => "command",
        CommandError::VariableName(_) => "environment",
        CommandError::User(_) => "user",
        CommandError::WorkingDirectory(_) => "working_directory",
    };
    rich(Code::InvalidArgument, "COMMAND", error).at(place).into()
}

fn target(error: &TargetError) -> RichError {
    let status = "`tidegate status` shows what runs";
    match error {
        TargetError::Docker { .. } => rich(Code::Unavailable, "DOCKER", error),
        TargetError::NoApp { .. } => {
            rich(Code::NotFound, "NO_APP", error).hint("deploy it first: `tidegate deploy`")
        }
        TargetError::NoService { .. } => rich(Code::NotFound, "NO_SERVICE", error).hint(status),
        TargetError::NoIndex { .. } => rich(Code::NotFound, "NO_CONTAINER", error).hint(status),
        TargetError::NotRunning { service, .. } => {
            rich(Code::FailedPrecondition, "NOT_RUNNING", error).hint(format!(
                "`tidegate logs {service}` tells why it stopped; `tidegate run` starts a container of its own"
            ))
        }
    }
}

pub(in crate::api) fn container_exec(error: &ContainerExecError) -> Status {
    match error {
        ContainerExecError::Target(source) => target(source),
        ContainerExecError::Docker { .. } | ContainerExecError::Start(_) => {
            rich(Code::Unavailable, "DOCKER", error)
        }
        ContainerExecError::Timeout { .. } => {
            rich(Code::DeadlineExceeded, "DOCKER_SLOW", error).hint("the droplet may be under heavy load")
        }
        ContainerExecError::Lost => rich(Code::Aborted, "COMMAND_LOST", error)
            .hint("Docker may have been restarted: look whether the command did its work"),
    }
    .into()
}

pub(in crate::api) fn host_exec(error: &HostExecError) -> Status {
    match error {
        HostExecError::NoUser(_) | HostExecError::Group(_) => {
            rich(Code::InvalidArgument, "USER", error).at("user")
        }
        HostExecError::Stdio { .. } => {
            rich(Code::ResourceExhausted, "STDIO", error).hint("too many commands may be running at once")
        }
        HostExecError::Variables(_) => disk(Code::Unavailable, "STORAGE", error),
        HostExecError::Systemd(_) => rich(Code::Unavailable, "SYSTEMD", error)
            .hint("on the droplet: `systemctl status dbus`, `journalctl -u tidegate-agent`"),
        HostExecError::Handover(_) => rich(Code::Aborted, "COMMAND_LOST", error)
            .hint("look whether the command did its work before you repeat it: the droplet is very busy"),
    }
    .into()
}
