//! Images: pulled by digest, named as the file names them. Taken back by giving the name to the image that had it, and
//! removing what was pulled. Where the disk is short, images of old releases go first.

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
        planner::admit::{self, RESERVE, RESERVED_FILES},
        retention::Room,
        survey,
    },
};

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

pub(super) async fn forward(context: &Context, step: &str) -> Result<Value, Failure> {
    let mut pulled = 0_u32;
    let mut removed = Vec::new();
    for image in &context.plan.images {
        if image.action == ImageAction::Keep {
            continue;
        }
        let reference = Reference::parse(&image.reference);
        let failed = |error| docker_failure(format!("the image {reference}"), &error);
        let by_digest = image.digest.as_deref().map(|digest| reference.with_digest(digest));
        // Whichever of the two is here is the same image; a retry finds what an earlier try has pulled.
        let mut here = None;
        for name in image.id.iter().chain(&by_digest) {
            if context.docker.image(name).await.map_err(failed)?.is_some() {
                here = Some(name.as_str());
                break;
            }
        }
        match (here, image.digest.as_deref()) {
            (Some(name), _) => context.docker.tag(name, &reference).await.map_err(failed)?,
            (None, Some(digest)) => {
                removed.extend(room_to_begin(context, step).await?);
                pull(context, step, image, digest).await?;
                pulled = pulled.saturating_add(1);
            }
            (None, None) => return Err(gone(image)),
        }
    }
    let pulled = match pulled {
        0 => "all images are here".to_owned(),
        1 => "1 image".to_owned(),
        n => format!("{n} images"),
    };
    if removed.is_empty() {
        return Ok(summary(pulled));
    }
    Ok(summary(format!("{pulled}; removed of old releases: {}", removed.join(", "))))
}

fn gone(image: &PlannedImage) -> Failure {
    Failure::new(
        format!("the image {} is gone", image.reference),
        "it was on this droplet when the release was planned",
    )
    .hint("deploy again")
}

/// Sees to it that the disk has what has to stay free; the images of old releases that went for it.
async fn room_to_begin(context: &Context, step: &str) -> Result<Vec<String>, Failure> {
    let Ok(machine) = context.docker.machine().await else { return Ok(Vec::new()) };
    let room = Room { data: &machine.data, bytes: RESERVE, files: RESERVED_FILES };
    if room.is_there().await {
        return Ok(Vec::new());
    }
    let removed = make_room(context, step, room).await;
    match survey::disk_space(room.data).await.as_ref().and_then(admit::full) {
        Some(failure) => Err(failure),
        None => Ok(removed),
    }
}

/// Removes images of old releases until there is room, and tells which.
async fn make_room(context: &Context, step: &str, room: Room<'_>) -> Vec<String> {
    let own = context.plan.images.iter().flat_map(|image| image.id.iter().chain(&image.former));
    let spared = own.map(String::as_str).collect();
    let removed = context.images().make_room(&spared, room).await;
    if !removed.is_empty() {
        let text = format!("the disk is short: removed {} of old releases", removed.join(", "));
        context.progress(step, text).await;
    }
    removed
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
        let mut tried = false;
        while let Some(progress) = receiver.recv().await {
            let PullProgress { current, total } = progress;
            context
                .progress(step, format!("{reference} {} of {} MB", megabytes(current), megabytes(total)))
                .await;
            let Some(failure) = too_large(context, &reference, progress).await else { continue };
            if tried {
                return Some(failure);
            }
            tried = true;
            if let Ok(machine) = context.docker.machine().await {
                let bytes = to_come(progress).saturating_add(RESERVE);
                make_room(context, step, Room { data: &machine.data, bytes, files: 0 }).await;
            }
            if too_large(context, &reference, progress).await.is_some() {
                return Some(failure);
            }
        }
        None
    };
    let pulling = context.docker.pull(&reference, digest, tell);
    tokio::pin!(pulling, telling);
    let pulled = tokio::select! {
        pulled = &mut pulling => pulled,
        Some(failure) = &mut telling => return Err(failure),
    };
    pulled.map_err(|error| {
        let failure = docker_failure(format!("the image {reference} could not be pulled"), &error);
        if error.is_denied() {
            return failure.hint(context.docker.logins().hint(&reference));
        }
        failure.hint("see that the registry answers and that the droplet has space: `tidegate info`")
    })
}

/// What is still to come, as far as known, in bytes.
fn to_come(progress: PullProgress) -> u64 {
    progress.total.saturating_sub(progress.current)
}

/// Ends a pull that would fill the disk. How large an image is its pull tells bit by bit: what is still to come is needed
/// at least, and unpacked it is more.
async fn too_large(context: &Context, reference: &Reference, progress: PullProgress) -> Option<Failure> {
    let data = &context.docker.machine().await.ok()?.data;
    let free = crate::host::free(data).await.ok()?.bytes;
    let to_come = to_come(progress);
    if free >= to_come.saturating_add(RESERVE) {
        return None;
    }
    let why = format!(
        "at least {} MB of it are still to come, {} MB are free on the disk of {}, and {} MB have to stay free",
        megabytes(to_come),
        megabytes(free),
        data.display(),
        megabytes(RESERVE)
    );
    Some(Failure::new(format!("the image {reference} does not fit on the droplet's disk"), why).hint(
        "see `docker system df` on the droplet, and remove what nobody needs (`docker image prune -a`), or give it a larger disk",
    ))
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
        // What this release has pulled bears its digest still where the tag went back to another image, or never came: no
        // release would ever remove it.
        if let (None, Some(digest)) = (&image.id, &image.digest) {
            context.docker.untag(&reference.with_digest(digest)).await.map_err(failed)?;
        }
    }
    Ok(())
}
