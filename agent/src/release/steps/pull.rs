//! Images: pulled by digest, several at a time, named as the file names them. Taken back by giving the name to the image
//! that had it, and removing what was pulled. Where the disk is short, images of old releases go first.

mod pulls;

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use pulls::Pulls;
use serde_json::Value;

use super::summary;
use crate::{
    docker::Reference,
    release::{
        Failure,
        context::{Context, docker_failure},
        plan::{ImageAction, PlannedImage},
    },
};

/// How many images are pulled at a time. Of their layers Docker downloads three at a time by itself.
const AT_A_TIME: usize = 4;
/// How long Docker may take to notice that nobody listens to a pull any more.
const GIVEN_UP: Duration = Duration::from_secs(1);

pub(super) async fn forward(context: &Context, step: &str) -> Result<Value, Failure> {
    let pulls = &Pulls::new(context, step);
    let wanted = context.plan.images.iter().filter(|image| image.action != ImageAction::Keep);
    let mut bringing: Vec<BoxFuture<'_, Result<usize, Failure>>> =
        wanted.map(|image| bring(context, pulls, image).boxed()).collect();
    if !context.plan.routes.is_empty() {
        bringing.push(ingress(context, pulls).boxed());
    }
    let brought = stream::iter(bringing).buffer_unordered(AT_A_TIME).try_collect::<Vec<_>>();
    let brought = tokio::select! {
        brought = brought => brought,
        failure = pulls.overflow() => Err(failure),
    };
    let brought = match brought {
        Ok(brought) => brought,
        Err(failure) => {
            // Docker ends a pull that nobody listens to. One that was all but complete appears until then, and the undo has
            // to find it.
            tokio::time::sleep(GIVEN_UP).await;
            return Err(failure);
        }
    };
    let pulled = match brought.iter().sum::<usize>() {
        0 => "all images are here".to_owned(),
        1 => "1 image".to_owned(),
        n => format!("{n} images"),
    };
    let removed = pulls.removed().await;
    if removed.is_empty() {
        return Ok(summary(pulled));
    }
    Ok(summary(format!("{pulled}; removed of old releases: {}", removed.join(", "))))
}

/// How many images came from a registry for it: one, or none where it is here.
async fn bring(context: &Context, pulls: &Pulls<'_>, image: &PlannedImage) -> Result<usize, Failure> {
    let reference = Reference::parse(&image.reference);
    let failed = |error| docker_failure(format!("the image {reference}"), &error);
    let by_digest = image.digest.as_deref().map(|digest| reference.with_digest(digest));
    // Whichever of the two is here is the same image; a retry finds what an earlier try has pulled.
    for name in image.id.iter().chain(&by_digest) {
        if context.docker.image(name).await.map_err(failed)?.is_some() {
            context.docker.tag(name, &reference).await.map_err(failed)?;
            return Ok(0);
        }
    }
    let digest = image.digest.as_deref().ok_or_else(|| gone(image))?;
    pulls.room_to_begin().await?;
    let pulled = context.docker.pull(&reference, digest, |progress| pulls.note(&reference, progress)).await;
    pulls.end(&reference);
    pulled.map_err(|error| {
        let failure = docker_failure(format!("the image {reference} could not be pulled"), &error);
        if error.is_denied() {
            return failure.hint(context.docker.logins().hint(&reference));
        }
        failure.hint("see that the registry answers and that the droplet has space: `tidegate info`")
    })?;
    Ok(1)
}

/// The ingress's own image comes beside the app's: it would be waited for later. It is no part of the release: it stays, and is
/// not counted.
async fn ingress(context: &Context, pulls: &Pulls<'_>) -> Result<usize, Failure> {
    let reference = context.ingress.reference();
    let fetched = context.ingress.image(|progress| pulls.note(&reference, progress)).await;
    pulls.end(&reference);
    fetched.map_err(|error| {
        Failure::caused_by(format!("the ingress's image {reference} could not be pulled"), &error)
            .hint("see that its registry answers and that the droplet has space: `tidegate info`")
    })?;
    Ok(0)
}

fn gone(image: &PlannedImage) -> Failure {
    Failure::new(
        format!("the image {} is gone", image.reference),
        "it was on this droplet when the release was planned",
    )
    .hint("deploy again")
}

pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    for image in context.plan.images.iter().filter(|image| image.action != ImageAction::Keep) {
        let reference = Reference::parse(&image.reference);
        let failed = |error| docker_failure(format!("the image {reference}"), &error);
        match &image.former {
            Some(former) => context.docker.tag(former, &reference).await.map_err(failed)?,
            None => context.docker.untag(&image.reference).await.map_err(failed)?,
        }
        // What this release has pulled bears its digest still where the tag went back to another image, or never came: no
        // release would ever remove it.
        if let (None, Some(digest)) = (&image.id, &image.digest) {
            context.docker.untag(&reference.with_digest(digest)).await.map_err(failed)?;
        }
    }
    Ok(())
}
