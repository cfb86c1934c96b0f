//! Brings an app back to what the release that serves says: containers that vanished are made again, as they were made,
//! and those that are to run are started, each after those that it depends on.
//!
//! Owns that. It is no release: nothing is replaced or removed, no image is pulled and no command run but hooks. Every part
//! finds what is there, so one that was cut off is finished by the next. Must not know why somebody wants it, nor judge
//! how the app is afterwards.

mod decide;
mod plan;

use std::collections::{BTreeMap, BTreeSet};

pub use decide::{Down, Rouse};
use tidegate_compose::{Project, order};

use self::{
    decide::{Due, due},
    plan::Drawn,
};
use super::{
    DeployInput, Engine, EngineError, Failure, Hold, Interrupt, ReleaseRow, ReleaseState,
    context::{Context, Pledge, docker_failure},
    engine::Inner,
    journal::ReleaseId,
    load::{self, LoadedProject},
    plan::{Ends, PlannedService},
    planner::{Wanted, services},
    run::{self, Begun},
    steps,
    survey::{self, Look},
};
use crate::{
    apps::ServiceName,
    docker::{AnonymousVolumes, Container},
};

/// What was done for a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Its service.
    pub service: ServiceName,
    /// Its name.
    pub container: String,
    /// What was done, or tried.
    pub how: How,
    /// Why it could not be done.
    pub failure: Option<Failure>,
}

/// What was done for a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was started.
    Started,
    /// It was made again.
    MadeAgain,
}

impl Engine {
    /// The releases that serve, of all apps.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn serving_releases(&self) -> Result<Vec<ReleaseRow>, EngineError> {
        let rows = self.inner.store.releases(None).await.map_err(EngineError::Database)?;
        Ok(rows.into_iter().filter(|row| row.state == ReleaseState::Released).collect())
    }

    /// Makes the containers again that the release that serves should have and has not, and starts those that `rouse` says;
    /// what was done, in its order. What fails for one container hinders no other.
    ///
    /// # Errors
    /// When no release serves, its files cannot be read, or Docker does not answer.
    pub async fn bring_back(&self, hold: &Hold, rouse: &Rouse) -> Result<Vec<Brought>, EngineError> {
        let inner = &self.inner;
        let app = hold.app();
        let rows = self.releases(app).await?;
        let row = rows.into_iter().find(|row| row.state == ReleaseState::Released);
        let row = row.ok_or_else(|| EngineError::NoApp(app.clone()))?;
        let (input, loaded, containers) = look(inner, &row).await?;
        let id = ReleaseId { app: app.clone(), release: row.number };
        let label = id.label();
        let dues = dues(&row, &loaded, (&containers, (&label, rouse)));
        if dues.iter().all(|one| one.due.is_none()) {
            return Ok(Vec::new());
        }
        for half in dues.iter().flat_map(|one| &one.due.halves) {
            let removed = inner.docker.remove(&half.id, AnonymousVolumes::Remove).await;
            removed.map_err(EngineError::Docker)?;
        }
        let routes = inner.ingress.routes().await.map_err(EngineError::Ingress)?;
        let routes = routes.into_iter().find(|(owner, _)| owner == app).map(|(_, routes)| routes);
        let Drawn { plan, mut refused } =
            plan::draw(&loaded, &dues, (&containers, &routes.unwrap_or_default()));
        refused.extend(gone(inner, &row, (&loaded.project, &plan.services)).await?);
        // Boxed: what a release works with is large.
        let begun = Begun { id, input, loaded, plan };
        let context = Box::pin(run::context(&hold.reservation, begun, Pledge::None)).await;
        Ok(Box::pin(carry_out(&context, &refused)).await)
    }
}

/// The release as it was given, and the app's containers as they are.
async fn look(
    inner: &Inner,
    row: &ReleaseRow,
) -> Result<(DeployInput, LoadedProject, Vec<Container>), EngineError> {
    let input = DeployInput::read(&inner.paths.release(&row.app, row.number)).map_err(|error| {
        EngineError::Failed(Failure::caused_by("the release's source files cannot be read", &error))
    })?;
    let seen = survey::containers(&inner.docker, &row.app, Look::Close).await?;
    let compatibility = inner.compatibility(&seen).await;
    let folder = inner.paths.project(&row.app);
    let loaded = load::project(&input, &folder, compatibility).map_err(EngineError::Refused)?;
    let containers = seen.into_own().into_iter().filter(|container| container.number().is_some());
    Ok((input, loaded, containers.collect()))
}

/// What is due for a service.
struct ServiceDue<'c> {
    name: String,
    ends: Ends,
    due: Due<'c>,
}

/// What is due for each service, each after those that it depends on.
fn dues<'c>(
    row: &ReleaseRow,
    loaded: &LoadedProject,
    (containers, (label, rouse)): (&'c [Container], (&str, &Rouse)),
) -> Vec<ServiceDue<'c>> {
    let wanted = Wanted {
        app: &row.app,
        project: &loaded.project,
        extension: &loaded.extension,
        files: &loaded.files,
        interrupt: Interrupt::Refused,
        shared: &BTreeSet::new(),
        still: None,
    };
    // It could be ordered when it was released.
    let sequence = order::sequence(&loaded.project.services).unwrap_or_default();
    let services = sequence.into_iter().filter_map(|name| {
        let service = loaded.project.services.get(&name)?;
        let own = containers.iter().filter(|container| container.service() == Some(name.as_str()));
        let replicas = usize::try_from(service.replicas()).unwrap_or(0);
        let ends = services::ends(wanted, service);
        let due = due((replicas, ends), own, (label, rouse));
        Some(ServiceDue { name: name.clone(), ends, due })
    });
    services.collect()
}

/// The services whose containers cannot be made again as they were, because something of them is gone.
async fn gone(
    inner: &Inner,
    row: &ReleaseRow,
    (project, planned): (&Project, &[PlannedService]),
) -> Result<BTreeMap<ServiceName, Failure>, EngineError> {
    let mut gone = BTreeMap::new();
    if planned.iter().all(|service| service.new.is_empty()) {
        return Ok(gone);
    }
    let volumes = inner.docker.volumes().await.map_err(EngineError::Docker)?;
    let volumes: BTreeSet<String> = volumes.into_iter().map(|volume| volume.name).collect();
    for service in planned.iter().filter(|service| !service.new.is_empty()) {
        let Some(model) = project.services.get(service.name.as_str()) else { continue };
        let named = model.volumes.iter().filter(|mount| mount.kind == "volume" && !mount.source.is_empty());
        let name =
            |source: &String| project.volumes.get(source).map_or(source, |volume| &volume.name).clone();
        let lost = named.map(|mount| name(&mount.source)).find(|name| !volumes.contains(name));
        let failure = match lost {
            Some(volume) => Some(without_volume(&service.name, &volume)),
            None => image_failure(inner, row, (&service.name, &model.image)).await?,
        };
        gone.extend(failure.map(|failure| (service.name.clone(), failure)));
    }
    Ok(gone)
}

fn without_volume(service: &ServiceName, volume: &str) -> Failure {
    let why = format!("its volume {volume} is gone, and it would begin with an empty one");
    Failure::new(format!("service {service} was not made again"), why).at(volume).hint(
        "bring the volume back from wherever its data is; or deploy the app, which makes an empty one, and `tidegate restore` a backup",
    )
}

/// Why a container of the image as the release had it cannot be made.
async fn image_failure(
    inner: &Inner,
    row: &ReleaseRow,
    (service, reference): (&ServiceName, &str),
) -> Result<Option<Failure>, EngineError> {
    let what = || format!("service {service} was not made again");
    let here = match inner.docker.image(reference).await {
        Ok(here) => here.map(|image| image.id),
        Err(error) => return Ok(Some(docker_failure(what(), &error))),
    };
    let had = row.images.iter().find(|image| image.reference == reference);
    let why = match (here, had) {
        (None, _) => format!("its image {reference} is gone"),
        (Some(here), Some(had)) if had.id != here => {
            format!("{reference} is another image by now than {} has", row.number)
        }
        (Some(_), _) => return Ok(None),
    };
    Ok(Some(Failure::new(what(), why).at(reference).hint("deploy the app again: that pulls its images")))
}

async fn carry_out(context: &Context, refused: &BTreeMap<ServiceName, Failure>) -> Vec<Brought> {
    let is_due = |service: &&PlannedService| service.started().next().is_some();
    let due: Vec<&PlannedService> = context.plan.services.iter().filter(is_due).collect();
    let mut brought = Vec::new();
    for (at, service) in due.iter().enumerate() {
        let needs_it = |other: &&PlannedService| {
            let model = context.project.services.get(other.name.as_str());
            model.is_some_and(|model| model.depends_on.contains_key(service.name.as_str()))
        };
        let is_needed = due.iter().skip(at.saturating_add(1)).copied().any(|other| needs_it(&other));
        let needed = if is_needed { Needed::ByOthers } else { Needed::ByNone };
        brought
            .extend(steps::bring_back::service(context, service, (refused.get(&service.name), needed)).await);
    }
    brought
}

/// Whether others that are brought back too depend on a service: it gets the time to get well first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    ByOthers,
    ByNone,
}
