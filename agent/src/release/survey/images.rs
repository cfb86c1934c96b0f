//! What the names of a project's images stand for: the registries are asked once per release.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use tidegate_compose::{Project, Service};

use super::{AT_A_TIME, Images};
use crate::{
    docker::{DockerError, ImageFacts, Logins, Platform, Reference, Resolved},
    release::{Failure, context::docker_failure, engine::Inner, store::ReleaseImage, world::ImageState},
};

/// What the project's images are, or everything that stands against having them.
pub(super) async fn images(
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
    let local = ImageState {
        digest: None,
        id: named.clone(),
        named: named.clone(),
        platforms: platforms(here.as_ref()),
    };
    if stays {
        return if here.is_some() { Ok(local) } else { Err(not_here(service)) };
    }
    let found = match &reference.digest {
        Some(digest) if docker.image(&reference.with_digest(digest)).await.map_err(asked)?.is_some() => {
            Resolved { digest: digest.clone(), platforms: Vec::new() }
        }
        Some(digest) => {
            let found = docker.resolve(&reference).await;
            let found = found.map_err(|error| unresolved(service, (&reference, &error), docker.logins()))?;
            Resolved { digest: digest.clone(), ..found }
        }
        None => match docker.resolve(&reference).await {
            Ok(found) => found,
            Err(_) if here.as_ref().is_some_and(|image| image.repo_digests.is_empty()) => return Ok(local),
            Err(error) => return Err(unresolved(service, (&reference, &error), docker.logins())),
        },
    };
    let Resolved { digest, platforms: offered } = found;
    let pulled = docker.image(&reference.with_digest(&digest)).await.map_err(asked)?;
    let platforms = if pulled.is_some() { platforms(pulled.as_ref()) } else { offered };
    Ok(ImageState { digest: Some(digest), id: pulled.map(|image| image.id), named, platforms })
}

fn platforms(image: Option<&ImageFacts>) -> Vec<Platform> {
    image.and_then(|image| image.platform.clone()).into_iter().collect()
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
        && let Some(facts) = inner.docker.image(id).await.map_err(asked)?
    {
        let platforms = platforms(Some(&facts));
        return Ok(ImageState { digest: digest.clone(), id: Some(id.clone()), named, platforms });
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
