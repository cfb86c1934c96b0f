//! Images of past releases, and which of them may go. Those of the last releases of every app stay, for a rollback needs no
//! registry then; what a container uses stays, and what bears a name that no release gave it; and what came from no
//! registry, for nobody could bring it back. What no release of ours had is never looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use jiff::Timestamp;
use tidegate_compose::{
    Compatibility,
    x_tidegate::{Retention, Tagged},
};

use super::{
    DeployInput, ReleaseRow, ReleaseState, chain, load,
    store::{ReleaseImage, ReleaseStore},
};
use crate::{
    apps::{AppName, AppPaths},
    docker::{Docker, DockerError, ImageFacts, Reference},
    host,
};

/// How many releases keep their images when the disk is short: the one that serves, and the one to go back to.
const LAST: u32 = 2;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// As each app's file says.
    AsWritten,
    /// No more than what serves and the release before, because the disk is short.
    Last,
}

/// What has to be free on Docker's disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room<'a> {
    /// Where the disk is.
    pub(super) data: &'a Path,
    /// In bytes.
    pub(super) bytes: u64,
    /// How many more files there have to be room for.
    pub(super) files: u64,
}

impl Room<'_> {
    /// Whether that much is free; where it cannot be measured nobody knows, and nothing more is removed.
    pub(super) async fn is_there(self) -> bool {
        let free = host::free(self.data).await;
        free.map_or(true, |free| {
            free.bytes >= self.bytes && free.files.is_none_or(|files| files >= self.files)
        })
    }
}

/// An image that no kept release has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outdated<'r> {
    id: &'r str,
    /// The names that releases gave it.
    names: BTreeSet<String>,
    /// What becomes of it should it bear a tag that people rely on.
    tagged: Tagged,
    /// When the last release that had it began.
    last: Timestamp,
}

/// Images of past releases on this droplet.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) docker: &'a Docker,
    pub(super) store: &'a ReleaseStore,
    pub(super) paths: &'a AppPaths,
}

impl Images<'_> {
    /// Removes what may go; a failure harms nobody and is only logged.
    pub(super) async fn prune(self) {
        self.remove_until(Extent::AsWritten, &BTreeSet::new(), None).await;
    }

    /// Removes images of old releases, the oldest first, until there is room; the names of those that went. Images with
    /// these ids stay.
    pub(super) async fn make_room(self, spared: &BTreeSet<&str>, room: Room<'_>) -> Vec<String> {
        self.remove_until(Extent::Last, spared, Some(room)).await
    }

    /// How many bytes [`Images::make_room`] may free at most: images share layers.
    pub(super) async fn reclaimable(self, spared: &BTreeSet<&str>) -> u64 {
        let Some((rows, settings, used)) = self.looked().await else { return 0 };
        let mut bytes = 0_u64;
        for old in outdated(&rows, &settings, Extent::Last) {
            if used.contains(old.id) || spared.contains(old.id) {
                continue;
            }
            if let Ok(Some(image)) = self.docker.image(old.id).await
                && may_go(&old, &image)
            {
                bytes = bytes.saturating_add(image.size);
            }
        }
        bytes
    }

    /// The images that [`Images::prune`] or [`Images::make_room`] would remove, the oldest first.
    ///
    /// # Errors
    /// When Docker does not answer.
    pub(super) async fn due(self, extent: Extent) -> Result<Vec<ImageFacts>, DockerError> {
        let Some((rows, settings, used)) = self.looked().await else { return Ok(Vec::new()) };
        let mut due = Vec::new();
        for old in outdated(&rows, &settings, extent).iter().filter(|old| !used.contains(old.id)) {
            due.extend(self.docker.image(old.id).await?.filter(|image| may_go(old, image)));
        }
        Ok(due)
    }

    /// The ids of the images that have to stay for releases that serve, served lately or have not ended.
    pub(super) fn kept(self, rows: &[ReleaseRow]) -> BTreeSet<String> {
        let settings = self.settings(rows);
        let outdated = outdated(rows, &settings, Extent::AsWritten);
        let is_old = |id: &str| outdated.iter().any(|old| old.id == id);
        let images = rows.iter().flat_map(|row| &row.images);
        images.filter(|image| !is_old(&image.id)).map(|image| image.id.clone()).collect()
    }

    /// The ids of the images that containers use, whoever's they are.
    ///
    /// # Errors
    /// When Docker does not answer.
    pub(super) async fn used(self) -> Result<BTreeSet<String>, DockerError> {
        let containers = self.docker.containers(&[]).await?;
        Ok(containers.into_iter().map(|container| container.image_id).collect())
    }

    /// Removes an image with all its names.
    ///
    /// # Errors
    /// When Docker refuses.
    pub(super) async fn remove(self, image: &ImageFacts) -> Result<(), DockerError> {
        for tag in &image.tags {
            self.docker.untag(tag).await?;
        }
        if self.docker.image(&image.id).await?.is_some() {
            self.docker.untag(&image.id).await?;
        }
        Ok(())
    }

    async fn remove_until(
        self,
        extent: Extent,
        spared: &BTreeSet<&str>,
        room: Option<Room<'_>>,
    ) -> Vec<String> {
        let mut removed = Vec::new();
        let Some((rows, settings, used)) = self.looked().await else { return removed };
        for old in outdated(&rows, &settings, extent) {
            if used.contains(old.id) || spared.contains(old.id) {
                continue;
            }
            match remove(self, &old).await {
                Ok(Removed::Yes) => {
                    tracing::info!(id = old.id, names = ?old.names, "the image of an old release was removed");
                    removed.extend(old.names);
                }
                Ok(Removed::No) => continue,
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(id = old.id, error, "the image of an old release could not be removed");
                    continue;
                }
            }
            if let Some(room) = room
                && room.is_there().await
            {
                break;
            }
        }
        removed
    }

    /// All releases, each app's setting, and the ids of images that containers use. None where that is not to be had.
    async fn looked(self) -> Option<(Vec<ReleaseRow>, BTreeMap<AppName, Retention>, BTreeSet<String>)> {
        let rows = self.store.releases(None).await;
        let rows = rows.map_err(|error| not_looked_for(&error)).ok()?;
        let settings = self.settings(&rows);
        if outdated(&rows, &settings, Extent::Last).is_empty() {
            return None;
        }
        let containers = self.docker.containers(&[]).await;
        let containers = containers.map_err(|error| not_looked_for(&error)).ok()?;
        Some((rows, settings, containers.into_iter().map(|container| container.image_id).collect()))
    }

    /// What the file of each app's serving release says.
    fn settings(self, rows: &[ReleaseRow]) -> BTreeMap<AppName, Retention> {
        let serving = rows.iter().filter(|row| row.state == ReleaseState::Released);
        let setting = |row: &ReleaseRow| {
            let input = DeployInput::read(&self.paths.release(&row.app, row.number)).ok()?;
            let loaded =
                load::project(&input, &self.paths.project(&row.app), Compatibility::default()).ok()?;
            Some((row.app.clone(), loaded.extension.retention))
        };
        serving.filter_map(setting).collect()
    }
}

fn not_looked_for(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error = chain(error), "old images were not looked for");
}

/// Images that no kept release has, the one that was used last at the end. The rows are the latest of each app first.
fn outdated<'r>(
    rows: &'r [ReleaseRow],
    settings: &BTreeMap<AppName, Retention>,
    extent: Extent,
) -> Vec<Outdated<'r>> {
    let setting = |app: &AppName| settings.get(app).copied().unwrap_or_default();
    let most = |app: &AppName| match extent {
        Extent::AsWritten => setting(app).releases,
        Extent::Last => setting(app).releases.min(LAST),
    };
    let mut served: BTreeMap<&AppName, u32> = BTreeMap::new();
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for row in rows.iter().filter(|row| is_served(row)) {
        let count = served.entry(&row.app).or_default();
        if *count < most(&row.app) {
            kept.extend(row.images.iter().map(|image| image.id.as_str()));
        }
        *count = count.saturating_add(1);
    }
    let mut outdated: BTreeMap<&str, Outdated<'r>> = BTreeMap::new();
    for row in rows {
        for ReleaseImage { reference, id, digest } in &row.images {
            if digest.is_none() || kept.contains(id.as_str()) {
                continue;
            }
            let (names, last) = (BTreeSet::new(), row.started_at);
            let new = Outdated { id, names, tagged: Tagged::Removed, last };
            let entry = outdated.entry(id).or_insert(new);
            entry.names.insert(with_tag(reference));
            entry.last = entry.last.max(row.started_at);
            if setting(&row.app).tagged == Tagged::Kept {
                entry.tagged = Tagged::Kept;
            }
        }
    }
    let mut sorted: Vec<Outdated<'r>> = outdated.into_values().collect();
    sorted.sort_by_key(|old| old.last);
    sorted
}

fn is_served(row: &ReleaseRow) -> bool {
    match row.state {
        ReleaseState::Released | ReleaseState::Superseded => true,
        ReleaseState::Running | ReleaseState::Undone | ReleaseState::Stuck | ReleaseState::Removed => false,
    }
}

/// As Docker lists it.
fn with_tag(reference: &str) -> String {
    let reference = Reference::parse(reference);
    let short = reference.repository.strip_prefix("docker.io/").unwrap_or(&reference.repository);
    let short = short.strip_prefix("library/").unwrap_or(short);
    format!("{short}:{}", reference.tag.as_deref().unwrap_or_default())
}

/// Whether nobody but past releases names it, and none of its tags is one to rely on where these are kept.
fn may_go(old: &Outdated<'_>, image: &ImageFacts) -> bool {
    let is_ours = image.tags.iter().all(|tag| old.names.contains(tag));
    let is_relied_on = || image.tags.iter().chain(&old.names).any(|name| is_lasting(name));
    is_ours && (old.tagged == Tagged::Removed || !is_relied_on())
}

/// Whether the tag of a name is one that people rely on: `latest`, `stable`, or a semantic version (`1.2.3`, `v1.2.3-rc.1`).
fn is_lasting(name: &str) -> bool {
    let tag = name.rsplit_once(':').map_or("", |(_, tag)| tag);
    if matches!(tag, "latest" | "stable") {
        return true;
    }
    let version = tag.strip_prefix('v').unwrap_or(tag);
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    numbers.len() == 3 && numbers.iter().all(is_number)
}

enum Removed {
    Yes,
    No,
}

async fn remove(images: Images<'_>, old: &Outdated<'_>) -> Result<Removed, DockerError> {
    let Some(image) = images.docker.image(old.id).await?.filter(|image| may_go(old, image)) else {
        return Ok(Removed::No);
    };
    images.remove(&image).await?;
    Ok(Removed::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(app: &str, number: u64, state: ReleaseState, images: &[(&str, &str, Option<&str>)]) -> ReleaseRow {
        let image = |(reference, id, digest): &(&str, &str, Option<&str>)| ReleaseImage {
            reference: (*reference).to_owned(),
            id: (*id).to_owned(),
            digest: digest.map(str::to_owned),
        };
        ReleaseRow {
            images: images.iter().map(image).collect(),
            started_at: Timestamp::from_second(i64::try_from(number).unwrap()).unwrap(),
            ..ReleaseRow::in_state(app, number, state)
        }
    }

    /// Eight releases of the shop, each with an image of its own, and what others have.
    fn rows() -> Vec<ReleaseRow> {
        use ReleaseState::{Released, Superseded, Undone};
        let digest = Some("sha256:d");
        let mut rows = vec![row("blog", 1, Released, &[("web", "shared", digest)])];
        rows.push(row("shop", 9, Undone, &[]));
        rows.push(row("shop", 8, Released, &[("web:8", "i8", digest)]));
        for number in (1..=7).rev() {
            let (name, id) = (format!("docker.io/library/web:{number}"), format!("i{number}"));
            rows.push(row("shop", number, Superseded, &[(&name, &id, digest), ("own", "local", None)]));
        }
        rows.push(row("shop", 0, Superseded, &[("web", "shared", digest), ("web:8", "i8", digest)]));
        rows
    }

    fn found(settings: &[(&str, Retention)], extent: Extent) -> Vec<(String, Vec<String>)> {
        let settings = settings.iter().map(|(app, kept)| (AppName::new(*app).unwrap(), *kept)).collect();
        let rows = rows();
        let found = outdated(&rows, &settings, extent).into_iter();
        found.map(|old| (old.id.to_owned(), old.names.into_iter().collect())).collect()
    }

    fn expected(numbers: impl Iterator<Item = u64>) -> Vec<(String, Vec<String>)> {
        numbers.map(|n| (format!("i{n}"), vec![format!("web:{n}")])).collect()
    }

    #[test]
    fn what_the_last_releases_of_any_app_have_stays_and_the_oldest_goes_first() {
        let kept = |releases| [("shop", Retention { releases, tagged: Tagged::Removed })];
        assert_eq!(found(&[], Extent::AsWritten), expected(1..=3));
        assert_eq!(found(&kept(7), Extent::AsWritten), expected(1..=1));
        assert_eq!(found(&kept(1), Extent::AsWritten), expected(1..=7));
        assert_eq!(found(&kept(7), Extent::Last), expected(1..=6));
        assert_eq!(found(&kept(1), Extent::Last), expected(1..=7));
    }

    #[test]
    fn tags_to_rely_on_stay_where_the_file_says_so() {
        let image = |tags: &[&str]| ImageFacts {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..ImageFacts::default()
        };
        let names = ["web:1.2.3", "web:7f3c2a1"].map(str::to_owned);
        let old = |tagged, name: &str| Outdated {
            id: "i",
            names: names.iter().filter(|own| *own == name).cloned().collect(),
            tagged,
            last: Timestamp::UNIX_EPOCH,
        };
        assert!(may_go(&old(Tagged::Removed, "web:1.2.3"), &image(&["web:1.2.3"])));
        assert!(!may_go(&old(Tagged::Kept, "web:1.2.3"), &image(&["web:1.2.3"])));
        assert!(may_go(&old(Tagged::Kept, "web:7f3c2a1"), &image(&["web:7f3c2a1"])));
        // Whoever gave it another name wants it.
        assert!(!may_go(&old(Tagged::Removed, "web:7f3c2a1"), &image(&["web:7f3c2a1", "mine:1"])));
        for lasting in ["web:latest", "r:5000/web:stable", "web:1.2.3", "web:v1.2.3-rc.1+5"] {
            assert!(is_lasting(lasting), "{lasting}");
        }
        for other in ["web:1", "web:1.2", "r:5000/web", "web:1.2.3.4", "web:7f3c2a1", "web:1.2.x", "web:"] {
            assert!(!is_lasting(other), "{other}");
        }
    }
}
