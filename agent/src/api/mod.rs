//! The gRPC services: thin handlers that convert, check the app's grant, make one call, and convert back.
//!
//! Owns nothing but the edge: who may call stands in `tidegate_proto::roles` and is applied by [`authorise`]; what is
//! done stands in the modules that the handlers call. Must not decide anything.

mod agent;
mod audit;
pub mod authorise;
pub mod caller;
mod convert;
mod deadline;
mod enrolment;
mod errors;
mod exec;
mod info;
mod logs;
mod renewal;
mod stream;

use std::{path::PathBuf, sync::Arc};

pub use agent::AgentService;
pub use enrolment::EnrolmentService;

use crate::{
    audit::AuditLog, clock::Clock, docker_stream::DockerStreams, exec::host::HostExec, host::HostFacts,
    trust::Trust,
};

/// What the handlers work with. One for the whole agent.
#[derive(Debug)]
pub struct Context {
    /// Who the agent is.
    pub trust: Arc<Trust>,
    /// Who did what.
    pub audit: AuditLog,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Commands on the droplet.
    pub host_exec: HostExec,
    /// What this machine is.
    pub host: HostFacts,
    /// Docker.
    pub docker: DockerHandle,
}

/// Docker's API, connected to when it is first needed: it may start later than the agent, or be away for a while.
#[derive(Debug)]
pub struct DockerHandle {
    socket: PathBuf,
    client: tokio::sync::OnceCell<bollard::Docker>,
}

/// Docker does not answer.
#[derive(Debug, thiserror::Error)]
#[error("Docker does not answer on {}", .socket.display())]
pub struct DockerAway {
    socket: PathBuf,
    source: bollard::errors::Error,
}

impl DockerHandle {
    /// Docker behind this socket.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, client: tokio::sync::OnceCell::new() }
    }

    /// The client.
    ///
    /// # Errors
    /// When Docker does not answer.
    pub async fn client(&self) -> Result<&bollard::Docker, DockerAway> {
        const ANSWER_SECONDS: u64 = 120;
        let connect = async || {
            let path = self.socket.to_string_lossy();
            let client =
                bollard::Docker::connect_with_unix(&path, ANSWER_SECONDS, bollard::API_DEFAULT_VERSION)?;
            client.negotiate_version().await
        };
        let away = |source| DockerAway { socket: self.socket.clone(), source };
        self.client.get_or_try_init(connect).await.map_err(away)
    }

    /// Client and raw streams.
    ///
    /// # Errors
    /// When Docker does not answer.
    pub async fn streams(&self) -> Result<(bollard::Docker, DockerStreams), DockerAway> {
        let client = self.client().await?.clone();
        Ok((client.clone(), DockerStreams::new(client, self.socket.clone())))
    }
}
