//! Looks at the droplet and the registries for the planner.

use tidegate_compose::{Project, Service};

use super::{
    EngineError, Failure,
    context::docker_failure,
    engine::Inner,
    world::{ImageState, World},
};
use crate::{
    apps::AppName,
    docker::{DockerError, Logins, Reference, references},
};

/// What there is.
pub(super) async fn world(inner: &Inner, app: &AppName, project: &Project) -> Result<World, EngineError> {
    let docker = &inner.docker;
    let mut world = World {
        networks: docker.networks().await.map_err(EngineError::Docker)?,
        volumes: docker.volumes().await.map_err(EngineError::Docker)?,
        ..World::default()
    };
    for container in docker.containers(&[]).await.map_err(EngineError::Docker)? {
        if container.label(tidegate_compose::labels::PROJECT) == Some(app.as_str()) {
            world.containers.push(container);
        } else if container.is_running() {
            let held = container.host_ports.iter().map(|port| (port.clone(), container.name.clone()));
            world.foreign_ports.extend(held);
        }
    }
    let routes = inner.ingress.routes().await;
    let routes =
        routes.map_err(|error| EngineError::Failed(Failure::caused_by("the ingress's routes", &error)))?;
    for (owner, routes) in routes {
        if owner == *app {
            world.own_routes = routes;
        } else {
            world.foreign_routes.extend(routes.routes.into_iter().map(|route| (owner.clone(), route)));
        }
    }
    let mut refused = Vec::new();
    for service in project.services.values().flat_map(with_mounted_images) {
        if world.images.contains_key(&service.image) {
            continue;
        }
        match image(inner, &service).await {
            Ok(state) => drop(world.images.insert(service.image.clone(), state)),
            Err(failure) => refused.push(failure),
        }
    }
    if refused.is_empty() { Ok(world) } else { Err(EngineError::Refused(refused)) }
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
