//! Which of an app's droplets run which of its services, and which of them its migration. Pure: it knows the fleet file's
//! roles and the Compose project, and asks nobody.
//!
//! A service without a written `place` runs on every droplet. Where there are several, that is refused for what may have
//! to be alone, see [`alone`]: two of it would do the same work twice, or write two truths.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use tidegate_compose::{
    Loaded, Service,
    x_tidegate::{
        Extension, Migrate, MigrationKind, MigrationPlace, Place, ServiceExtension, Strategy, place,
    },
};
use tidegate_proto::v1::{BackupBucket, DeployRequest, MigrationHere};

use super::buckets;
use crate::{
    agents::Target,
    fleet::{App, Fleet},
    names::Name,
    suggest,
};

/// A droplet that an app runs on, as the fleet file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `web-1`.
    pub short: String,
    /// `web`.
    pub role: String,
}

/// Which droplets run what of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// Services that do not run there, by droplet; a droplet without any has no entry.
    elsewhere: BTreeMap<String, BTreeSet<String>>,
    migration: Migration,
    /// Services by the bucket that they send their backups to.
    senders: BTreeMap<String, BTreeSet<String>>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Which droplets run the migration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Migration {
    /// All that run its service.
    #[default]
    Everywhere,
    /// One, which comes first.
    On(String),
    /// None of those that the release goes to.
    Nowhere,
}

/// Services whose place is wrong, or has to be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PlacementError {
    refused: Vec<Refusal>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    place: String,
    what: String,
    why: String,
    write: String,
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Refusal { place, what, why, write }) in self.refused.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{place}: {what}\n  why: {why}\n  write: {write}")?;
        }
        Ok(())
    }
}

/// The droplets of an app, in the order in which releases go to them.
pub fn members(fleet: &Fleet, app: &App) -> Vec<Member> {
    let roles: BTreeSet<Name> = fleet.roles_of(app).into_iter().collect();
    let of_role = |role: &Name| {
        let count = fleet.roles.get(role).map_or(0, |role| role.count);
        let member = |number| Member { short: format!("{role}-{number}"), role: role.to_string() };
        (1..=count).map(member).collect::<Vec<_>>()
    };
    let mut members: Vec<Member> = roles.iter().flat_map(of_role).collect();
    // As `agents::of_app` has it: web-2 before web-10.
    members.sort_by(|a, b| (a.short.len(), &a.short).cmp(&(b.short.len(), &b.short)));
    members
}

/// With the droplets that the release goes to though the fleet file has them no more: what runs elsewhere does not run there
/// either.
fn with_leftovers(members: &[Member], targets: &[&str]) -> Vec<Member> {
    let is_known = |target: &&&str| members.iter().any(|member| member.short == **target);
    let leftover = |target: &&str| {
        let role = target.rsplit_once('-').map_or(*target, |(role, _)| role).to_owned();
        Member { short: (*target).to_owned(), role }
    };
    members.iter().cloned().chain(targets.iter().filter(|target| !is_known(target)).map(leftover)).collect()
}

/// Decides for an app. `members` are its droplets, `targets` those that the release goes to, in their order.
///
/// # Errors
/// Everything that is wrong with the places of services, each with where it is written.
pub fn decide(
    (app, loaded, extension): (&Name, &Loaded, &Extension),
    members: &[Member],
    targets: &[&str],
) -> Result<Placement, PlacementError> {
    let members = &with_leftovers(members, targets);
    let located = |path: &str| match loaded.place(path) {
        Some(place) => {
            let file = place.file.strip_prefix(&format!("{}/", loaded.project.working_directory));
            format!("{}:{}:{}", file.unwrap_or(&place.file), place.line, place.column)
        }
        None => app.to_string(),
    };
    let mut refused = Vec::new();
    let mut elsewhere: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut warnings = Vec::new();
    for (name, service) in &loaded.project.services {
        let own = extension.services.get(name).cloned().unwrap_or_default();
        let here = match &own.place {
            None | Some(Place::All) => members.iter().collect(),
            Some(Place::One) => members.first().into_iter().collect(),
            Some(Place::Role(role)) => of_role((name, role), members, &located, &mut refused),
        };
        if own.place.is_none() && members.len() > 1 {
            let others: Vec<&Service> = loaded.project.services.values().collect();
            let why = alone((service, &own), (&others, &loaded.project.working_directory));
            refused
                .extend(why.map(|why| unplaced(name, why, (members, located(&format!("services.{name}"))))));
        }
        warnings.extend(unreached(name, &here, targets, members));
        for member in members.iter().filter(|member| !here.contains(member)) {
            elsewhere.entry(member.short.clone()).or_default().insert(name.clone());
        }
    }
    let mut told = BTreeSet::new();
    for (droplet, names) in &elsewhere {
        for torn in place::apart(&loaded.project, names) {
            if told.insert((torn.service.clone(), torn.needs.clone())) {
                refused.push(torn_apart(&torn, droplet, &located));
            }
        }
    }
    refused.extend(breaking(extension, members, &located));
    if !refused.is_empty() {
        return Err(PlacementError { refused });
    }
    let migration = migration(extension, (members, targets), &elsewhere);
    if migration == Migration::Nowhere {
        warnings.push("the migration is not run: none of these droplets runs its service".to_owned());
    }
    Ok(Placement { elsewhere, migration, senders: buckets::senders(extension), warnings })
}

impl Placement {
    /// The request as it goes to a droplet: with the buckets of services that run there, and no others.
    pub fn request(&self, droplet: &str, request: &DeployRequest) -> DeployRequest {
        let elsewhere: Vec<String> = self.elsewhere.get(droplet).into_iter().flatten().cloned().collect();
        let is_sent_to = |bucket: &BackupBucket| {
            let senders = self.senders.get(&bucket.name);
            senders.is_some_and(|services| services.iter().any(|service| !elsewhere.contains(service)))
        };
        let buckets = request.buckets.iter().filter(|bucket| is_sent_to(bucket)).cloned().collect();
        let migration = match &self.migration {
            Migration::Everywhere => MigrationHere::Run,
            Migration::On(one) if one == droplet => MigrationHere::Run,
            Migration::On(_) | Migration::Nowhere => MigrationHere::Elsewhere,
        };
        DeployRequest {
            elsewhere_services: elsewhere,
            migration_here: migration.into(),
            buckets,
            ..request.clone()
        }
    }

    /// Whether one droplet migrates for all of them.
    pub fn migrates_first(&self) -> bool {
        matches!(self.migration, Migration::On(_))
    }

    /// The droplets in the order in which the release goes to them: the one that migrates comes first, because the others'
    /// new code needs the new schema.
    pub fn order(&self, mut targets: Vec<Target>) -> Vec<Target> {
        if let Migration::On(first) = &self.migration {
            targets.sort_by_key(|target| target.short != *first);
        }
        targets
    }
}

/// A breaking migration stands still for one droplet's database; what other droplets do with it nobody there can stop.
fn breaking(extension: &Extension, members: &[Member], located: &impl Fn(&str) -> String) -> Option<Refusal> {
    let is_shared = |migrate: &&Migrate| {
        migrate.kind == MigrationKind::Breaking && migrate.place == MigrationPlace::One && members.len() > 1
    };
    extension.migrate.as_ref().filter(is_shared).map(|_| Refusal {
        place: located("x-tidegate.migrate.kind"),
        what: "a `breaking` migration of a database that several droplets use".to_owned(),
        why: "the agent that migrates cannot stop what runs on the others".to_owned(),
        write: "steps that old code can live with, of `kind: compatible`; or `place: all`, if each droplet has a database of its own"
            .to_owned(),
    })
}

fn migration(
    extension: &Extension,
    (members, targets): (&[Member], &[&str]),
    elsewhere: &BTreeMap<String, BTreeSet<String>>,
) -> Migration {
    let Some(migrate) = extension.migrate.as_ref().filter(|migrate| migrate.place == MigrationPlace::One)
    else {
        return Migration::Everywhere;
    };
    if members.len() < 2 {
        return Migration::Everywhere;
    }
    let runs =
        |droplet: &&&str| !elsewhere.get(**droplet).is_some_and(|names| names.contains(&migrate.service));
    targets.iter().find(runs).map_or(Migration::Nowhere, |first| Migration::On((*first).to_owned()))
}

fn of_role<'m>(
    (service, role): (&str, &str),
    members: &'m [Member],
    located: &impl Fn(&str) -> String,
    refused: &mut Vec<Refusal>,
) -> Vec<&'m Member> {
    let found: Vec<&Member> = members.iter().filter(|member| member.role == role).collect();
    if found.is_empty() {
        let roles: BTreeSet<&str> = members.iter().map(|member| member.role.as_str()).collect();
        let known = roles.iter().copied().collect::<Vec<_>>().join(", ");
        let near = suggest::nearest(role, roles.iter().copied().chain(["all", "one"]));
        let write = match near {
            Some(near) => format!("`place: {near}`, if that is meant; known are all, one, {known}"),
            None => format!("one of all, one, {known}"),
        };
        refused.push(Refusal {
            place: located(&format!("services.{service}.x-tidegate.place")),
            what: format!("service {service} has its place on `{role}`"),
            why: format!("the app runs on no droplet of a role of that name; it runs on {known}"),
            write,
        });
    }
    found
}

/// A place that the release does not reach because that droplet is not there, though others of the app are.
fn unreached(service: &str, here: &[&Member], targets: &[&str], members: &[Member]) -> Option<String> {
    let is_there = |member: &&Member| targets.contains(&member.short.as_str());
    let is_whole = members.iter().filter(|member| is_there(member)).count() > 1;
    if !is_whole || here.is_empty() || here.iter().any(is_there) {
        return None;
    }
    let names: Vec<&str> = here.iter().map(|member| member.short.as_str()).collect();
    Some(format!(
        "service {service} has its place on {}, to which this release does not go",
        names.join(", ")
    ))
}

fn unplaced(service: &str, why: String, (members, place): (&[Member], String)) -> Refusal {
    let first = members.first().map_or("", |member| member.short.as_str());
    let names: Vec<&str> = members.iter().map(|member| member.short.as_str()).collect();
    Refusal {
        place,
        what: format!("service {service} would run on {} droplets: {}", members.len(), names.join(", ")),
        why,
        write: format!(
            "`x-tidegate: {{ place: one }}` there where there must be one of it (it runs on {first} then), \
             `place: ROLE` for the droplets of a role, `place: all` where each may have its own"
        ),
    }
}

fn torn_apart(torn: &place::Apart, droplet: &str, located: &impl Fn(&str) -> String) -> Refusal {
    let place::Apart { service, needs, attribute } = torn;
    let named = attribute.split('.').next().unwrap_or_default();
    let write = if named == "depends_on" {
        format!(
            "the same `place` for both, or `required: false` there where {service} finds {needs} on another droplet"
        )
    } else {
        "the same `place` for both".to_owned()
    };
    Refusal {
        place: located(&format!("services.{service}.{attribute}")),
        what: format!("service {service} runs on {droplet}, and {needs} does not"),
        why: format!("its `{named}` names {needs}: both have to be on one machine for that"),
        write,
    }
}

/// Why there may have to be one of a service, if so: it keeps data, the file says that two must not run side by side
/// (`strategy: recreate`), or nothing reaches it. What nothing reaches (no ingress, no port, no service that waits for it)
/// fetches its work itself: a poller, a scheduler, a bot. `strategy: rolling` and several replicas say that many may.
fn alone(
    (service, own): (&Service, &ServiceExtension),
    (all, directory): (&[&Service], &str),
) -> Option<String> {
    let writes = service.volumes.iter().find(|volume| {
        let keeps = volume.kind == "bind" || (volume.kind == "volume" && !volume.source.is_empty());
        keeps && !volume.read_only
    });
    if let Some(volume) = writes {
        let source = if volume.source.is_empty() { &volume.target } else { &volume.source };
        let within = source.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
        let source = within.map_or_else(|| source.clone(), |within| format!("./{within}"));
        return Some(format!("it writes to {source}, of which every droplet would have its own"));
    }
    let is_global = service.deploy.as_ref().is_some_and(|deploy| deploy.mode == "global");
    if service.replicas() > 1 || is_global {
        return None;
    }
    match own.strategy {
        Some(Strategy::Recreate) => {
            return Some("`strategy: recreate` says that no two of it run at a time".to_owned());
        }
        Some(Strategy::Rolling | Strategy::BlueGreen) => return None,
        None => {}
    }
    let answers = own.ingress.is_some() || !service.ports.is_empty() || !service.expose.is_empty();
    let awaited = all.iter().any(|other| other.depends_on.contains_key(&service.name));
    (!answers && !awaited).then(|| {
        "nothing reaches it (no ingress, no port, no service that depends on it), so it fetches its work itself, \
         and every droplet would do it"
            .to_owned()
    })
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
