//! Commands on the droplet itself, each in a transient systemd unit, so outside the agent's own sandboxing.
//!
//! Owns the unit from its start to its end. Must not know who asked. The command gets pipes or a terminal that the agent
//! made; its end is told by systemd's signals, never by asking again and again. A plain command is handed to a unit that was
//! made ready after the last one, where there is one.

mod environment_file;
pub mod handover;
mod program;
mod standby;
mod stdio;
mod systemd;
mod unit;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{net::unix::pipe::Sender, time::timeout};
use tracing::{debug, info};

pub use crate::systemd::SystemdError;

use self::{
    environment_file::EnvironmentFile,
    handover::HandoverError,
    program::Start,
    standby::{Standby, Waiting},
    stdio::{Stdio, Theirs},
    systemd::UnitWatch,
};
use super::{Command, ExitCode, Input, Output, Session, stdin::StdinQueue};
use crate::systemd::Systemd;

/// After the command ended, output that is still on its way is waited for this long: a process that it left behind in
/// another unit may hold its end of the pipe for ever.
const DRAIN: Duration = Duration::from_secs(2);

/// Why a command could not be run on the droplet.
#[derive(Debug, thiserror::Error)]
pub enum HostExecError {
    /// The user does not exist.
    #[error("there is no user {0:?} on this droplet")]
    NoUser(String),
    /// A group cannot be given.
    #[error("{0:?} names a group: on the droplet a command runs with the user's own groups")]
    Group(String),
    /// Pipes or a terminal could not be made.
    #[error("could not make {what} for the command")]
    Stdio {
        /// Pipe or terminal.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Variables could not be handed over.
    #[error("could not write the command's variables for systemd")]
    Variables(#[source] std::io::Error),
    /// systemd did not do what was asked.
    #[error("systemd did not run the command")]
    Systemd(#[source] SystemdError),
    /// The unit that was ready took the command, maybe.
    #[error("the command may have run, or not")]
    Handover(#[source] HandoverError),
}

/// Runs commands on the droplet. One for the whole agent: it keeps its connection to systemd.
#[derive(Debug)]
pub struct HostExec {
    systemd: Arc<Systemd>,
    standby: Arc<Standby>,
    runtime_directory: PathBuf,
    passwd: PathBuf,
}

impl HostExec {
    /// Connects when the first command comes. `runtime_directory` is the agent's own, on a tmpfs, root-only; `program` its file.
    pub fn new(runtime_directory: PathBuf, program: PathBuf) -> Self {
        let systemd = Arc::default();
        let standby = Arc::new(Standby::new(Arc::clone(&systemd), program));
        Self { systemd, standby, runtime_directory, passwd: PathBuf::from("/etc/passwd") }
    }

    /// Runs `command` until it ends or its caller is gone. `actor` is named in the journal.
    ///
    /// # Errors
    /// When it could not be started. How it ended, even when it was not found, is told as [`Output::Exit`].
    pub async fn run(&self, command: &Command, actor: &str, session: Session) -> Result<(), HostExecError> {
        self.check_user(command)?;
        let (ours, theirs) = Stdio::open(command)?;
        let Started { name, watch, variables } = self.start(command, actor, &theirs).await?;
        // The command has duplicates of the pipes; while ours are open, the output has no end.
        let keep_open = theirs.after_start();
        info!(unit = name, actor, "a command runs on the droplet");
        let running = Running { systemd: &self.systemd, name: &name, watch, ours };
        let outcome = running.converse(session, keep_open).await.map_err(HostExecError::Systemd);
        drop(variables);
        // Nobody waits for these.
        let (systemd, standby) = (Arc::clone(&self.systemd), Arc::clone(&self.standby));
        tokio::spawn(async move {
            systemd.release(&name).await;
            standby.prepare();
        });
        outcome
    }

    async fn start(&self, command: &Command, actor: &str, theirs: &Theirs) -> Result<Started, HostExecError> {
        let start = program::start(command, &self.passwd, &program::DIRECTORIES);
        if let Some(started) = self.hand_over(command, theirs, &start).await? {
            return Ok(started);
        }
        let name = unit_name();
        let variables = environment_file::write(&self.runtime_directory, &name, command.environment())
            .map_err(HostExecError::Variables)?;
        let file = variables.as_ref().map(EnvironmentFile::path);
        let properties = unit::properties(command, actor, theirs, file, &start);
        let watch = self.systemd.start(&name, properties).await.map_err(HostExecError::Systemd)?;
        Ok(Started { name, watch, variables })
    }

    /// Gives the command to the unit that waits; `None` when there is none, or the command needs one of its own.
    async fn hand_over(
        &self,
        command: &Command,
        theirs: &Theirs,
        start: &Start,
    ) -> Result<Option<Started>, HostExecError> {
        let (None, Some(descriptors)) = (command.user(), theirs.descriptors()) else { return Ok(None) };
        let Some(Waiting { name, watch, socket }) = self.standby.take().await else { return Ok(None) };
        let handover = unit::handover(command, start);
        match handover.send(socket, &descriptors).await {
            Ok(()) => Ok(Some(Started { name, watch, variables: None })),
            Err(error @ HandoverError::NotBegun(_)) => {
                debug!(unit = name, %error, "the command gets a unit of its own");
                self.systemd.release(&name).await;
                Ok(None)
            }
            Err(error @ HandoverError::Silent) => {
                self.systemd.stop(&name).await.map_err(HostExecError::Systemd)?;
                Err(HostExecError::Handover(error))
            }
        }
    }

    fn check_user(&self, command: &Command) -> Result<(), HostExecError> {
        let Some(user) = command.user() else { return Ok(()) };
        if user.contains(':') {
            return Err(HostExecError::Group(user.to_owned()));
        }
        // Without this systemd would fail later with a number. Where users come from elsewhere too (LDAP), numbers work.
        let known = user.chars().all(|c| c.is_ascii_digit())
            || fs_err::read_to_string(&self.passwd)
                .is_ok_and(|passwd| passwd.lines().any(|line| line.split(':').next() == Some(user)));
        if known { Ok(()) } else { Err(HostExecError::NoUser(user.to_owned())) }
    }
}

fn unit_name() -> String {
    format!("tidegate-exec-{}.service", uuid::Uuid::new_v4().simple())
}

/// A unit with a command in it.
struct Started {
    name: String,
    watch: UnitWatch,
    /// Until its end: systemd may read them late.
    variables: Option<EnvironmentFile>,
}

/// A unit that was started, and the agent's side of its command.
struct Running<'a> {
    systemd: &'a Systemd,
    name: &'a str,
    watch: UnitWatch,
    ours: Stdio,
}

impl Running<'_> {
    async fn converse(
        mut self,
        mut session: Session,
        keep_open: Option<std::os::fd::OwnedFd>,
    ) -> Result<(), SystemdError> {
        let outputs = session.outputs.clone();
        if outputs.send(Output::Started(self.name.to_owned())).await.is_err() {
            return self.systemd.stop(self.name).await;
        }
        let mut pumps = self.ours.spawn_pumps(&outputs);
        let mut queue = self.ours.take_stdin();
        let mut more_input = true;
        let exit = loop {
            tokio::select! {
                exit = self.watch.ended(self.systemd) => break exit?,
                () = outputs.closed() => return self.systemd.stop(self.name).await,
                () = queue.advance(), if queue.is_busy() => {}
                input = session.inputs.recv(), if more_input && queue.has_room() => {
                    more_input = input.is_some();
                    self.take(input.unwrap_or(Input::StdinClosed), &mut queue).await?;
                }
            }
        };
        drop(keep_open);
        let drained = timeout(DRAIN, async { while pumps.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            debug!(unit = self.name, "a process left behind still holds the command's output");
        }
        pumps.abort_all();
        // A caller that went in this very moment has nobody to tell.
        outputs.send(Output::Exit(exit)).await.ok();
        Ok(())
    }

    async fn take(&self, input: Input, queue: &mut StdinQueue<Sender>) -> Result<(), SystemdError> {
        match input {
            Input::Stdin(chunk) => queue.push(chunk),
            Input::StdinClosed => self.ours.close_stdin(queue),
            Input::Resize(size) => self.ours.resize(size),
            Input::Signal(signal) => self.systemd.signal(self.name, signal).await?,
        }
        Ok(())
    }
}

/// What systemd tells about a main process that ended.
fn exit_code(code: i32, status: i32) -> Option<ExitCode> {
    const EXITED: i32 = 1;
    const KILLED: i32 = 2;
    const DUMPED: i32 = 3;
    let status = u8::try_from(status).ok()?;
    match code {
        EXITED => Some(ExitCode::exited(status)),
        KILLED | DUMPED => Some(ExitCode::signalled(status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(exit_code(1, 0).map(ExitCode::code), Some(0));
        assert_eq!(exit_code(1, 127).map(ExitCode::code), Some(127));
        assert_eq!(exit_code(2, 15).map(ExitCode::code), Some(143));
        assert_eq!(exit_code(3, 11).map(ExitCode::code), Some(139));
        assert_eq!(exit_code(0, 0), None);
    }

    #[test]
    fn an_unknown_user_is_refused_before_anything_is_started() {
        let directory = tempfile::tempdir().unwrap();
        let passwd = directory.path().join("passwd");
        fs_err::write(&passwd, "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/home/web:/bin/sh\n")
            .unwrap();
        let exec = HostExec { passwd, ..HostExec::new(directory.path().to_owned(), PathBuf::new()) };
        let check =
            |user| exec.check_user(&Command::new(vec!["id".into()]).unwrap().with_user(user).unwrap());
        assert!(check("").is_ok() && check("root").is_ok() && check("web").is_ok() && check("1000").is_ok());
        assert!(matches!(check("we"), Err(HostExecError::NoUser(_))));
        assert!(matches!(check("root:root"), Err(HostExecError::Group(_))));
    }
}
