//! The agent as a service: opens what it keeps, listens, and ends in order.
//!
//! Owns the assembly and the life of the process. Must not know what the services do.

mod lock;
mod notify;
mod parts;
mod port;
mod resume;
mod socket;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tidegate_proto::{
    limits::MAX_MESSAGE_BYTES,
    tls::{self, Acceptor},
    v1::{agent_server::AgentServer, enrolment_server::EnrolmentServer},
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::transport::{Server, server::Router};
use tower::layer::util::{Identity, Stack};
use tracing::{debug, info, warn};

use crate::{
    api::{AgentService, Context, EnrolmentService, authorise::Door},
    audit::AuditLog,
    clock::{self, Clock},
    config::{Config, MetricsListen},
    droplet,
    exec::host::HostExec,
    host::HostFacts,
    metrics,
    store::{Database, DatabaseError, DatabaseSettings},
    systemd::Systemd,
    timers::UnitFiles,
    trust::{OpenError, Phase, Trust, TrustSettings},
};

/// Where things are.
#[derive(Debug, Clone)]
pub struct Paths {
    /// `/etc/tidegate`: what cloud-init wrote.
    pub configuration: PathBuf,
    /// `/var/lib/tidegate`: what the agent keeps.
    pub state: PathBuf,
    /// `/run/tidegate`: the socket.
    pub runtime: PathBuf,
    /// `/usr/local/bin/tidegate-agent`: this program.
    pub program: PathBuf,
    /// `/etc/systemd/system`: where the times of timers stand.
    pub units: PathBuf,
}

/// Why the agent does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A directory could not be made, or another agent uses it.
    #[error("the state directory cannot be used")]
    State(#[source] lock::LockError),
    /// The database.
    #[error("the agent's database cannot be used")]
    Database(#[source] DatabaseError),
    /// Who the agent is.
    #[error("the agent does not know who it is")]
    Trust(#[source] OpenError),
    /// The port.
    #[error("the agent cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket.
    #[error("the agent cannot listen on its unix socket")]
    Socket(#[source] std::io::Error),
    /// The server ended by itself.
    #[error("the gRPC server failed")]
    Server(#[source] tonic::transport::Error),
    /// A part of the agent panicked.
    #[error("a part of the agent broke")]
    Broken,
}

/// How long calls that are under way may take when the agent is told to end. Releases are not calls: they are journaled.
const GRACE: Duration = Duration::from_secs(5);

/// An agent that listens.
#[derive(Debug)]
pub struct Running {
    /// Where it listens for callers.
    pub address: SocketAddr,
    /// Where metrics are served; none where they are not, or not yet.
    pub metrics: Option<SocketAddr>,
    trust: Arc<Trust>,
    servers: Vec<Served>,
    _beside: Vec<AbortOnDropHandle<()>>,
    stop: CancellationToken,
    _lock: lock::StateLock,
}

/// Starts an agent: when this returns, it listens.
///
/// # Errors
/// When something that it needs is missing, damaged or in use.
pub async fn start(config: Config, paths: Paths, clock: Arc<dyn Clock>) -> Result<Running, ServeError> {
    let lock = lock::StateLock::take(&paths.state).map_err(ServeError::State)?;
    let database =
        Database::open(&paths.state.join("agent.db"), &parts::migrations(), DatabaseSettings::default())
            .map_err(ServeError::Database)?;
    let audit = AuditLog::new(database.clone(), clock.clone());
    let (switch, acceptor) = tls::server(config.domain(), clock::for_tls(clock.clone()));
    let facts = droplet::ask(&config.droplet).await;
    let settings = TrustSettings {
        domain: config.domain(),
        pki: paths.state.join("pki"),
        ca: paths.configuration.join("ca.pem"),
        token: paths.configuration.join("enrolment.json"),
        droplet: config.droplet.clone(),
    };
    let trust = Trust::open(settings, switch, &facts, clock.clone(), audit.clone()).await;
    let trust = Arc::new(trust.map_err(ServeError::Trust)?);
    let systemd = Arc::<Systemd>::default();
    let engine = parts::engine((&config, &paths), database.clone(), (&trust, &systemd), clock.clone());
    let backups = parts::backups(&paths, &engine, database.clone(), &trust, clock.clone());
    let host_exec = Arc::new(HostExec::new(paths.runtime.clone(), paths.program.clone()));
    let alerts = parts::alerts(&paths, database.clone(), &host_exec, &trust, clock.clone());
    let asked = (&engine, &backups, &alerts);
    let health = parts::health((&config, &paths), asked, database, (&trust, &systemd), clock.clone());
    let context = Arc::new(Context {
        trust: trust.clone(),
        audit,
        clock: clock.clone(),
        host_exec,
        host: HostFacts::new(&paths.state),
        alerts,
        backups,
        health,
        systemd,
        units: UnitFiles::new(paths.units.clone()),
        engine,
        docker_socket: config.docker.socket.clone(),
    });
    let door = Door::new(config.domain(), clock, trust.phase());
    let port =
        port::bind(config.listen).map_err(|source| ServeError::Listen { address: config.listen, source })?;
    let address = port.local_addr().map_err(ServeError::Socket)?;
    let socket = socket::bind(&paths.runtime).map_err(ServeError::Socket)?;
    let assembly = Assembly { config, context, door, acceptor, stop: CancellationToken::new() };
    let servers = vec![assembly.serve_port(port).await, assembly.serve_socket(socket).await];
    let resume = resume::when_enrolled(assembly.context.clone(), trust.phase(), assembly.stop.clone());
    let mut beside = vec![AbortOnDropHandle::new(tokio::spawn(resume))];
    let metrics = assembly.serve_metrics().await.map(|(address, task)| {
        beside.push(AbortOnDropHandle::new(task));
        address
    });
    info!(%address, version = crate::trust::AGENT_VERSION, "listening");
    let (metrics, stop) = (metrics.flatten(), assembly.stop);
    Ok(Running { address, metrics, trust, servers, _beside: beside, stop, _lock: lock })
}

struct Assembly {
    config: Config,
    context: Arc<Context>,
    door: Door,
    acceptor: Acceptor,
    stop: CancellationToken,
}

type Served = JoinHandle<Result<(), tonic::transport::Error>>;
type Services = Router<Stack<Door, Identity>>;

/// Certificates and proofs; everything in an enrolment message is bounded besides.
const ENROLMENT_MESSAGE_BYTES: usize = 256 * 1024;
/// What a stream may have on its way to the agent before the agent has read it: enough for a droplet's distance, and
/// little enough for its memory.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const HEADER_BYTES: u32 = 16 * 1024;
/// A connection that does not answer this long after it was asked is gone, and its commands with it.
const KEEPALIVE: Duration = Duration::from_secs(20);

impl Assembly {
    async fn serve_port(&self, port: TcpListener) -> Served {
        let limits = self.config.limits.connections();
        let sessions = tls::incoming(port, self.acceptor.clone(), limits, |remote, error| {
            // Anybody on the Internet can cause these.
            debug!(%remote, %error, "a connection was refused");
        });
        let stop = self.stop.clone();
        let services = self.services().await;
        tokio::spawn(services.serve_with_incoming_shutdown(sessions, stop.cancelled_owned()))
    }

    async fn serve_socket(&self, socket: UnixListener) -> Served {
        let stop = self.stop.clone();
        let services = self.services().await;
        tokio::spawn(services.serve_with_incoming_shutdown(socket::sessions(socket), stop.cancelled_owned()))
    }

    /// Where metrics are read, as soon as that is known.
    async fn serve_metrics(&self) -> Option<(Option<SocketAddr>, JoinHandle<()>)> {
        let Self { config, context, stop, .. } = self;
        let MetricsListen::At(address) = config.metrics.listen else { return None };
        let listener = metrics::bind(address).await;
        let bound = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(address) = bound {
            info!(%address, "metrics are served");
        }
        let told = (&context.health, &context.alerts);
        let metrics = parts::metrics(config, told, &context.trust, &*context.clock);
        let task = tokio::spawn(metrics::serve(metrics, (address, listener), stop.clone()));
        Some((bound, task))
    }

    async fn services(&self) -> Services {
        let agent = AgentServer::new(AgentService::new(self.context.clone()))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let enrolment = EnrolmentServer::new(EnrolmentService::new(self.context.trust.clone()))
            .max_decoding_message_size(ENROLMENT_MESSAGE_BYTES);
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<AgentServer<AgentService>>().await;
        Server::builder()
            .max_concurrent_streams(self.config.limits.streams_per_connection)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(HEADER_BYTES)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE))
            .layer(self.door.clone())
            .add_service(agent)
            .add_service(enrolment)
            .add_service(health)
    }
}

impl Running {
    /// Follows whether the agent is enrolled.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.trust.phase()
    }

    /// Serves until `signal`, then ends in order.
    ///
    /// # Errors
    /// When a server ended by itself.
    pub async fn until(mut self, signal: impl Future<Output = ()>) -> Result<(), ServeError> {
        let _watchdog = notify::ready();
        let ended = {
            let ended = futures::future::select_all(self.servers.iter_mut());
            tokio::select! {
                () = signal => None,
                (ended, _, _) = ended => Some(ended),
            }
        };
        if let Some(ended) = ended {
            return ended.map_err(|_| ServeError::Broken)?.map_err(ServeError::Server);
        }
        notify::stopping();
        info!("ending");
        self.trust.close();
        self.stop.cancel();
        if timeout(GRACE, futures::future::join_all(self.servers.iter_mut())).await.is_err() {
            warn!("calls under way were cut off");
        }
        Ok(())
    }
}
