//! The parts of the agent that take more than one line to put together.
//!
//! Owns which settings each gets. Must not know what they do.

use std::{sync::Arc, time::Duration};

use tidegate_saga::Retry;
use uuid::Uuid;

use super::Paths;
use crate::{
    alerts::{
        self, Alerts,
        send::{Deadlines, HostCommands, Roots, Transports},
        settings::{SettingsFile, Whose},
    },
    audit,
    backup::{EnrolmentId, layout::DropletFolder},
    backup_runs::{self, BackupRuns, BackupSettings, Patience},
    clock::Clock,
    config::{Config, IngressConfig},
    docker::{Docker, Logins},
    exec::host::HostExec,
    health::{
        self, Health,
        observe::{Places, Sources},
    },
    ingress::edge::{Edge, Position},
    metrics::Metrics,
    peers::AgentPeers,
    probe::DirectDial,
    release::{self, Engine, EngineSettings},
    store::{Database, Migration},
    systemd::Systemd,
    timers::TimerKeeper,
    trust::Trust,
};

/// The tables of all modules, oldest first.
pub(super) fn migrations() -> Vec<Migration> {
    let own = [backup_runs::migrations(), health::MIGRATIONS.to_vec(), alerts::MIGRATIONS.to_vec()].concat();
    [audit::MIGRATIONS.to_vec(), release::migrations(), own].concat()
}

pub(super) fn engine(
    (config, paths): (&Config, &Paths),
    database: Database,
    (trust, systemd): (&Arc<Trust>, &Arc<Systemd>),
    clock: Arc<dyn Clock>,
) -> Engine {
    let settings = EngineSettings {
        state: paths.state.clone(),
        policy: paths.configuration.join("policy.toml"),
        ingress_image: config.ingress.image.clone(),
        edge: edge(&config.ingress),
        docker_compose: release::compatibility::DOCKER_COMPOSE.iter().map(Into::into).collect(),
        dial: Arc::new(DirectDial),
        peers: Arc::new(AgentPeers::new(trust.clone(), clock.clone())),
        timers: TimerKeeper::new(paths.units.clone(), systemd.clone()),
    };
    let logins = Logins::new(config.docker.logins.clone());
    Engine::new(Docker::new(config.docker.socket.clone(), logins), database, clock, settings)
}

/// Runs of backups, of the droplet that this agent was enrolled on.
pub(super) fn backups(
    paths: &Paths,
    engine: &Engine,
    database: Database,
    trust: &Arc<Trust>,
    clock: Arc<dyn Clock>,
) -> BackupRuns {
    let trust = trust.clone();
    let settings = BackupSettings {
        local: paths.state.join("backups"),
        whose: Arc::new(move || folder(&trust)),
        patience: Patience::default(),
    };
    let runs = BackupRuns::new(engine.clone(), database, clock, settings);
    engine.keep_data_with(runs.for_releases());
    runs
}

/// Pauses between two tries of an alert that nobody took.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// Alerts of the droplet that this agent was enrolled on.
pub(super) fn alerts(
    paths: &Paths,
    database: Database,
    host_exec: &Arc<HostExec>,
    trust: &Arc<Trust>,
    clock: Arc<dyn Clock>,
) -> Alerts {
    let trust = trust.clone();
    let commands = Arc::new(HostCommands(host_exec.clone()));
    Alerts::new(alerts::Parts {
        file: SettingsFile::in_directory(&paths.state),
        database,
        transports: Transports::new((Roots::System, Deadlines::default()), commands, clock.clone()),
        whose: Arc::new(move || whose(&trust)),
        clock,
        // Until a message is too old.
        retry: Retry::new(u32::MAX, FIRST_PAUSE, LONGEST_PAUSE, rand::random::<f64>),
        ids: Arc::new(Uuid::new_v4),
    })
}

fn whose(trust: &Trust) -> Option<Whose> {
    let (record, domain) = (trust.record()?, trust.domain());
    Some(Whose {
        fleet: domain.fleet.to_string(),
        environment: domain.environment.to_string(),
        enrolment: record.enrolment_id.clone(),
    })
}

/// The health of this droplet and its apps.
pub(super) fn health(
    (config, paths): (&Config, &Paths),
    (engine, backups, alerts): (&Engine, &BackupRuns, &Alerts),
    database: Database,
    (trust, systemd): (&Arc<Trust>, &Arc<Systemd>),
    clock: Arc<dyn Clock>,
) -> Health {
    let sources = Sources {
        engine: engine.clone(),
        backups: backups.clone(),
        systemd: systemd.clone(),
        certificate: trust.clone(),
        deliveries: Arc::new(alerts.clone()),
        places: Places::on_a_droplet(paths.state.clone()),
    };
    Health::new(sources, database, clock, config.health.clone())
}

fn folder(trust: &Trust) -> Option<DropletFolder> {
    let record = trust.record()?;
    let domain = trust.domain();
    Some(DropletFolder {
        fleet: domain.fleet.clone(),
        environment: domain.environment.clone(),
        droplet: record.droplet_id,
        // It was checked when the droplet enrolled.
        enrolment: EnrolmentId::new(record.enrolment_id.as_str()).ok()?,
    })
}

fn edge(config: &IngressConfig) -> Edge {
    Edge {
        acme_directory: config.acme_directory.as_ref().map(|directory| directory.as_str().to_owned()),
        acme_email: config.acme_email.clone(),
        acme_root: config.acme_root.clone(),
        trusted_proxies: config.trusted_proxies.iter().map(|network| network.as_str().to_owned()).collect(),
        position: if config.behind_balancer { Position::BehindBalancer } else { Position::Front },
        health_path: config.health_path.clone(),
    }
}

/// What is shown at `/metrics`.
pub(super) fn metrics(
    config: &Config,
    (health, alerts): (&Health, &Alerts),
    trust: &Arc<Trust>,
    clock: &dyn Clock,
) -> Metrics {
    let trust = trust.clone();
    Metrics {
        health: health.clone(),
        alerts: alerts.clone(),
        domain: config.domain(),
        droplet: Arc::new(move || Some(trust.record()?.droplet_id.to_string())),
        started: clock.now(),
        cgroups: "/sys/fs/cgroup".into(),
    }
}
