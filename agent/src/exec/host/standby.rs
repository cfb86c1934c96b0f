//! A transient unit that is made ready while nobody waits, for the command that may follow.
//!
//! Owns the one unit that waits, its making and its end. Must not know commands.
//!
//! Most of the time of a short command is systemd's: on a small machine it makes a unit in a second or a good part of one. Who
//! has run one command soon runs another, so after each a unit is started in which the agent's own program waits to become
//! the next ([`super::handover`]). It goes away unused after [`KEPT`], or with the agent: its socket has an end then.

use std::{
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::sync::Mutex;
use tracing::debug;

use super::{HostExecError, systemd::UnitWatch, unit};
use crate::systemd::Systemd;

/// How long a unit waits for a command.
const KEPT: Duration = Duration::from_mins(1);

/// The unit that waits, if any.
#[derive(Debug)]
pub(super) struct Standby {
    systemd: Arc<Systemd>,
    /// The agent's own file.
    program: PathBuf,
    slot: Mutex<Option<Waiting>>,
}

/// A unit that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The unit's name.
    pub(super) name: String,
    /// What systemd tells of it.
    pub(super) watch: UnitWatch,
    /// Where it takes a command from.
    pub(super) socket: UnixStream,
}

impl Standby {
    pub(super) fn new(systemd: Arc<Systemd>, program: PathBuf) -> Self {
        Self { systemd, program, slot: Mutex::default() }
    }

    /// The unit that waits, or the one that is being started; whoever gets it has it alone.
    pub(super) async fn take(&self) -> Option<Waiting> {
        let waiting = self.slot.lock().await.take()?;
        // Its end would be told over the connection that started it.
        if self.systemd.is_connected().await { Some(waiting) } else { None }
    }

    /// Starts a unit, if none waits, and ends it when nobody has taken it for a while.
    pub(super) fn prepare(self: Arc<Self>) {
        tokio::spawn(async move {
            let name = match self.start().await {
                Ok(Some(name)) => name,
                Ok(None) => return,
                Err(error) => {
                    debug!(%error, "no unit waits for the next command");
                    return;
                }
            };
            tokio::time::sleep(KEPT).await;
            let mut slot = self.slot.lock().await;
            if slot.as_ref().is_some_and(|waiting| waiting.name == name) {
                // The end of its socket is its end.
                *slot = None;
                drop(slot);
                self.systemd.release(&name).await;
            }
        });
    }

    async fn start(&self) -> Result<Option<String>, HostExecError> {
        // Held until it runs: a command that comes meanwhile waits less for this one than for one of its own.
        let mut slot = self.slot.lock().await;
        if slot.is_some() {
            return Ok(None);
        }
        let stdio = |source| HostExecError::Stdio { what: "a socket", source };
        let (socket, theirs) = UnixStream::pair().map_err(stdio)?;
        let name = super::unit_name();
        let properties = unit::waiting(&self.program, theirs.as_fd());
        let watch = self.systemd.start(&name, properties).await.map_err(HostExecError::Systemd)?;
        *slot = Some(Waiting { name: name.clone(), watch, socket });
        Ok(Some(name))
    }
}
