//! How a command in a container ended, and ending one: Docker has no call for that.
//!
//! Owns waiting for Docker's note of an exit, and the signal to a command's process on the droplet.

use std::time::Duration;

use bollard::models::ExecInspectResponse;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{
    Docker, DockerError,
    client::{CALL, within},
};

/// Between looks at a command whose output has ended and whose exit Docker has not noted yet.
const LOOK: Duration = Duration::from_millis(50);

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
