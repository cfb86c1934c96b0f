//! Whether what the user wrote exists: region, sizes, images, free names, the droplet limit. All problems at once, each
//! with its place and the nearest names. Pure.

use super::snapshot::Snapshot;
use crate::{
    cloud::{regions::Region, ssh_keys::same_key},
    fleet::{Fleet, Located},
    names::same_tag,
    state::Inventory,
    suggest::nearest_few,
};

/// Values of the fleet file that the account does not bear out; one paragraph each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n\n"))]
pub struct CheckError(pub Vec<String>);

/// Checks the fleet's values against the account.
///
/// # Errors
/// With everything that is wrong.
pub fn check(fleet: &Fleet, inventory: &Inventory, ssh_key: &str, now: &Snapshot) -> Result<(), CheckError> {
    let mut problems = values(fleet, now);
    problems.extend(taken_names(fleet, inventory, ssh_key, now));
    problems.extend(limits(fleet, now));
    if problems.is_empty() { Ok(()) } else { Err(CheckError(problems)) }
}

fn values(fleet: &Fleet, now: &Snapshot) -> Vec<String> {
    let mut problems = Vec::new();
    let region = &fleet.region;
    let known = now.regions.iter().find(|own| own.slug == region.value);
    match known {
        None => {
            let open = now.regions.iter().filter(|own| own.available).map(|own| own.slug.as_str());
            problems.push(unknown(fleet, "region", region, open));
        }
        Some(own) if !own.available => {
            problems.push(format!(
                "{}: region `{}` takes no new droplets at present",
                fleet.at(region),
                region.value
            ));
        }
        Some(_) => {}
    }
    for role in fleet.roles.values() {
        problems.extend(size_problem(fleet, &role.size, now, known));
        problems.extend(image_problem(fleet, &role.image, &role.size, now));
    }
    problems.dedup();
    problems
}

fn size_problem(
    fleet: &Fleet,
    wanted: &Located<String>,
    now: &Snapshot,
    known: Option<&Region>,
) -> Option<String> {
    let region = &fleet.region.value;
    let here = |size: &&crate::cloud::sizes::Size| {
        size.available && (known.is_none() || size.regions.contains(region))
    };
    let Some(size) = now.sizes.iter().find(|own| own.slug == wanted.value) else {
        return Some(unknown(
            fleet,
            "size",
            wanted,
            now.sizes.iter().filter(here).map(|own| own.slug.as_str()),
        ));
    };
    if here(&size) {
        return None;
    }
    let near =
        nearest_few(&wanted.value, now.sizes.iter().filter(here).map(|own| own.slug.as_str()), 4).join(", ");
    Some(format!("{}: size `{}` cannot be had in {region}; near it: {near}", fleet.at(wanted), wanted.value))
}

fn image_problem(
    fleet: &Fleet,
    wanted: &Located<String>,
    size: &Located<String>,
    now: &Snapshot,
) -> Option<String> {
    let Some(image) = now.chosen.get(&wanted.value).and_then(Option::as_ref) else {
        return Some(unknown(
            fleet,
            "image",
            wanted,
            now.images.iter().filter_map(|own| own.slug.as_deref()),
        ));
    };
    let disk = now.sizes.iter().find(|own| own.slug == size.value).map(|own| own.disk);
    if let (Some(least), Some(disk)) = (image.min_disk_size, disk)
        && least > disk
    {
        return Some(format!(
            "{}: image `{}` needs a disk of {least} GB, size `{}` has {disk} GB",
            fleet.at(wanted),
            wanted.value,
            size.value
        ));
    }
    let region = &fleet.region.value;
    let absent = !image.regions.is_empty() && !image.regions.contains(region);
    absent.then(|| format!("{}: image `{}` cannot be had in {region}", fleet.at(wanted), wanted.value))
}

fn unknown<'n>(
    fleet: &Fleet,
    kind: &str,
    wanted: &Located<String>,
    known: impl IntoIterator<Item = &'n str>,
) -> String {
    let near = nearest_few(&wanted.value, known, 4).join(", ");
    format!("{}: there is no {kind} `{}`; the nearest are {near}", fleet.at(wanted), wanted.value)
}

/// Names that somebody else's resources have. What is not provably ours is not adopted.
fn taken_names(fleet: &Fleet, inventory: &Inventory, ssh_key: &str, now: &Snapshot) -> Vec<String> {
    let scope = &fleet.scope;
    let mut problems = Vec::new();
    let mut taken = |kind: &str, name: &str| {
        problems.push(format!(
            "the name {name} is taken by a {kind} that tidegate did not make for {scope}: \
             rename or delete it, or choose another `fleet` in tidegate.toml"
        ));
    };
    let vpc = now.vpcs.iter().find(|vpc| vpc.name == scope.base());
    if vpc.is_some_and(|vpc| !is_our_vpc(vpc, inventory, &scope.tag())) {
        taken("vpc", &scope.base());
    }
    let theirs = |key: &&crate::cloud::ssh_keys::SshKey| {
        key.name == scope.base() && !same_key(&key.public_key, ssh_key)
    };
    if now.ssh_keys.iter().any(|key| theirs(&key)) {
        taken("ssh key", &scope.base());
    }
    for name in fleet.firewalls.keys() {
        let full = scope.firewall(name);
        let found = now.firewalls.iter().find(|own| own.spec.name == full);
        if found.is_some_and(|own| !is_our_firewall(own, inventory, &scope.firewall_tag(name))) {
            taken("firewall", &full);
        }
    }
    for (role, wanted) in &fleet.roles {
        for number in 1..=wanted.count {
            let full = scope.droplet(role, number);
            let theirs = |own: &&crate::cloud::droplets::Droplet| {
                own.name.eq_ignore_ascii_case(&full) && !own.has_tag(&scope.tag())
            };
            if now.droplets.iter().any(|own| theirs(&own)) {
                taken("droplet", &full);
            }
        }
    }
    problems
}

/// By the mark in its description, or the id that we recorded.
pub fn is_our_vpc(vpc: &crate::cloud::vpcs::Vpc, inventory: &Inventory, tag: &str) -> bool {
    inventory.vpc.as_deref() == Some(vpc.id.as_str()) || vpc.description.as_deref() == Some(tag)
}

/// By the tag that only our firewall of this name protects, or the id that we recorded.
pub fn is_our_firewall(
    firewall: &crate::cloud::firewalls::Firewall,
    inventory: &Inventory,
    tag: &str,
) -> bool {
    inventory.firewalls.get(&firewall.spec.name) == Some(&firewall.id)
        || firewall.spec.tags.iter().any(|own| same_tag(own, tag))
}

fn limits(fleet: &Fleet, now: &Snapshot) -> Option<String> {
    let account = &now.account;
    if account.status == "locked" {
        return Some(format!("the account {} is locked: {}", account.email, account.status_message));
    }
    let wanted: usize =
        fleet.roles.values().map(|role| usize::try_from(role.count).unwrap_or(usize::MAX)).sum();
    let ours = now.droplets.iter().filter(|own| own.has_tag(&fleet.scope.tag())).count();
    let others = now.droplets.len() - ours;
    let limit = usize::try_from(account.droplet_limit).unwrap_or(usize::MAX);
    (others + wanted.max(ours) > limit).then(|| {
        format!(
            "the account may have {limit} droplets and has {} ({ours} of them of {}); the file wants {wanted}: \
             delete some, or ask for a higher droplet limit in DigitalOcean's control panel",
            now.droplets.len(),
            fleet.scope
        )
    })
}
