//! The pulls of one release that are under way: how far they are together, and room for them on the disk.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    docker::{PullProgress, Reference},
    release::{
        Failure,
        context::Context,
        planner::admit::{self, RESERVE, RESERVED_FILES},
        retention::Room,
        survey,
    },
};

/// How often the disk is looked at, and progress is told where there is any.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Pulls<'a> {
    context: &'a Context,
    step: &'a str,
    under_way: Mutex<BTreeMap<String, PullProgress>>,
    /// Images of old releases that went. Held by whoever makes room: one at a time.
    removed: tokio::sync::Mutex<Vec<String>>,
}

impl<'a> Pulls<'a> {
    pub(super) fn new(context: &'a Context, step: &'a str) -> Self {
        Self { context, step, under_way: Mutex::default(), removed: tokio::sync::Mutex::default() }
    }

    /// How far a pull is.
    pub(super) fn note(&self, reference: &Reference, progress: PullProgress) {
        self.lock().insert(reference.text.clone(), progress);
    }

    /// A pull is at its end, well or not.
    pub(super) fn end(&self, reference: &Reference) {
        self.lock().remove(&reference.text);
    }

    /// Images of old releases that went for these pulls.
    pub(super) async fn removed(&self) -> Vec<String> {
        self.removed.lock().await.clone()
    }

    /// Sees to it that the disk has what has to stay free.
    pub(super) async fn room_to_begin(&self) -> Result<(), Failure> {
        let Ok(machine) = self.context.docker.machine().await else { return Ok(()) };
        let room = Room { data: &machine.data, bytes: RESERVE, files: RESERVED_FILES };
        self.make_room(room).await;
        survey::disk_space(room.data).await.as_ref().and_then(admit::full).map_or(Ok(()), Err)
    }

    /// Tells how far the pulls are, until one will not fit: how large an image is its pull tells bit by bit. What is still
    /// to come is needed at least, and unpacked it is more.
    pub(super) async fn overflow(&self) -> Failure {
        let mut told = None;
        let mut tried = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(text) = self.text() else { continue };
            if told.as_ref() != Some(&text) {
                self.context.progress(self.step, text.clone()).await;
                told = Some(text);
            }
            if self.too_large().await.is_none() {
                continue;
            }
            if !tried && let Ok(machine) = self.context.docker.machine().await {
                let bytes = self.to_come().saturating_add(RESERVE);
                self.make_room(Room { data: &machine.data, bytes, files: 0 }).await;
            }
            tried = true;
            if let Some(failure) = self.too_large().await {
                return failure;
            }
        }
    }

    /// Removes images of old releases until there is room, and tells which.
    async fn make_room(&self, room: Room<'_>) {
        let mut removed = self.removed.lock().await;
        if room.is_there().await {
            return;
        }
        let own = self.context.plan.images.iter().flat_map(|image| image.id.iter().chain(&image.former));
        let spared = own.map(String::as_str).collect();
        let more = self.context.images().make_room(&spared, room).await;
        if more.is_empty() {
            return;
        }
        let text = format!("the disk is short: removed {} of old releases", more.join(", "));
        self.context.progress(self.step, text).await;
        removed.extend(more);
    }

    /// Why what is still to come of all pulls does not fit; the image with the most to come is named.
    async fn too_large(&self) -> Option<Failure> {
        let data = &self.context.docker.machine().await.ok()?.data;
        let free = crate::host::free(data).await.ok()?.bytes;
        let image = self.lock().iter().max_by_key(|(_, progress)| to_come(**progress))?.0.clone();
        let to_come = self.to_come();
        if free >= to_come.saturating_add(RESERVE) {
            return None;
        }
        let why = format!(
            "at least {} MB are still to come, {} MB are free on the disk of {}, and {} MB have to stay free",
            megabytes(to_come),
            megabytes(free),
            data.display(),
            megabytes(RESERVE)
        );
        Some(Failure::new(format!("the image {image} does not fit on the droplet's disk"), why).hint(
            "see `docker system df` on the droplet, and remove what nobody needs (`docker image prune -a`), or give it a larger disk",
        ))
    }

    /// "postgres:17 12.3 of 84.0 MB", or of how many images; nothing while nothing is known.
    fn text(&self) -> Option<String> {
        let under_way = self.lock();
        let sum = under_way.values().fold(PullProgress::default(), |sum, one| PullProgress {
            current: sum.current.saturating_add(one.current),
            total: sum.total.saturating_add(one.total),
        });
        let what = match under_way.len() {
            1 => under_way.keys().next()?.clone(),
            n => format!("{n} images,"),
        };
        let text = format!("{what} {} of {} MB", megabytes(sum.current), megabytes(sum.total));
        (sum.total > 0).then_some(text)
    }

    /// What is still to come of all of them, as far as known, in bytes.
    fn to_come(&self) -> u64 {
        self.lock().values().fold(0, |sum, one| sum.saturating_add(to_come(*one)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, PullProgress>> {
        // Entries are inserted whole, so a panic elsewhere leaves the map sound.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is still to come, as far as known, in bytes.
fn to_come(progress: PullProgress) -> u64 {
    progress.total.saturating_sub(progress.current)
}

/// With one decimal.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}
