//! The gRPC services: thin handlers that convert, check the app's grant, make one call, and convert back.
//!
//! Owns nothing but the edge: who may call stands in `tidegate_proto::roles` and is applied by [`authorise`]; what is
//! done stands in the modules that the handlers call. Must not decide anything.

mod agent;
mod alerts;
mod audit;
pub mod authorise;
mod backups;
mod buckets;
pub mod caller;
mod convert;
mod deadline;
mod deed;
mod deploy;
mod enrolment;
mod errors;
mod exec;
mod followed;
mod health;
mod info;
mod logs;
mod maintenance;
mod releases;
mod renewal;
mod restores;
mod rollback;
mod status;
mod stream;
mod timers;
mod together;

use std::{path::PathBuf, sync::Arc};

pub use agent::AgentService;
pub(crate) use deploy::audit_end;
pub use enrolment::EnrolmentService;

use tidegate_proto::names;
use tonic::Status;

use self::caller::Caller;
use crate::{
    alerts::Alerts, apps::AppName, audit::AuditLog, backup_runs::BackupRuns, clock::Clock,
    docker_stream::DockerStreams, exec::host::HostExec, health::Health, host::HostFacts, release::Engine,
    systemd::Systemd, timers::UnitFiles, trust::Trust,
};

/// What the handlers work with. One for the whole agent.
pub struct Context {
    /// Who the agent is.
    pub trust: Arc<Trust>,
    /// Who did what.
    pub audit: AuditLog,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Commands on the droplet.
    pub host_exec: Arc<HostExec>,
    /// What this machine is.
    pub host: HostFacts,
    /// Releases.
    pub engine: Engine,
    /// Who is told what health finds.
    pub alerts: Alerts,
    /// Backups.
    pub backups: BackupRuns,
    /// How the droplet and its apps are.
    pub health: Health,
    /// The droplet's systemd.
    pub systemd: Arc<Systemd>,
    /// Where the times of timers stand.
    pub units: UnitFiles,
    /// Docker's unix socket.
    pub docker_socket: PathBuf,
}

impl Context {
    /// Whether the caller may call the RPC for the app; the app's name as the agent's own type.
    fn may(&self, caller: &Caller, rpc: &str, app: &str) -> Result<AppName, Status> {
        let name: names::AppName = app.parse().map_err(|error| errors::bad_field("app", &error))?;
        caller.may(self.trust.domain(), rpc, Some(&name)).map_err(|denied| errors::denied(&denied))?;
        AppName::new(app).map_err(|error| errors::bad_field("app", &error))
    }

    /// A client of Docker, and raw streams of the same daemon.
    async fn docker(&self) -> Result<(bollard::Docker, DockerStreams), Status> {
        let client = self.engine.docker().api().await.map_err(|error| errors::docker(&error))?;
        Ok((client.clone(), DockerStreams::new(client.clone(), self.docker_socket.clone())))
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("trust", &self.trust).finish_non_exhaustive()
    }
}
