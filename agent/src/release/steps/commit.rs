//! The release counts from here on: the one row that decides. After it there is no way back.

use serde_json::Value;

use super::summary;
use crate::release::{
    Failure,
    context::{Context, docker_failure},
    store::ReleaseImage,
};

pub(super) async fn forward(context: &Context) -> Result<Value, Failure> {
    let images = images(context).await?;
    let committed = context.store.commit(&context.id.app, context.id.release, images).await;
    committed.map_err(|error| Failure::caused_by("the release could not be committed", &error))?;
    Ok(summary(""))
}

pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    let taken_back = context.store.take_back(&context.id.app, context.id.release).await;
    taken_back.map_err(|error| Failure::caused_by("the release could not be taken back", &error))
}

/// What it serves with, so that a rollback finds the images whatever their names stand for then.
async fn images(context: &Context) -> Result<Vec<ReleaseImage>, Failure> {
    let mut images = Vec::new();
    for planned in &context.plan.images {
        let reference = planned.reference.clone();
        let found = context.docker.image(&reference).await;
        let found = found.map_err(|error| docker_failure(format!("the image {reference}"), &error))?;
        // One that is gone is used by no container that the release has; there is nothing to go back to.
        let image =
            found.map(|image| ReleaseImage { reference, id: image.id, digest: planned.digest.clone() });
        images.extend(image);
    }
    Ok(images)
}
