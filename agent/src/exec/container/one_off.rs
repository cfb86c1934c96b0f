//! A command in a container of its own, made for it by the engine and not yet started.
//!
//! Owns the container from its start to its removal. Must not make it.

use bollard::{
    Docker,
    errors::Error,
    query_parameters::{
        KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, ResizeContainerTTYOptionsBuilder,
        StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptions,
    },
};
use futures::StreamExt;
use tracing::{debug, warn};

use super::{
    CALL_TIMEOUT, ContainerExecError, bounded,
    refusal::Refusal,
    session::{Handle, Running},
};
use crate::{
    docker_stream::DockerStreams,
    exec::{Command, ExitCode, Output, Session, Signal, TerminalSize},
};

/// How long a command has to end by itself when its caller is gone, in seconds.
const GRACE_SECONDS: i32 = 5;

/// Runs one-off containers.
#[derive(Debug, Clone)]
pub struct OneOffRun {
    docker: Docker,
    streams: DockerStreams,
}

impl OneOffRun {
    /// Both have to lead to the same daemon.
    pub fn new(docker: Docker, streams: DockerStreams) -> Self {
        Self { docker, streams }
    }

    /// Starts the container `name`, which was made for `command`, talks with it until it ends or its caller is gone, and
    /// removes it, however that went.
    ///
    /// # Errors
    /// When it could not be started. How it ended, even when its program was not found, is told as [`Output::Exit`].
    pub async fn run(
        &self,
        name: &str,
        command: &Command,
        session: Session,
    ) -> Result<(), ContainerExecError> {
        let outcome = self.converse(name, command, session).await;
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        if let Err(error) = bounded("remove", self.docker.remove_container(name, Some(options))).await {
            warn!(container = name, %error, "a one-off container could not be removed");
        }
        outcome
    }

    async fn converse(
        &self,
        name: &str,
        command: &Command,
        session: Session,
    ) -> Result<(), ContainerExecError> {
        // Attached before the start, so that nothing of the output is missed.
        let path = format!("/containers/{name}/attach?stream=true&stdin=true&stdout=true&stderr=true");
        let nothing = serde_json::Value::Null;
        let stream = self.streams.upgrade(&path, &nothing).await.map_err(ContainerExecError::Start)?;
        let start = self.docker.start_container(name, None::<StartContainerOptions>);
        match bounded("start", start).await {
            Ok(()) => debug!(container = name, "command started"),
            Err(error) => return refused(error, &session).await,
        }
        let handle = OneOff { docker: &self.docker, name };
        Running::new(handle, command, stream, session).converse().await
    }
}

/// Docker says at the start whether the program is there.
async fn refused(error: ContainerExecError, session: &Session) -> Result<(), ContainerExecError> {
    let ContainerExecError::Docker { source: Error::DockerResponseServerError { message, .. }, .. } = &error
    else {
        return Err(error);
    };
    let Some(refusal) = Refusal::at_start(message) else { return Err(error) };
    session.outputs.send(Output::Stderr(refusal.message())).await.ok();
    session.outputs.send(Output::Exit(refusal.exit_code())).await.ok();
    Ok(())
}

struct OneOff<'a> {
    docker: &'a Docker,
    name: &'a str,
}

impl Handle for OneOff<'_> {
    fn id(&self) -> &str {
        self.name
    }

    async fn resize(&self, size: TerminalSize) {
        let options =
            ResizeContainerTTYOptionsBuilder::default().h(size.rows.into()).w(size.columns.into()).build();
        if let Err(error) = bounded("resize", self.docker.resize_container_tty(self.name, options)).await {
            debug!(container = self.name, %error, "the terminal keeps its size");
        }
    }

    async fn signal(&self, signal: Signal) -> Result<(), ContainerExecError> {
        let options = KillContainerOptionsBuilder::default().signal(&signal.number().to_string()).build();
        match bounded("signal", self.docker.kill_container(self.name, Some(options))).await {
            // It has ended just before; its end is on its way.
            Err(error) if super::is_conflict(&error) => Ok(()),
            outcome => outcome,
        }
    }

    async fn exit(&self, _: Option<&Refusal>) -> Result<ExitCode, ContainerExecError> {
        let mut waited = self.docker.wait_container(self.name, None::<WaitContainerOptions>);
        let code = match tokio::time::timeout(CALL_TIMEOUT, waited.next()).await {
            Ok(Some(Ok(answer))) => answer.status_code,
            // To bollard a command that failed is an error.
            Ok(Some(Err(Error::DockerContainerWaitError { code, .. }))) => code,
            Ok(Some(Err(source))) => return Err(ContainerExecError::Docker { action: "wait for", source }),
            Ok(None) => return Err(ContainerExecError::Lost),
            Err(_) => return Err(ContainerExecError::Timeout { action: "wait for" }),
        };
        Ok(ExitCode::exited(u8::try_from(code).unwrap_or(u8::MAX)))
    }

    async fn end(&self) -> Result<(), ContainerExecError> {
        let options = StopContainerOptionsBuilder::default().t(GRACE_SECONDS).build();
        bounded("stop", self.docker.stop_container(self.name, Some(options))).await
    }
}
