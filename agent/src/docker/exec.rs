//! A command in a container through Docker's exec: attaching to it, how it ended, and ending it, for which Docker has no call.
//!
//! Owns waiting for Docker's note of an exit, and the signal to a command's process on the droplet. Must not know what the
//! command is for.

use std::{pin::Pin, time::Duration};

use bollard::{container::LogOutput, errors::Error, exec::StartExecResults, models::ExecInspectResponse};
use futures::Stream;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::AsyncWrite;

use super::{
    Docker, DockerError,
    client::{CALL, within},
};

/// Between looks at a command whose output has ended and whose exit Docker has not noted yet.
const LOOK: Duration = Duration::from_millis(50);

/// What a command writes, and what it reads.
pub(super) type Streams =
    (Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>, Pin<Box<dyn AsyncWrite + Send>>);

/// Starts a command that was made, and attaches to it.
pub(super) async fn attach(api: &bollard::Docker, doing: &str, id: &str) -> Result<Streams, DockerError> {
    match within(doing, CALL, api.start_exec(id, None)).await? {
        StartExecResults::Attached { output, input } => Ok((output, input)),
        StartExecResults::Detached => {
            let message = "Docker did not attach to the command".to_owned();
            Err(DockerError::Refused { doing: doing.to_owned(), message })
        }
    }
}

/// The exit code of a command whose output has ended. The caller sets the deadline.
pub(super) async fn exit_code(api: &bollard::Docker, doing: &str, id: &str) -> Result<i64, DockerError> {
    loop {
        let found: ExecInspectResponse = within(doing, CALL, api.inspect_exec(id)).await?;
        match found.exit_code {
            Some(exit_code) if found.running != Some(true) => return Ok(exit_code),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Kills a command's process, should it still run.
pub(super) async fn kill(docker: &Docker, doing: &str, id: &str) -> Result<(), DockerError> {
    let api = docker.api().await?;
    let found: ExecInspectResponse = within(doing, CALL, api.inspect_exec(id)).await?;
    let pid = found.pid.filter(|_| found.running == Some(true)).and_then(|pid| i32::try_from(pid).ok());
    // The descriptor stays with the process, should its number be given to another one meanwhile.
    let process = pid.and_then(Pid::from_raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    if let Some(process) = process
        && let Err(error) = pidfd_send_signal(&process, Signal::KILL)
    {
        tracing::debug!(doing, %error, "a command ended by itself");
    }
    Ok(())
}
