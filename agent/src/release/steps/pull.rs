//! Images: pulled by digest, named as the file names them. Taken back by giving the name to the image that had it.

use std::time::Duration;

use serde_json::Value;
use tokio::{sync::mpsc, time::Instant};

use super::summary;
use crate::{
    docker::{PullProgress, Reference},
    release::{
        Failure,
        context::{Context, docker_failure},
        plan::{ImageAction, PlannedImage},
    },
};

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

pub(super) async fn forward(context: &Context, step: &str) -> Result<Value, Failure> {
    let mut pulled = 0_u32;
    for image in &context.plan.images {
        let reference = Reference::parse(&image.reference);
        let Some(digest) = image.digest.as_deref().filter(|_| image.action != ImageAction::Keep) else {
            continue;
        };
        let failed = |error| docker_failure(format!("the image {reference}"), &error);
        let by_digest = reference.with_digest(digest);
        if context.docker.image(&by_digest).await.map_err(failed)?.is_some() {
            context.docker.tag(&by_digest, &reference).await.map_err(failed)?;
        } else {
            pull(context, step, image, digest).await?;
            pulled = pulled.saturating_add(1);
        }
    }
    Ok(summary(match pulled {
        0 => "all images are here".to_owned(),
        1 => "1 image".to_owned(),
        n => format!("{n} images"),
    }))
}

async fn pull(context: &Context, step: &str, image: &PlannedImage, digest: &str) -> Result<(), Failure> {
    let reference = Reference::parse(&image.reference);
    let (sender, mut receiver) = mpsc::channel::<PullProgress>(1);
    let mut told: Option<Instant> = None;
    let tell = move |progress: PullProgress| {
        if told.is_none_or(|at| at.elapsed() >= TELL) {
            told = Some(Instant::now());
            // A full channel only means that the last one has not been written yet.
            sender.try_send(progress).unwrap_or_default();
        }
    };
    let telling = async {
        while let Some(PullProgress { current, total }) = receiver.recv().await {
            context
                .progress(step, format!("{reference} {} of {} MB", megabytes(current), megabytes(total)))
                .await;
        }
    };
    let (pulled, ()) = tokio::join!(context.docker.pull(&reference, digest, tell), telling);
    pulled.map_err(|error| {
        let failure = docker_failure(format!("the image {reference} could not be pulled"), &error);
        if error.is_denied() {
            return failure.hint(context.docker.logins().hint(&reference));
        }
        failure.hint("see that the registry answers and that the droplet has space: `tidegate info`")
    })
}

/// With one decimal.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    for image in context.plan.images.iter().filter(|image| image.action != ImageAction::Keep) {
        let reference = Reference::parse(&image.reference);
        let failed = |error| docker_failure(format!("the image {reference}"), &error);
        match &image.former {
            Some(former) => context.docker.tag(former, &reference).await.map_err(failed)?,
            None => context.docker.untag(&image.reference).await.map_err(failed)?,
        }
    }
    Ok(())
}
