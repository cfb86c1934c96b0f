//! The plan of a release: data, made by the planner, shown by `plan`, kept in the saga's parameters, carried out by steps.
//! Holds names, digests and reasons; never a value of a variable.

mod command;
mod probe;
mod standstill;
mod step;
mod timer;

use std::{collections::BTreeMap, time::Duration};

use bollard::models::{EndpointSettings, NetworkCreateRequest};
pub use command::{JobName, PlannedCommand, PlannedJobs, When};
pub use probe::{PlannedProbe, ProbeTarget};
use serde::{Deserialize, Serialize};
pub use standstill::{PlannedStandstill, ReturningBackup, StoppedContainer, Visitors};
pub use step::Step;
pub use timer::{PlannedTimer, TimerAction};

use crate::{
    apps::ServiceName,
    ingress::{AppRoutes, Route},
};

/// What a release will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleasePlan {
    /// The version of docker compose that the app is shared with; empty in plans of older agents: the newest known.
    #[serde(default)]
    pub compose: String,
    /// The images, by the name as it is written.
    pub images: Vec<PlannedImage>,
    /// Networks and volumes of the project.
    pub resources: Vec<PlannedResource>,
    /// The services, each after those that it depends on.
    pub services: Vec<PlannedService>,
    /// Containers of services that are no longer in the file.
    pub removed: Vec<OldContainer>,
    /// The migration.
    pub migration: Option<PlannedCommand>,
    /// Commands that are run once, before the migration and after the drain.
    #[serde(default)]
    pub jobs: PlannedJobs,
    /// What changes among the timers of its backups.
    #[serde(default)]
    pub timers: Vec<PlannedTimer>,
    /// What stands still for a breaking migration.
    #[serde(default)]
    pub standstill: Option<PlannedStandstill>,
    /// The services that are backed up before anything changes.
    #[serde(default)]
    pub backups: Vec<ServiceName>,
    /// What the ingress is to serve for the app after the switch.
    pub routes: Vec<Route>,
    /// What it serves for the app now.
    pub former: AppRoutes,
    /// How long requests to the old containers may take to end.
    pub drain: Duration,
    /// How long the release is watched before it counts.
    pub watch: Duration,
    /// Sentences about what the engine notes.
    pub notes: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedImage {
    /// As it is written.
    pub reference: String,
    /// What the registry says it is now; none for one that lives on this droplet only.
    pub digest: Option<String>,
    /// The image that is to bear the name, when it is here.
    #[serde(default)]
    pub id: Option<String>,
    /// The image that bears the name now, to go back to.
    pub former: Option<String>,
    /// Whether it has to be pulled.
    pub action: ImageAction,
}

/// What happens to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageAction {
    /// It is here and bears the name.
    Keep,
    /// It is here under another name.
    Tag,
    /// It has to be pulled.
    Pull,
}

/// A network or volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedResource {
    /// Which of the two.
    pub kind: ResourceKind,
    /// Its key in the file.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Whether it is made.
    pub action: ResourceAction,
    /// What is special about one that stays or is made anew; empty as a rule.
    #[serde(default)]
    pub note: String,
    /// For a network that is made anew: what brings the one before back.
    #[serde(default)]
    pub former: Option<Box<FormerNetwork>>,
}

/// A network as it was, and who was on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormerNetwork {
    /// What makes it again.
    pub definition: NetworkCreateRequest,
    /// How the app's containers stood on it, by their ids.
    pub endpoints: BTreeMap<String, EndpointSettings>,
}

/// A network or a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// What happens to a network or volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceAction {
    /// It is there.
    Keep,
    /// It is made.
    Create,
    /// It goes, with every container on it, and is made anew. Only networks: a volume has data.
    Recreate,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedService {
    /// Its name.
    pub name: ServiceName,
    /// What happens to it.
    pub action: ServiceAction,
    /// Why.
    pub reason: String,
    /// How it is replaced.
    pub strategy: Strategy,
    /// Why so, where the file did not say.
    pub strategy_reason: String,
    /// The containers that stay as they are; those that do not run are started.
    #[serde(default)]
    pub kept: Vec<OldContainer>,
    /// The containers that go.
    pub old: Vec<OldContainer>,
    /// The containers that are made.
    pub new: Vec<NewContainer>,
    /// How long a new container has to stay well.
    pub stable: Duration,
    /// How long it may take to get there.
    pub timeout: Duration,
    /// What has to answer, beside Docker's own health check.
    #[serde(default)]
    pub probes: Vec<PlannedProbe>,
    /// Whether it is a task that ends, on which others wait.
    pub ends: Ends,
    /// The port behind the ingress.
    pub ingress_port: Option<u16>,
}

/// What happens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceAction {
    /// Its containers are as they should be.
    Keep,
    /// It has none yet.
    Create,
    /// It gets new ones.
    Replace,
    /// Those that it has stay; further ones are made, some too many go, or stopped ones are started.
    Adjust,
}

/// How a service is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// New beside old, then the ingress switches.
    BlueGreen,
    /// One new replica beside the old ones, then one of these goes, and so on.
    Rolling,
    /// Old stops, new starts.
    Recreate,
}

/// Whether a service's container is meant to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// It has to stay.
    Never,
    /// It may end with exit code 0: no restart policy and no health check.
    Maybe,
    /// It has to end with exit code 0.
    Always,
}

/// A container that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldContainer {
    /// Its name now.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its name while the new one bears it, for a service with `container_name`.
    pub aside: Option<String>,
    /// Its restart policy now, as Docker's word and number of retries.
    pub restart: (String, i64),
    /// Whether it runs now.
    pub was: Was,
    /// Its place on the app's ingress network.
    pub slot: Option<u8>,
}

/// Whether a container ran when the release was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Was {
    /// It did.
    Running,
    /// It did not.
    Stopped,
}

/// A container to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewContainer {
    /// Its name in the end.
    pub name: String,
    /// Its name until the old one gives up its own.
    pub temporary: Option<String>,
    /// Its number.
    pub number: u32,
    /// Its place on the app's ingress network: the last byte of its address.
    pub slot: Option<u8>,
}

impl Strategy {
    /// Whether old and new containers run at the same time, so that none takes over what another one has.
    pub fn is_beside(self) -> bool {
        self != Self::Recreate
    }
}

impl ResourceKind {
    /// "network", "volume"
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

impl PlannedService {
    /// Names of the containers that are started: new ones, and those that stay but do not run.
    pub fn started(&self) -> impl Iterator<Item = &str> {
        self.new.iter().map(NewContainer::first_name).chain(self.woken().map(|kept| kept.name.as_str()))
    }

    /// The containers that stay but do not run: they are started again.
    pub fn woken(&self) -> impl Iterator<Item = &OldContainer> {
        let changes = self.action != ServiceAction::Keep;
        self.kept.iter().filter(move |kept| changes && kept.was == Was::Stopped)
    }
}

impl NewContainer {
    /// The name under which it is made.
    pub fn first_name(&self) -> &str {
        self.temporary.as_deref().unwrap_or(&self.name)
    }
}

/// One line of what `plan` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happens.
    pub kind: ChangeKind,
    /// "service web", "network default", "image caddy:2"
    pub object: String,
    /// Why.
    pub reason: String,
    /// "blue-green", "rolling" or "recreate", for services.
    pub strategy: String,
}

/// What happens to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Nothing.
    Keep,
    /// It is made.
    Create,
    /// It is replaced.
    Recreate,
    /// It goes.
    Remove,
    /// It is pulled.
    Pull,
    /// It is run.
    Run,
}

impl ReleasePlan {
    /// A service of the plan.
    pub fn service(&self, name: &str) -> Option<&PlannedService> {
        self.services.iter().find(|service| service.name.as_str() == name)
    }

    /// Whether there is nothing to do: everything is there, and nothing is behind the ingress that would be looked after.
    pub fn is_idle(&self) -> bool {
        self.images.iter().all(|image| image.action == ImageAction::Keep)
            && self.resources.iter().all(|resource| resource.action == ResourceAction::Keep)
            && !self.touches_containers()
            && self.migration.is_none()
            && self.jobs.is_empty()
            && self.timers.is_empty()
            && self.backups.is_empty()
            && self.standstill.is_none()
            && self.routes.is_empty()
            && self.former.routes.is_empty()
    }

    /// Whether a container of the release that serves goes.
    pub fn goes(&self, container: &OldContainer) -> bool {
        let mut old = self.services.iter().flat_map(|service| &service.old).chain(&self.removed);
        old.any(|old| old.id == container.id)
    }

    /// The networks that are made anew.
    pub fn remade(&self) -> impl Iterator<Item = &PlannedResource> {
        self.resources.iter().filter(|resource| resource.action == ResourceAction::Recreate)
    }

    /// Whether a service's containers do not all stay as they are.
    pub fn touches_containers(&self) -> bool {
        let changes = |service: &PlannedService| service.action != ServiceAction::Keep;
        self.services.iter().any(changes) || !self.removed.is_empty()
    }

    /// The services that get new containers behind the ingress while the old ones still serve.
    pub fn blue_green(&self) -> impl Iterator<Item = &PlannedService> {
        let changed = self.services.iter().filter(|service| service.action != ServiceAction::Keep);
        changed.filter(|service| service.strategy == Strategy::BlueGreen)
    }

    /// The places on the ingress network that each service will have.
    pub fn new_slots(&self) -> BTreeMap<ServiceName, Vec<u8>> {
        let slots = |service: &PlannedService| {
            let kept = service.kept.iter().filter_map(|kept| kept.slot);
            (service.name.clone(), kept.chain(service.new.iter().filter_map(|new| new.slot)).collect())
        };
        self.services.iter().filter(|service| service.ingress_port.is_some()).map(slots).collect()
    }

    /// What it will do, line by line.
    pub fn changes(&self) -> Vec<Change> {
        let plain = |kind, object: String, reason: &str| Change {
            kind,
            object,
            reason: reason.to_owned(),
            strategy: String::new(),
        };
        let mut changes = Vec::new();
        for image in &self.images {
            let object = format!("image {}", image.reference);
            changes.push(match image.action {
                ImageAction::Keep => plain(ChangeKind::Keep, object, "it is here"),
                ImageAction::Tag => plain(ChangeKind::Pull, object, "it is here under another name"),
                ImageAction::Pull if image.former.is_some() => {
                    plain(ChangeKind::Pull, object, "image digest changed")
                }
                ImageAction::Pull => plain(ChangeKind::Pull, object, "it is not here"),
            });
        }
        for resource in &self.resources {
            let object = format!("{} {}", resource.kind.word(), resource.key);
            changes.push(match resource.action {
                ResourceAction::Keep if resource.note.is_empty() => {
                    plain(ChangeKind::Keep, object, "it is there")
                }
                ResourceAction::Keep => plain(ChangeKind::Keep, object, &resource.note),
                ResourceAction::Create => plain(ChangeKind::Create, object, "it is not there"),
                ResourceAction::Recreate => plain(ChangeKind::Recreate, object, &resource.note),
            });
        }
        let run = |what: &str, command: &PlannedCommand| {
            plain(ChangeKind::Run, format!("{what} in {}", command.service), &command.command.join(" "))
        };
        let still = |service: &ServiceName| {
            self.standstill.as_ref().is_some_and(|still| still.databases.contains(service))
        };
        changes.extend(self.backups.iter().map(|service| {
            plain(
                ChangeKind::Run,
                format!("backup of {service}"),
                if still(service) {
                    "before the breaking migration"
                } else {
                    "it was asked for, before anything changes"
                },
            )
        }));
        changes.extend(self.jobs.before.iter().map(|job| run("job before", job)));
        changes.extend(self.standstill.iter().flat_map(PlannedStandstill::changes));
        changes.extend(self.migration.iter().map(|migration| run("migration", migration)));
        changes.extend(self.services.iter().map(service_change));
        changes.extend(self.jobs.after.iter().map(|job| run("job after", job)));
        changes.extend(self.timers.iter().map(PlannedTimer::change));
        changes.extend(self.removed.iter().map(|container| {
            plain(
                ChangeKind::Remove,
                format!("container {}", container.name),
                "its service is not in the file",
            )
        }));
        changes
    }
}

fn service_change(service: &PlannedService) -> Change {
    let (kind, strategy) = match (service.action, service.strategy) {
        (ServiceAction::Keep, _) => (ChangeKind::Keep, ""),
        (ServiceAction::Create, _) => (ChangeKind::Create, ""),
        (ServiceAction::Adjust, _) if service.old.is_empty() && service.new.is_empty() => {
            (ChangeKind::Run, "")
        }
        (ServiceAction::Adjust, _) if service.old.is_empty() => (ChangeKind::Create, ""),
        (ServiceAction::Adjust, _) => (ChangeKind::Remove, ""),
        (ServiceAction::Replace, Strategy::BlueGreen) => (ChangeKind::Recreate, "blue-green"),
        (ServiceAction::Replace, Strategy::Rolling) => (ChangeKind::Recreate, "rolling"),
        (ServiceAction::Replace, Strategy::Recreate) => (ChangeKind::Recreate, "recreate"),
    };
    let because = if strategy == "recreate" && !service.strategy_reason.is_empty() {
        format!("{}; recreated because {}", service.reason, service.strategy_reason)
    } else {
        service.reason.clone()
    };
    Change {
        kind,
        object: format!("service {}", service.name),
        reason: because,
        strategy: strategy.to_owned(),
    }
}
