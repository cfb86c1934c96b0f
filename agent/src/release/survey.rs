//! Looks at the droplet and the registries for the planner: everything once, and side by side.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tidegate_compose::{Project, Service, labels};

use super::{
    EngineError, Failure, compatibility,
    context::docker_failure,
    engine::Inner,
    store::ReleaseImage,
    world::{ImageState, World},
};
use crate::{
    apps::AppName,
    docker::{Container, Docker, DockerError, Listed, Logins, Reference, references},
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
    let (asked, routes, images, given, listening) = tokio::join!(
        asked,
        inner.ingress.routes(),
        images(inner, project, wanted),
        inner.store.given(app),
        listening
    );
    let (networks, volumes) = asked.map_err(EngineError::Docker)?;
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
        images: images.map_err(EngineError::Refused)?,
        foreign_ports: seen.foreign_ports,
        ..World::default()
    };
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

/// Whether the project names drivers that Docker does not bring along.
fn names_driver(project: &Project) -> bool {
    let networks = project.networks.values().filter(|network| !network.external);
    let volumes = project.volumes.values().filter(|volume| !volume.external);
    let own = ["", "bridge", "host", "none", "null", "macvlan", "ipvlan", "overlay"];
    networks.into_iter().any(|network| !own.contains(&network.driver.as_str()))
        || volumes.into_iter().any(|volume| !matches!(volume.driver.as_str(), "" | "local"))
}

async fn images(
    inner: &Inner,
    project: &Project,
    wanted: &Images,
) -> Result<BTreeMap<String, ImageState>, Vec<Failure>> {
    // Where services share an image, the first one's `pull_policy` decides.
    let mut users: BTreeMap<String, Service> = BTreeMap::new();
    for service in project.services.values().flat_map(with_mounted_images) {
        users.entry(service.image.clone()).or_insert(service);
    }
    let ask = |(name, service): (String, Service)| async move {
        let found = match wanted {
            Images::Named => image(inner, &service).await,
            Images::Recorded(images) => {
                let kept = images.iter().find(|image| image.reference == service.image);
                recorded(inner, &service, kept).await
            }
        };
        (name, found)
    };
    let asking: Vec<_> = users.into_iter().map(ask).collect();
    let answers: Vec<(String, Result<ImageState, Failure>)> =
        stream::iter(asking).buffered(AT_A_TIME).collect().await;
    let (mut images, mut refused) = (BTreeMap::new(), Vec::new());
    for (name, answer) in answers {
        match answer {
            Ok(state) => drop(images.insert(name, state)),
            Err(failure) => refused.push(failure),
        }
    }
    if refused.is_empty() { Ok(images) } else { Err(refused) }
}

/// The service, and one more for each image that is mounted into it: docker compose pulls those too.
fn with_mounted_images(service: &Service) -> Vec<Service> {
    let mounted = service.volumes.iter().filter(|volume| volume.kind == "image");
    let mounted = mounted.map(|volume| Service {
        name: service.name.clone(),
        image: volume.source.clone(),
        ..Service::default()
    });
    [service.clone()].into_iter().chain(mounted).collect()
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

/// What the image's name stands for now. The registry decides, once per release; an image that came from no registry
/// lives on this droplet only and is used as it is.
async fn image(inner: &Inner, service: &Service) -> Result<ImageState, Failure> {
    let docker = &inner.docker;
    let reference = Reference::parse(&service.image);
    let asked = |error| docker_failure(format!("the image {reference}"), &error);
    let here = docker.image(&service.image).await.map_err(asked)?;
    let named = here.as_ref().map(|image| image.id.clone());
    let stays = match service.pull_policy.as_str() {
        "never" => true,
        "missing" | "if_not_present" => here.is_some(),
        _ => false,
    };
    let local = ImageState { digest: None, id: named.clone(), named: named.clone() };
    if stays {
        return if here.is_some() { Ok(local) } else { Err(not_here(service)) };
    }
    let digest = match &reference.digest {
        Some(digest) => {
            if docker.image(&reference.with_digest(digest)).await.map_err(asked)?.is_none() {
                let found = docker.resolve(&reference).await;
                found.map_err(|error| unresolved(service, (&reference, &error), docker.logins()))?;
            }
            digest.clone()
        }
        None => match docker.resolve(&reference).await {
            Ok(digest) => digest,
            Err(_) if here.as_ref().is_some_and(|image| image.repo_digests.is_empty()) => return Ok(local),
            Err(error) => return Err(unresolved(service, (&reference, &error), docker.logins())),
        },
    };
    let pulled = docker.image(&reference.with_digest(&digest)).await.map_err(asked)?;
    Ok(ImageState { digest: Some(digest), id: pulled.map(|image| image.id), named })
}

/// The very image that the release had.
async fn recorded(
    inner: &Inner,
    service: &Service,
    image: Option<&ReleaseImage>,
) -> Result<ImageState, Failure> {
    let asked = |error| docker_failure(format!("the image {}", service.image), &error);
    let named = inner.docker.image(&service.image).await.map_err(asked)?.map(|image| image.id);
    if let Some(ReleaseImage { id, digest, .. }) = image
        && inner.docker.image(id).await.map_err(asked)?.is_some()
    {
        return Ok(ImageState { digest: digest.clone(), id: Some(id.clone()), named });
    }
    let failure = Failure::new(
        format!("the image {} of that release is gone", service.image),
        "it is no longer on this droplet, and its name may stand for another one by now",
    );
    Err(failure
        .at(format!("services.{}.image", service.name))
        .hint("deploy that revision again: `tidegate releases` shows its commit"))
}

fn not_here(service: &Service) -> Failure {
    Failure::new(
        format!("the image {} is not on this droplet", service.image),
        "`pull_policy: never` forbids to pull it",
    )
    .at(format!("services.{}.image", service.name))
    .hint("load it on the droplet, or remove `pull_policy`")
}

fn unresolved(service: &Service, (reference, error): (&Reference, &DockerError), logins: &Logins) -> Failure {
    let place = format!("services.{}.image", service.name);
    let words = error.message().unwrap_or_default().to_lowercase();
    let missing =
        ["not found", "manifest unknown", "no such", "name unknown"].iter().any(|part| words.contains(part));
    let failure = Failure::caused_by(format!("the image {} cannot be had", service.image), error).at(place);
    if missing || error.is_not_found() {
        Failure { what: format!("the image {} does not exist", service.image), ..failure }
            .hint("check its name and tag, and that it was pushed")
    } else if error.is_denied() {
        Failure {
            what: format!("{} does not give the image {}", reference.registry(), service.image),
            ..failure
        }
        .hint(logins.hint(reference))
    } else if matches!(error, DockerError::Login { .. }) {
        failure
    } else {
        failure.hint("see that the droplet reaches the registry")
    }
}
