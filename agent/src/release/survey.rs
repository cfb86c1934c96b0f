//! Looks at the droplet and the registries for the planner: everything once, and side by side.

mod images;

use std::{collections::BTreeMap, path::Path};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tidegate_compose::{Project, labels};

use super::{
    EngineError, Failure, compatibility,
    engine::Inner,
    planner::admit,
    retention, schedule,
    store::ReleaseImage,
    world::{DiskSpace, ImageState, Machine, World},
};
use crate::{
    apps::AppName,
    docker::{self, Container, Docker, DockerError, Listed, references},
    host,
};

/// Which images a release is to have.
#[derive(Debug)]
pub(super) enum Images {
    /// What their names stand for now.
    Named,
    /// Those that an earlier release had.
    Recorded(Vec<ReleaseImage>),
}

/// How many questions Docker and the registries are asked at a time.
const AT_A_TIME: usize = 8;

/// How closely containers are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As the list shows them, for those that run: enough to see that nothing is to be done.
    Glance,
    /// Each by itself: everything that a plan for changes wants to know.
    Close,
}

/// The containers of the droplet, as far as a release is concerned with them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The app's, one-offs included, in the order of their names.
    own: Vec<Container>,
    /// Host ports that others hold, with the container's name.
    foreign_ports: Vec<(String, String)>,
}

impl Seen {
    /// The app's containers.
    pub(super) fn into_own(self) -> Vec<Container> {
        self.own
    }

    /// The versions of docker compose that the app's containers name.
    pub(super) fn versions(&self) -> impl Iterator<Item = &str> {
        self.own.iter().filter_map(|container| container.label(compatibility::LABEL))
    }
}

/// Looks at the containers: one list, and a closer look at the app's own.
pub(super) async fn containers(docker: &Docker, app: &AppName, look: Look) -> Result<Seen, EngineError> {
    let listed = docker.listed().await.map_err(EngineError::Docker)?;
    let is_own = |container: &Listed| {
        container.labels.get(labels::PROJECT).map(String::as_str) == Some(app.as_str())
            && container.labels.contains_key(labels::CONFIG_HASH)
    };
    let (own, foreign): (Vec<Listed>, Vec<Listed>) = listed.into_iter().partition(is_own);
    let held = |container: Listed| {
        let name = container.name;
        container.host_ports.into_iter().map(move |port| (port, name.clone()))
    };
    let look = |container: Listed| async move {
        match container.running.filter(|_| look == Look::Glance) {
            Some(running) => Ok(Some(running)),
            None => docker.container(&container.id).await,
        }
    };
    let looked = stream::iter(own.into_iter().map(look)).buffered(AT_A_TIME);
    let looked: Vec<Option<Container>> = looked.try_collect().await.map_err(EngineError::Docker)?;
    // One that went meanwhile is none.
    let mut own: Vec<Container> = looked.into_iter().flatten().collect();
    own.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(Seen { own, foreign_ports: foreign.into_iter().flat_map(held).collect() })
}

/// What there is.
pub(super) async fn world(
    inner: &Inner,
    app: &AppName,
    (project, wanted, seen): (&Project, &Images, Seen),
) -> Result<World, EngineError> {
    let docker = &inner.docker;
    let asked = async {
        let (networks, volumes) = tokio::try_join!(docker.networks(), docker.volumes())?;
        Ok::<_, DockerError>((networks, volumes))
    };
    let publishes = project.services.values().any(|service| !service.ports.is_empty());
    let listening = async { if publishes { docker.host_listeners().await } else { Vec::new() } };
    let (asked, machine, routes, images, given, stopped, listening) = tokio::join!(
        asked,
        docker.machine(),
        inner.ingress.routes(),
        images::images(inner, project, wanted),
        inner.store.given(app),
        inner.stopped.of(app),
        listening
    );
    let (networks, volumes) = asked.map_err(EngineError::Docker)?;
    let images = images.map_err(EngineError::Refused)?;
    let machine = machine_facts(inner, machine.map_err(EngineError::Docker)?, &images).await;
    let mut world = World {
        containers: seen.own,
        networks,
        volumes,
        listening,
        drivers: if names_driver(project) {
            Some(docker.drivers().await.map_err(EngineError::Docker)?)
        } else {
            None
        },
        given: given.map_err(EngineError::Database)?,
        stopped: stopped.map_err(EngineError::Database)?.map(|app| app.containers).unwrap_or_default(),
        images,
        machine: Some(machine),
        foreign_ports: seen.foreign_ports,
        timers: inner.timers.present().map_err(|error| EngineError::Failed(schedule::failure(&error)))?,
        ..World::default()
    };
    let maintenance = inner.ingress.maintenance(app).await;
    world.maintenance = maintenance
        .map_err(|error| EngineError::Failed(Failure::caused_by("the ingress's maintenance page", &error)))?;
    let routes =
        routes.map_err(|error| EngineError::Failed(Failure::caused_by("the ingress's routes", &error)))?;
    for (owner, routes) in routes {
        if owner == *app {
            world.own_routes = routes;
        } else {
            world.foreign_routes.extend(routes.routes.into_iter().map(|route| (owner.clone(), route)));
        }
    }
    Ok(world)
}

/// What the release has to fit into.
async fn machine_facts(
    inner: &Inner,
    machine: &docker::Machine,
    images: &BTreeMap<String, ImageState>,
) -> Machine {
    let pulls = images.values().any(|image| image.id.is_none());
    let mut disk = if pulls { disk_space(&machine.data).await } else { None };
    if let Some(disk) = disk.as_mut().filter(|disk| admit::is_short(disk)) {
        let old = retention::Images { docker: &inner.docker, store: &inner.store, paths: &inner.paths };
        let spared = images.values().flat_map(|image| image.id.iter().chain(&image.named));
        disk.reclaimable = old.reclaimable(&spared.map(String::as_str).collect()).await;
    }
    Machine { platform: machine.platform.clone(), memory: machine.memory, disk }
}

/// What is free on Docker's disk, where it can be measured.
pub(super) async fn disk_space(data: &Path) -> Option<DiskSpace> {
    let free = host::free(data).await.ok()?;
    Some(DiskSpace { path: data.to_owned(), available: free.bytes, files: free.files, reclaimable: 0 })
}

/// Whether the project names drivers that Docker does not bring along.
fn names_driver(project: &Project) -> bool {
    let networks = project.networks.values().filter(|network| !network.external);
    let volumes = project.volumes.values().filter(|volume| !volume.external);
    let own = ["", "bridge", "host", "none", "null", "macvlan", "ipvlan", "overlay"];
    networks.into_iter().any(|network| !own.contains(&network.driver.as_str()))
        || volumes.into_iter().any(|volume| !matches!(volume.driver.as_str(), "" | "local"))
}

/// Containers that services name by their own names and that are not there.
pub(super) async fn missing(inner: &Inner, project: &Project) -> Result<Vec<Failure>, DockerError> {
    let mut refused = Vec::new();
    for service in project.services.values() {
        for (attribute, name) in references::containers(service) {
            if inner.docker.container(name).await?.is_none() {
                let what = format!("service {} names the container {name}, which is not there", service.name);
                let why = format!("`{attribute}` needs a container of the droplet that exists already");
                refused.push(
                    Failure::new(what, why)
                        .at(format!("services.{}.{attribute}", service.name))
                        .hint("start it first, or name a service of this project instead"),
                );
            }
        }
    }
    Ok(refused)
}
