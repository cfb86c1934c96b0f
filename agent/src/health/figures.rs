//! What a look measured, as programs read it between two looks. Pure.
//!
//! Owns what is kept of a look for them: of a container a few figures instead of all that Docker tells, because it stays in
//! memory. Must not know who reads it, or in which form.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Report,
    observe::{AppSeen, BackupSeen, ContainerSeen, HostSeen, Observation, Seen, ServiceSeen, UnderWay},
};
use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    docker::{ContainerHealth, ContainerState},
    ingress::ResponseCounts,
    release::ReleaseEnds,
};

/// What the newest look measured.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What it told.
    pub report: Arc<Report>,
    /// When it ended.
    pub ended: Instant,
    /// How long it took.
    pub took: Duration,
    /// How many there were since the agent started.
    pub looks: u64,
    /// The droplet.
    pub host: HostSeen,
    /// Its apps.
    pub apps: Seen<Vec<AppFigures>>,
}

/// An app.
#[derive(Clone, Debug)]
pub struct AppFigures {
    /// Its name.
    pub app: AppName,
    /// The release that serves; none when none ever did.
    pub serving: Option<ReleaseNumber>,
    /// How its releases ended so far.
    pub ends: ReleaseEnds,
    /// A release that has something to do still.
    pub under_way: Option<UnderWay>,
    /// Whether its visitors are told to come back later.
    pub in_maintenance: bool,
    /// Its services as the release that serves has them.
    pub services: Vec<ServiceFigures>,
    /// Until when the certificates of its hosts hold.
    pub certificates: Vec<(String, Timestamp)>,
    /// What its services that have a route answered since the agent started.
    pub answered: BTreeMap<ServiceName, ResponseCounts>,
    /// The time within which 95 of 100 requests since the look before were answered; none of a service without any.
    pub p95: BTreeMap<ServiceName, Duration>,
    /// Its services that ask for backups.
    pub backups: Vec<BackupSeen>,
}

/// A service.
#[derive(Clone, Debug)]
pub struct ServiceFigures {
    /// Its name.
    pub name: ServiceName,
    /// How many containers it should have.
    pub wanted: usize,
    /// Those that are there.
    pub containers: Vec<ContainerFigures>,
}

/// A container.
#[derive(Clone, Debug)]
pub struct ContainerFigures {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: ContainerState,
    /// What its health check says.
    pub health: ContainerHealth,
    /// How often Docker started it again by itself.
    pub restarts: u64,
    /// In bytes; 0 for none.
    pub memory_limit: u64,
    /// Whether its probes answered as they should; none where it has none or does not run.
    pub probed: Option<bool>,
}

impl Figures {
    /// Of this look, which told so.
    pub(super) fn new(
        observation: Observation,
        report: Arc<Report>,
        (looks, begun, ended): (u64, Instant, Instant),
    ) -> Self {
        let Observation { host, apps, .. } = observation;
        let apps = apps.map(|apps| apps.into_iter().map(AppFigures::of).collect());
        Self { report, ended, took: ended.duration_since(begun), looks, host, apps }
    }
}

impl AppFigures {
    fn of(seen: AppSeen) -> Self {
        let AppSeen { app, serving, ends, under_way, in_maintenance, services, hosts, .. } = seen;
        let certificates = hosts.into_iter().filter_map(|host| Some((host.host, host.not_after?)));
        let answers = seen.answers.into_iter().flatten();
        Self {
            app,
            serving,
            ends,
            under_way,
            in_maintenance,
            services: services.into_iter().flatten().map(ServiceFigures::of).collect(),
            certificates: certificates.collect(),
            answered: seen.answered,
            p95: answers.map(|(service, answers)| (service, answers.p95)).collect(),
            backups: seen.backups.into_iter().flatten().collect(),
        }
    }
}

impl ServiceFigures {
    fn of(seen: ServiceSeen) -> Self {
        let containers = seen.containers.into_iter().map(ContainerFigures::of).collect();
        Self { name: seen.name, wanted: seen.wanted, containers }
    }
}

impl ContainerFigures {
    fn of(seen: ContainerSeen) -> Self {
        let ContainerSeen { container, probed, .. } = seen;
        Self {
            id: container.id,
            name: container.name,
            state: container.state,
            health: container.health,
            restarts: container.restarts,
            memory_limit: container.memory_limit,
            probed: probed.map(|answer| answer.is_ok()),
        }
    }
}
