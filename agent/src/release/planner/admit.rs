//! Whether the droplet can carry a release: disk, memory, and what its images are made for.
//!
//! Images' sizes are not known before they are pulled, because Docker does not tell what a registry's manifest says: here
//! only a reserve is asked for, and the pull itself ends when what it learns does not fit (`steps/pull.rs`).

use tidegate_compose::Service;

use super::Wanted;
use crate::{
    docker::{Platform, body},
    release::{
        Failure,
        plan::{ImageAction, PlannedImage, PlannedService, Strategy},
        world::{DiskSpace, Machine, World},
    },
};

/// What has to be free on Docker's disk for a pull, in bytes: database, journal and logs have to go on.
pub const RESERVE: u64 = 512 * MEBIBYTE;
/// How many files have to be possible there; an image unpacks to thousands.
pub const RESERVED_FILES: u64 = 20_000;
const MEBIBYTE: u64 = 1024 * 1024;

/// What stands against the release, and what is only told.
#[derive(Debug, Default)]
pub(super) struct Admission {
    pub(super) refused: Vec<Failure>,
    pub(super) notes: Vec<String>,
}

pub(super) fn check(
    wanted: Wanted<'_>,
    world: &World,
    (images, services): (&[PlannedImage], &[PlannedService]),
) -> Admission {
    let mut admission = Admission::default();
    let Some(machine) = &world.machine else {
        return admission;
    };
    if let Some(disk) = &machine.disk
        && images.iter().any(|image| image.action == ImageAction::Pull)
    {
        if is_short(disk)
            && disk.available.saturating_add(disk.reclaimable) >= RESERVE
            && disk.reclaimable > 0
        {
            admission.notes.push(format!(
                "the droplet's disk is short: images of old releases, up to {} of them, are removed before the pull",
                megabytes(disk.reclaimable)
            ));
        } else {
            admission.refused.extend(full(disk));
        }
    }
    for service in wanted.project.services.values() {
        admission.refused.extend(foreign(world, machine, service));
        admission.refused.extend(too_large(machine, service));
    }
    admission.notes.extend(crowded(wanted, machine, services));
    admission
}

/// Whether a disk has less room than a pull has to leave.
pub fn is_short(disk: &DiskSpace) -> bool {
    disk.available < RESERVE || disk.files.is_some_and(|files| files < RESERVED_FILES)
}

/// A disk without room for a pull.
pub fn full(disk: &DiskSpace) -> Option<Failure> {
    let place = disk.path.display();
    let (what, why) = if disk.available < RESERVE {
        let why = format!(
            "{} are free on the disk of {place}, and a pull has to leave {}",
            megabytes(disk.available),
            megabytes(RESERVE)
        );
        ("the droplet's disk is full", why)
    } else if disk.files.is_some_and(|files| files < RESERVED_FILES) {
        let files = disk.files.unwrap_or_default();
        let why = format!(
            "the disk of {place} has room for {files} more files (inodes), and a pull has to leave {RESERVED_FILES}"
        );
        ("the droplet's disk has no room for more files", why)
    } else {
        return None;
    };
    Some(Failure::new(what, why).hint(
        "see `docker system df` on the droplet, and remove what nobody needs (`docker image prune -a`), or give it a larger disk",
    ))
}

/// An image that is made for another machine.
fn foreign(world: &World, machine: &Machine, service: &Service) -> Option<Failure> {
    let own = machine.platform.as_ref()?;
    let offered = &world.images.get(&service.image)?.platforms;
    if offered.is_empty() {
        return None;
    }
    let list = offered.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ");
    let asked = Platform::parse(&service.platform);
    let (why, place, hint) = match &asked {
        // Whoever names another platform has an emulator for it.
        Some(asked) if offered.contains(asked) => return None,
        Some(asked) => {
            let why = format!(
                "`platform` asks for {asked}, and the image is made for {list}; the droplet is {own}"
            );
            (why, "platform", format!("correct `platform`, or build the image for {asked}"))
        }
        None if offered.iter().any(|one| own.runs(one)) => return None,
        None => {
            let why = format!("it is made for {list}, and the droplet is {own}");
            let hint = format!(
                "build it for {own} (`docker buildx build --platform {own} ...`); where the droplet emulates it, say so with `platform:`"
            );
            (why, "image", hint)
        }
    };
    let what =
        format!("the image {} of service {} does not run on this droplet", service.image, service.name);
    Some(Failure::new(what, why).at(format!("services.{}.{place}", service.name)).hint(hint))
}

/// A container that may use more memory than there is.
fn too_large(machine: &Machine, service: &Service) -> Option<Failure> {
    let memory = body::memory(service);
    let (word, asked) = [("may use", memory.limit), ("reserves", memory.reserved)]
        .into_iter()
        .find(|(_, bytes)| machine.memory > 0 && *bytes > machine.memory)?;
    let what = format!("service {} needs a larger droplet", service.name);
    let why = format!(
        "a container of it {word} {} of memory, and the droplet has {}",
        megabytes(asked),
        megabytes(machine.memory)
    );
    let key = if service.deploy.is_some() { "deploy" } else { "mem_limit" };
    Some(
        Failure::new(what, why)
            .at(format!("services.{}.{key}", service.name))
            .hint("lower its memory limit and reservation, or take a larger `size` for the droplet"),
    )
}

/// Containers that may use more memory than there is together. Only told: few use their limit at the same time.
fn crowded(wanted: Wanted<'_>, machine: &Machine, services: &[PlannedService]) -> Option<String> {
    let most = |planned: &PlannedService| {
        let service = wanted.project.services.get(planned.name.as_str());
        let limit = service.map_or(0, |service| body::memory(service).limit);
        let (old, new) = (planned.old.len(), planned.new.len());
        let at_once = match planned.strategy {
            Strategy::BlueGreen => old.saturating_add(new),
            Strategy::Rolling => old.max(new).saturating_add(1),
            Strategy::Recreate => old.max(new),
        };
        let count = planned.kept.len().saturating_add(at_once);
        limit.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX))
    };
    let sum = services.iter().map(most).fold(0_u64, u64::saturating_add);
    (machine.memory > 0 && sum > machine.memory).then(|| {
        format!(
            "the containers that run beside each other in this release may use {} of memory together, and the droplet has {}",
            megabytes(sum),
            megabytes(machine.memory)
        )
    })
}

/// In millions of bytes, as disks and droplets are sold.
fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}
