//! Commands in a service's running container, through Docker's exec.
//!
//! Owns the exec instance from its start to its end. Must not know who asked.

mod one_off;
mod outputs;
mod process;
mod refusal;
mod session;
mod target;

use std::time::Duration;

use bollard::{
    Docker,
    exec::ResizeExecOptions,
    models::{ExecConfig, ExecInspectResponse},
};
use serde_json::json;
use tokio::time::timeout;
use tracing::debug;

pub use one_off::OneOffRun;
pub use target::{Target, TargetError};

use self::{
    process::Process,
    refusal::Refusal,
    session::{Handle, Running},
};
use super::{Command, ExitCode, Session, Signal, Stdin, TerminalSize};
use crate::docker_stream::{DockerStreams, StreamError};

/// Docker answers in milliseconds; on a machine under heavy load in seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Between looks at an exec instance whose state Docker has not noted yet. The first look nearly always is enough.
const WAITS: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// Why a command could not be run in a container.
#[derive(Debug, thiserror::Error)]
pub enum ContainerExecError {
    /// There is no such container, or it does not run.
    #[error("no container for the command")]
    Target(#[source] TargetError),
    /// A call to Docker failed.
    #[error("Docker could not {action} the command")]
    Docker {
        /// Create, inspect.
        action: &'static str,
        /// What bollard said.
        source: bollard::errors::Error,
    },
    /// Docker took too long.
    #[error("Docker did not {action} the command within {} s", CALL_TIMEOUT.as_secs())]
    Timeout {
        /// Create, inspect.
        action: &'static str,
    },
    /// There is no stream to the command.
    #[error("Docker did not start the command")]
    Start(#[source] StreamError),
    /// The stream broke, or Docker does not know how the command ended.
    #[error("Docker lost the command: it is not known how it ended")]
    Lost,
}

/// Runs commands in containers.
#[derive(Debug, Clone)]
pub struct ContainerExec {
    docker: Docker,
    streams: DockerStreams,
}

impl ContainerExec {
    /// Both have to lead to the same daemon.
    pub fn new(docker: Docker, streams: DockerStreams) -> Self {
        Self { docker, streams }
    }

    /// Runs `command` in the target's container until it ends or its caller is gone.
    ///
    /// # Errors
    /// When it could not be started. How it ended, even when it was not found, is told as [`Output::Exit`].
    pub async fn run(
        &self,
        target: &Target,
        command: &Command,
        session: Session,
    ) -> Result<(), ContainerExecError> {
        let id = self.create(target, command).await?;
        let body = json!({"Detach": false, "Tty": command.terminal().is_some()});
        let path = format!("/exec/{id}/start");
        let stream = self.streams.upgrade(&path, &body).await.map_err(ContainerExecError::Start)?;
        debug!(exec = id, "command started");
        let instance = Instance { exec: self, id };
        Running::new(instance, command, stream, session).converse().await
    }

    async fn create(&self, target: &Target, command: &Command) -> Result<String, ContainerExecError> {
        let find = || async { target::find(&self.docker, target).await.map_err(ContainerExecError::Target) };
        let found = find().await?;
        match bounded("create", self.docker.create_exec(&found.id, config(command))).await {
            Ok(created) => Ok(created.id),
            Err(error) if is_conflict(&error) => {
                // It stopped since: the second look says so in better words than Docker's.
                find().await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

async fn bounded<T>(
    action: &'static str,
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, ContainerExecError> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(outcome) => outcome.map_err(|source| ContainerExecError::Docker { action, source }),
        Err(_) => Err(ContainerExecError::Timeout { action }),
    }
}

fn is_conflict(error: &ContainerExecError) -> bool {
    use bollard::errors::Error::DockerResponseServerError as Answer;

    matches!(error, ContainerExecError::Docker { source: Answer { status_code: 409, .. }, .. })
}

fn config(command: &Command) -> ExecConfig {
    let mut environment: Vec<String> =
        command.environment().iter().map(|(name, value)| format!("{name}={value}")).collect();
    if command.terminal().is_some() && !command.environment().contains_key("TERM") {
        environment.push("TERM=xterm-256color".to_owned());
    }
    ExecConfig {
        attach_stdin: Some(command.stdin() == Stdin::Open),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(command.terminal().is_some()),
        // Known from the start; a resize after it would come too late for a program that asks at once.
        console_size: command.terminal().map(|size| vec![usize::from(size.rows), usize::from(size.columns)]),
        env: Some(environment),
        cmd: Some(command.argv().to_vec()),
        user: command.user().map(str::to_owned),
        working_dir: command.working_directory().map(str::to_owned),
        ..ExecConfig::default()
    }
}

/// A command that was started, as Docker knows it.
struct Instance<'a> {
    exec: &'a ContainerExec,
    id: String,
}

impl Instance<'_> {
    async fn inspect(&self) -> Result<ExecInspectResponse, ContainerExecError> {
        bounded("inspect", self.exec.docker.inspect_exec(&self.id)).await
    }

    /// Its process on the droplet; `None` when it has ended.
    async fn process(&self) -> Result<Option<Process>, ContainerExecError> {
        // A command may well run, and write, before Docker notes its process id.
        for wait in WAITS {
            tokio::time::sleep(wait).await;
            let inspected = self.inspect().await?;
            let pid = inspected.pid.unwrap_or(0);
            if inspected.running != Some(true) {
                return Ok(None);
            }
            if pid != 0 {
                return Ok(Process::open(pid));
            }
        }
        Err(ContainerExecError::Lost)
    }
}

impl Handle for Instance<'_> {
    fn id(&self) -> &str {
        &self.id
    }

    async fn resize(&self, size: TerminalSize) {
        let options = ResizeExecOptions { height: size.rows, width: size.columns };
        if let Err(error) = bounded("resize", self.exec.docker.resize_exec(&self.id, options)).await {
            debug!(exec = self.id, %error, "the terminal keeps its size");
        }
    }

    async fn signal(&self, signal: Signal) -> Result<(), ContainerExecError> {
        if let Some(process) = self.process().await? {
            process.signal(signal);
        }
        Ok(())
    }

    async fn exit(&self, refusal: Option<&Refusal>) -> Result<ExitCode, ContainerExecError> {
        // Docker ends the stream after it has noted the exit code; the waits are for versions that do not keep to that.
        for wait in WAITS {
            tokio::time::sleep(wait).await;
            let inspected = self.inspect().await?;
            if let Some(refusal) = refusal.filter(|_| inspected.pid.unwrap_or(0) == 0) {
                return Ok(refusal.exit_code());
            }
            if inspected.running == Some(false)
                && let Some(code) = inspected.exit_code
            {
                return Ok(ExitCode::exited(u8::try_from(code).unwrap_or(u8::MAX)));
            }
        }
        Err(ContainerExecError::Lost)
    }

    async fn end(&self) -> Result<(), ContainerExecError> {
        if let Some(process) = self.process().await? {
            process.end().await;
        }
        Ok(())
    }
}
