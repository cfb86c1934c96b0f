//! The order of a release's steps.
//!
//! Networks that are made anew come before everything that makes or starts containers: until then those on them serve.
//! What jobs and the migration need comes first, then the jobs before it, then the migration, then what runs beside its
//! predecessor (with what that needs), then the switch, and only then the services that are interrupted: as late as
//! possible, and undone first. Jobs after the switch come when the old containers are stopped.

use std::collections::BTreeSet;

use tidegate_compose::Project;

use super::standstill;
use crate::release::plan::{ImageAction, PlannedService, ReleasePlan, ServiceAction, Step, Strategy, When};

pub(super) fn of(plan: &ReleasePlan, project: &Project) -> Vec<Step> {
    let pulls = plan.images.iter().any(|image| image.action != ImageAction::Keep);
    let mut steps = if pulls { vec![Step::Pull, Step::Prepare] } else { vec![Step::Prepare] };
    if !plan.timers.is_empty() {
        steps.push(Step::Timers);
    }
    if plan.remade().next().is_some() {
        steps.push(Step::Networks);
    }
    let changed: Vec<&PlannedService> =
        plan.services.iter().filter(|service| service.action != ServiceAction::Keep).collect();
    if !changed.is_empty() {
        steps.push(Step::Create);
    }
    let mut done: BTreeSet<&str> = BTreeSet::new();
    before_services(plan, (project, &changed), (&mut steps, &mut done));
    let beside = changed.iter().filter(|service| service.strategy.is_beside());
    let behind: Vec<&str> = beside.map(|service| service.name.as_str()).collect();
    let needed = needs(project, behind.iter().copied());
    for service in changed.iter().filter(|service| needed.contains(service.name.as_str())) {
        if done.insert(service.name.as_str()) {
            steps.push(step(service));
        }
    }
    // New services interrupt nobody: they come before the switch too, unless they need one that is interrupted later.
    let later: Vec<&str> = changed
        .iter()
        .filter(|service| !service.old.is_empty() && !done.contains(service.name.as_str()))
        .map(|service| service.name.as_str())
        .collect();
    for service in changed.iter().filter(|service| service.old.is_empty()) {
        let needed = needs(project, [service.name.as_str()]);
        if !later.iter().any(|name| needed.contains(name)) && done.insert(service.name.as_str()) {
            steps.push(step(service));
        }
    }
    let switches = !plan.routes.is_empty() || !plan.former.routes.is_empty();
    if !behind.is_empty() {
        steps.push(Step::Switch);
    }
    for service in &changed {
        if done.insert(service.name.as_str()) {
            steps.push(step(service));
        }
    }
    // Interrupted services keep their address, so their route can follow when the last of them is well.
    if behind.is_empty() && switches {
        steps.push(Step::Switch);
    }
    let drains = plan.blue_green().any(|service| !service.old.is_empty()) || !plan.removed.is_empty();
    if drains {
        steps.push(Step::Drain);
    }
    steps.extend(plan.jobs.of(When::After).map(|(job, _)| Step::Job(job)));
    if !plan.watch.is_zero() && !changed.is_empty() {
        steps.push(Step::Watch);
    }
    steps.extend([Step::Commit, Step::Prune]);
    match &plan.standstill {
        Some(still) => standstill::arrange(steps, still, project),
        None => steps,
    }
}

/// Jobs and the migration. What they need comes first; their own services come later, with the schema that they made.
fn before_services<'p>(
    plan: &ReleasePlan,
    (project, changed): (&Project, &[&'p PlannedService]),
    (steps, done): (&mut Vec<Step>, &mut BTreeSet<&'p str>),
) {
    let commands = || plan.jobs.before.iter().chain(&plan.migration);
    let own: BTreeSet<&str> = commands().map(|command| command.service.as_str()).collect();
    let needed = needs(project, own.iter().copied());
    let first = |service: &&&PlannedService| {
        let name = service.name.as_str();
        needed.contains(name) && !own.contains(name)
    };
    for service in changed.iter().filter(first) {
        steps.push(step(service));
        done.insert(service.name.as_str());
    }
    steps.extend(plan.jobs.of(When::Before).map(|(job, _)| Step::Job(job)));
    steps.extend(plan.migration.iter().map(|_| Step::Migrate));
}

fn step(service: &PlannedService) -> Step {
    let name = service.name.clone();
    match service.strategy {
        _ if service.old.is_empty() => Step::Gate(name),
        Strategy::BlueGreen => Step::Gate(name),
        Strategy::Rolling => Step::Roll(name),
        Strategy::Recreate => Step::Replace(name),
    }
}

/// These services and all that they depend on, directly or not.
pub(super) fn needs<'p>(project: &'p Project, names: impl IntoIterator<Item = &'p str>) -> BTreeSet<&'p str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = names.into_iter().collect();
    while let Some(name) = open.pop() {
        if let Some((name, service)) = project.services.get_key_value(name)
            && found.insert(name.as_str())
        {
            open.extend(service.depends_on.keys().map(String::as_str));
        }
    }
    found
}
