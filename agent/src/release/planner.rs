//! From a project and what there is to the plan of a release. Pure: no Docker, no clock, no files.

pub mod admit;
mod backups;
pub mod difference;
mod fate;
mod feasible;
pub(super) mod probes;
mod resources;
mod routes;
pub(super) mod services;
pub mod standstill;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use tidegate_compose::{
    Project,
    x_tidegate::{Extension, Job, ServiceExtension},
};

use super::{
    Failure, Interrupt,
    plan::{PlannedCommand, PlannedJobs, PlannedResource, ReleasePlan, ResourceAction},
    world::World,
};
use crate::apps::{AppName, ServiceName};

/// What is to be released.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The project.
    pub project: &'a Project,
    /// What it says under `x-tidegate`.
    pub extension: &'a Extension,
    /// A digest of the files and contents that each service is given.
    pub files: &'a BTreeMap<String, String>,
    /// Whether services may be stopped together for the sake of a network.
    pub interrupt: Interrupt,
    /// Networks and volumes of others that an admin allowed: `network:NAME`, `volume:NAME`.
    pub shared: &'a BTreeSet<String>,
    /// What a breaking migration is about.
    pub still: Option<&'a standstill::Still>,
}

/// Plans the release.
///
/// # Errors
/// Everything that stands against it, in one go.
pub fn plan(wanted: Wanted<'_>, world: &World) -> Result<ReleasePlan, Vec<Failure>> {
    let mut refused = Vec::new();
    let (resources, mut failures) = resources::plan(wanted, world);
    refused.append(&mut failures);
    refused.append(&mut feasible::resources(wanted, world, &resources));
    let (services, mut failures) = services::plan(wanted, world, &resources);
    refused.append(&mut failures);
    let migration = migration(wanted);
    let timers = backups::timers(wanted, world, &mut refused);
    let routes = routes::plan(wanted, world, &mut refused);
    let images = resources::images(wanted, world);
    let mut admission = admit::check(wanted, world, (&images, &services));
    refused.append(&mut admission.refused);
    let keeps = |resource: &&PlannedResource| resource.action == ResourceAction::Keep;
    let told = resources.iter().filter(keeps).filter(|resource| !resource.note.is_empty());
    let notes = told.map(|resource| format!("{} {}: {}", resource.kind.word(), resource.name, resource.note));
    let mut plan = ReleasePlan {
        notes: notes.chain(admission.notes).collect(),
        compose: wanted.project.compatibility.version().to_owned(),
        images,
        resources,
        services,
        removed: services::removed(wanted, world),
        migration,
        jobs: jobs(wanted),
        timers,
        standstill: None,
        backups: Vec::new(),
        routes,
        former: world.own_routes.clone(),
        drain: wanted.extension.drain.unwrap_or(DRAIN),
        watch: wanted.extension.watch.unwrap_or_default(),
        steps: Vec::new(),
    };
    plan.standstill = standstill::plan(wanted, world, (&plan, &mut refused));
    if !refused.is_empty() {
        return Err(refused);
    }
    if let Some(still) = &plan.standstill {
        // What is written after the switch has nowhere to go back to.
        plan.watch = std::time::Duration::ZERO;
        if still.returning.is_empty() {
            plan.backups.clone_from(&still.databases);
            plan.notes.push(UNWATCHED.to_owned());
        }
    }
    plan.steps = steps::of(&plan, wanted.project);
    Ok(plan)
}

/// How long requests to old containers may take to end, when the file does not say.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(30);

/// What a release with a breaking migration says of its end.
const UNWATCHED: &str = "the migration is breaking: the app stands still until the release counts, and then it is not watched, \
                         for going back would lose what is written since";

fn migration(wanted: Wanted<'_>) -> Option<PlannedCommand> {
    let migrate = wanted.extension.migrate.as_ref()?;
    Some(PlannedCommand {
        service: ServiceName::new(&migrate.service),
        command: migrate.command.clone(),
        timeout: migrate.timeout,
    })
}

fn jobs(wanted: Wanted<'_>) -> PlannedJobs {
    let planned = |jobs: &[Job]| {
        let one = |job: &Job| PlannedCommand {
            service: ServiceName::new(&job.service),
            command: job.command.clone(),
            timeout: job.timeout,
        };
        jobs.iter().map(one).collect()
    };
    let jobs = &wanted.extension.jobs;
    PlannedJobs { before: planned(&jobs.before), after: planned(&jobs.after) }
}

/// What a service says under `x-tidegate`; every enabled service has an entry, so the default is never seen.
fn extension_of(wanted: Wanted<'_>, name: &str) -> ServiceExtension {
    wanted.extension.services.get(name).cloned().unwrap_or_default()
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
