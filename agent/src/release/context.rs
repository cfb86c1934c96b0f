//! What the steps of a release work with.

use std::{collections::BTreeMap, sync::Arc};

use bollard::models::RestartPolicy;
use tidegate_compose::{Project, Service, hash, labels::Instance, x_tidegate::Extension};
use tidegate_saga::Cancel;
use tokio::sync::watch;

use super::{
    DataKeeper, DeployInput, EventKind, Failure,
    ahead::Ahead,
    hooks::Hooks,
    journal::ReleaseId,
    plan::{NewContainer, PlannedService, ReleasePlan},
    redact::Redactor,
    retention::Images,
    store::ReleaseStore,
    together::{Peers, Standing},
};
use crate::{
    apps::AppPaths,
    clock::Clock,
    docker::{
        Container, Docker, DockerError,
        body::{self, ContainerSpec, HostPorts, RestartNow, ServiceAlias},
        references,
    },
    ingress::Ingress,
    probe::Dial,
    timers::{self, TimerKeeper},
};

/// Everything a step needs. One per run of a release.
pub struct Context {
    /// Docker.
    pub docker: Docker,
    /// The ingress.
    pub ingress: Ingress,
    /// Releases.
    pub store: ReleaseStore,
    /// Paths.
    pub paths: AppPaths,
    /// Opens connections to containers.
    pub dial: Arc<dyn Dial>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Which release.
    pub id: ReleaseId,
    /// What it was asked with.
    pub input: DeployInput,
    /// The input of the release that serves now.
    pub former: Option<DeployInput>,
    /// The model.
    pub project: Project,
    /// What it says under `x-tidegate`.
    pub extension: Extension,
    /// The droplet's timers.
    pub timers: TimerKeeper,
    /// Who keeps the data of apps.
    pub data: Option<Arc<dyn DataKeeper>>,
    /// The timers of the release that serves now.
    pub former_timers: timers::Wanted,
    /// Seccomp profiles by their paths as they are written.
    pub profiles: BTreeMap<String, String>,
    /// Hooks by service of the release that serves now.
    pub former_hooks: BTreeMap<String, Hooks>,
    /// The plan.
    pub plan: ReleasePlan,
    /// Services whose containers are started in this run, some of them ahead of their own step.
    pub ahead: Ahead,
    /// Told after every event.
    pub changed: watch::Sender<u64>,
    /// Takes secrets out of what commands print.
    pub redactor: Redactor,
    /// Asks the agents of the other droplets.
    pub peers: Arc<dyn Peers>,
    /// Whether the release is in doubt.
    pub standing: Standing,
    /// The operator's wish to have the release taken back.
    pub cancel: Cancel,
    /// What the release had promised the other droplets when this run began.
    pub pledge: Pledge,
}

/// What a release has promised the other droplets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pledge {
    /// Nothing.
    None,
    /// That it serves: it may not fail by itself any more.
    Serving,
}

impl Context {
    /// Images of past releases.
    pub(super) fn images(&self) -> Images<'_> {
        Images { docker: &self.docker, store: &self.store, paths: &self.paths }
    }

    /// Adds an event to the release. Events that cannot be stored are dropped: they are for eyes only.
    pub async fn emit(&self, kind: EventKind) {
        match self.store.event(&self.id.app, self.id.release, (kind, self.clock.now())).await {
            Ok(()) => {
                self.changed.send_modify(|count| *count = count.wrapping_add(1));
            }
            Err(error) => {
                tracing::warn!(release = %self.id.label(), %error, "an event of a release was lost");
            }
        }
    }

    /// How far a step is.
    pub async fn progress(&self, step: &str, text: impl Into<String>) {
        self.emit(EventKind::Progress { step: step.to_owned(), text: text.into() }).await;
    }

    /// A service of the plan.
    pub fn planned(&self, name: &str) -> Result<&PlannedService, Failure> {
        self.plan.service(name).ok_or_else(|| lost(name))
    }

    /// A service of the model, with references to other services as ids of their containers that are there now.
    pub async fn service(&self, name: &str) -> Result<Service, Failure> {
        let service = self.project.services.get(name).ok_or_else(|| lost(name))?;
        let mut ids = BTreeMap::new();
        for target in references::services(service) {
            let planned = self.planned(&target)?;
            let id = self.id_of(planned).await?.ok_or_else(|| lost(&target))?;
            ids.insert(target, id);
        }
        Ok(hash::resolved(service, &|name| ids.get(name).cloned()))
    }

    /// The id of the container that others share namespaces and volumes with.
    async fn id_of(&self, planned: &PlannedService) -> Result<Option<String>, Failure> {
        let kept = planned.kept.first().map(|kept| kept.name.as_str());
        let new = planned.new.first();
        // Once it has replaced the old one, it has that one's name.
        let names = [kept.or(new.map(NewContainer::first_name)), new.map(|new| new.name.as_str())];
        for name in names.into_iter().flatten() {
            let found = self.docker.container(name).await;
            let found = found
                .map_err(|error| docker_failure(format!("the container of {}", planned.name), &error))?;
            if let Some(container) = found {
                return Ok(Some(container.id));
            }
        }
        Ok(None)
    }

    /// Links of a service's container, by the names that the others will have when it is started.
    pub fn links(&self, service: &Service, number: u32) -> Vec<String> {
        // Outside of the project's networks Docker looks the container up at once, under the name that it has by now.
        let early = !service.network_mode.is_empty();
        let names = |target: &str| {
            let planned = self.plan.service(target);
            let kept = planned.into_iter().flat_map(|planned| &planned.kept).map(|kept| kept.name.clone());
            let new = planned.into_iter().flat_map(|planned| &planned.new);
            let new = new.map(|new| if early { new.first_name() } else { &new.name }.to_owned());
            kept.chain(new).collect()
        };
        body::links(&self.project.name, (service, number), names)
    }

    /// How a new container of a service is to be made.
    pub async fn body(
        &self,
        service: &Service,
        new: &NewContainer,
        alias: ServiceAlias,
    ) -> Result<(bollard::models::ContainerCreateBody, Vec<body::Endpoint>), Failure> {
        let asked = |error: DockerError| docker_failure(format!("the container {}", new.name), &error);
        let image = self.docker.image(&service.image).await.map_err(asked)?;
        let image = image.ok_or_else(|| {
            Failure::new(format!("the image {} is gone", service.image), "it was here when it was pulled")
                .hint("deploy again")
        })?;
        let label = self.id.label();
        let inherited = self.inherited((service, new), &image.volumes).await.map_err(asked)?;
        let spec = ContainerSpec {
            project: &self.project,
            service,
            instance: Instance::Replica(new.number),
            name: &new.name,
            image_id: Some(&image.id),
            release: &label,
            alias,
            restart: RestartNow::HeldBack,
            ports: HostPorts::Published,
            api: self.docker.api_version().await.map_err(asked)?,
            inherited: &inherited,
            links: &self.links(service, new.number),
            profiles: &self.profiles,
        };
        Ok((body::container(&spec), body::endpoints(&spec)))
    }

    /// Anonymous volumes that a recreated container takes over, as docker compose does.
    async fn inherited(
        &self,
        (service, new): (&Service, &NewContainer),
        declared: &[String],
    ) -> Result<Vec<(String, String)>, DockerError> {
        let Some(planned) = self.plan.service(&service.name) else {
            return Ok(Vec::new());
        };
        if planned.strategy.is_beside() {
            return Ok(Vec::new());
        }
        // Replicas take over one by one, in the order of their numbers.
        let at = planned.new.iter().position(|other| other.number == new.number);
        let Some(old) = at.and_then(|at| planned.old.get(at)) else {
            return Ok(Vec::new());
        };
        let volumes =
            self.docker.container(&old.id).await?.map(|container| container.volumes).unwrap_or_default();
        let is_anonymous = |target: &str| {
            let own = service.volumes.iter().any(|volume| {
                volume.target == *target && volume.source.is_empty() && volume.kind == "volume"
            });
            let covered = service.volumes.iter().any(|volume| volume.target == *target);
            own || (!covered && declared.iter().any(|declared| declared == target))
        };
        Ok(volumes.into_iter().filter(|(target, _)| is_anonymous(target)).collect())
    }

    /// The containers of a service that this release made and that are there.
    pub async fn made(&self, service: &PlannedService) -> Result<Vec<Container>, DockerError> {
        let mut found = Vec::new();
        for new in &service.new {
            for name in [Some(&new.name), new.temporary.as_ref()].into_iter().flatten() {
                let container = self.docker.container(name).await?;
                found.extend(
                    container
                        .filter(|container| container.label(body::RELEASE_LABEL) == Some(&self.id.label())),
                );
            }
        }
        Ok(found)
    }

    /// The subnet of the app's network at the ingress.
    pub async fn ingress_subnet(&self) -> Result<String, Failure> {
        let subnet = self.ingress.subnet(&self.id.app).await;
        subnet.map_err(|error| Failure::caused_by("the ingress's network is gone", &error))
    }

    /// The restart policy that the file asks for; without a name where it says nothing about it, which changes none.
    pub fn wanted_restart(&self, service: &str) -> RestartPolicy {
        self.project.services.get(service).and_then(body::restart_policy).unwrap_or_default()
    }
}

/// A name that plan and project should both have.
fn lost(name: &str) -> Failure {
    Failure::new(
        format!("service {name} is not part of this release"),
        "plan and project do not fit together",
    )
    .hint("deploy again; if it happens twice, it is a mistake in tidegate")
}

/// What to do about a full disk.
const FULL: &str = "see `docker system df` and `df` on the droplet, and remove what nobody needs (`docker image prune -a`, old logs), or give it a larger disk";

/// A failure that Docker caused.
pub fn docker_failure(what: impl Into<String>, error: &DockerError) -> Failure {
    let what = what.into();
    let failure = Failure::caused_by(format!("{what}: Docker refused"), error);
    if error.is_full() {
        let failure = Failure { what: format!("{what}: the disk of Docker is full"), ..failure };
        return failure.hint(FULL);
    }
    match error {
        DockerError::Unreachable { .. } | DockerError::Deadline { .. } => {
            Failure { what: format!("{what}: Docker does not answer"), ..failure }
                .hint("see `systemctl status docker` on the droplet")
        }
        DockerError::Login { .. } => Failure { what, ..failure },
        DockerError::NotFound { .. } | DockerError::Conflict { .. } | DockerError::Refused { .. } => failure,
    }
}
