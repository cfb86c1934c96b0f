//! Signals to a command in a container: Docker has no call for that, so they go to its process on the droplet.
//!
//! Owns the way from an exec instance to its process. Must not end up at another process that got the same number.

use std::time::Duration;

use bollard::models::ExecInspectResponse;
use rustix::process::{Pid, PidfdFlags, Signal as SystemSignal, pidfd_open, pidfd_send_signal};
use tokio::{net::unix::pipe::Receiver, time::timeout};
use tracing::debug;

use crate::exec::Signal;

/// How long a command has to end by itself when its caller is gone.
const GRACE: Duration = Duration::from_secs(5);

fn open(inspected: &ExecInspectResponse) -> Option<std::os::fd::OwnedFd> {
    // The number was read while the command ran; if it has ended since, its process id can hardly be in use again
    // already, and the descriptor stays with whatever it was opened for.
    if inspected.running != Some(true) {
        return None;
    }
    let pid = Pid::from_raw(i32::try_from(inspected.pid?).ok()?)?;
    pidfd_open(pid, PidfdFlags::NONBLOCK).ok()
}

/// Sends a signal; a command that has ended needs none.
pub(super) fn signal(inspected: &ExecInspectResponse, signal: Signal) {
    let Some(process) = open(inspected) else { return };
    let Some(number) = system_signal(signal.number()) else { return };
    if let Err(error) = pidfd_send_signal(&process, number) {
        debug!(%error, "a signal did not arrive");
    }
}

/// Ends the command, by force if need be.
pub(super) async fn end(inspected: &ExecInspectResponse) {
    let Some(process) = open(inspected) else { return };
    // HUP is what a terminal that goes away sends, TERM is for those that ignore it.
    for number in [SystemSignal::HUP, SystemSignal::TERM] {
        pidfd_send_signal(&process, number).ok();
    }
    // Not a pipe, but readable once, like one: when the process has ended.
    let Ok(watched) = process.try_clone().and_then(|copy| Receiver::from_file_unchecked(copy.into())) else {
        return;
    };
    if timeout(GRACE, watched.readable()).await.is_err() {
        pidfd_send_signal(&process, SystemSignal::KILL).ok();
    }
}

fn system_signal(number: i32) -> Option<SystemSignal> {
    // Real-time signals have a meaning to the C library alone.
    SystemSignal::from_named_raw(number)
}
