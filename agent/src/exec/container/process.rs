//! Signals to a command in a container: Docker has no call for that, so they go to its process on the droplet.
//!
//! Owns the handle on that process. Must not end up at another process that got the same number.

use std::{os::fd::OwnedFd, time::Duration};

use rustix::process::{Pid, PidfdFlags, Signal as SystemSignal, pidfd_open, pidfd_send_signal};
use tokio::{net::unix::pipe::Receiver, time::timeout};
use tracing::debug;

use crate::exec::Signal;

/// How long a command has to end by itself when its caller is gone.
const GRACE: Duration = Duration::from_secs(5);

/// A process, by a descriptor that stays with it.
pub(super) struct Process(OwnedFd);

impl Process {
    /// `pid` as Docker just gave it for a running command: should that have ended since, its number can hardly be in use
    /// again already. `None` when there is no such process.
    pub(super) fn open(pid: i64) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        pidfd_open(pid, PidfdFlags::NONBLOCK).ok().map(Self)
    }

    /// Sends a signal; a command that has ended needs none. Real-time signals have a meaning to the C library alone.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(number) = SystemSignal::from_named_raw(signal.number()) else {
            return;
        };
        if let Err(error) = pidfd_send_signal(&self.0, number) {
            debug!(%error, "a signal did not arrive");
        }
    }

    /// Ends the command, by force if need be.
    pub(super) async fn end(&self) {
        // HUP is what a terminal that goes away sends, TERM is for those that ignore it.
        for number in [SystemSignal::HUP, SystemSignal::TERM] {
            pidfd_send_signal(&self.0, number).ok();
        }
        // Not a pipe, but readable once, like one: when the process has ended.
        let copy = self.0.try_clone().and_then(|copy| Receiver::from_file_unchecked(copy.into()));
        let Ok(watched) = copy else { return };
        if timeout(GRACE, watched.readable()).await.is_err() {
            pidfd_send_signal(&self.0, SystemSignal::KILL).ok();
        }
    }
}
