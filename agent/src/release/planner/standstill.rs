//! Who stands still for a breaking migration, and what has to be so that it may run. Pure.
//!
//! Owns the rule: what uses a database, in the release that serves or in the new one, does not run while its schema changes,
//! and does not run before it is sure which schema stays.

use std::collections::BTreeSet;

use tidegate_compose::{
    Project, order,
    x_tidegate::{Engine, Extension, Migrate, MigrationKind},
};

use super::{Wanted, services};
use crate::{
    apps::ServiceName,
    docker::Container,
    ingress::Maintenance,
    release::{
        Failure,
        plan::{
            PlannedResource, PlannedStandstill, ReleasePlan, ResourceAction, ResourceKind, ReturningBackup,
            ServiceAction, Step, StoppedContainer, Visitors,
        },
        quiesce::using,
        world::World,
    },
};

/// Where the failures are.
const PLACE: &str = "x-tidegate.migrate.kind";
const WHAT: &str = "the migration is of kind `breaking`";

/// What a breaking migration is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Still {
    /// Services with databases of the app that the migration uses and that are backed up.
    databases: Vec<ServiceName>,
    /// The services that use them, each before those that it depends on.
    users: Vec<String>,
    /// What takes the place of the databases, where no migration is the reason.
    returning: Vec<ReturningBackup>,
}

impl Still {
    /// Of a project and the one that serves; none without a breaking migration.
    pub fn of(project: &Project, extension: &Extension, former: Option<&Project>) -> Option<Self> {
        let migrate = breaking(extension)?;
        let is_used = |name: &str| name == migrate.service || using(project, name).contains(&migrate.service);
        let mut databases: Vec<&String> = extension.services.keys().collect();
        databases.retain(|name| is_backed_up(extension, name) && is_used(name));
        let databases: Vec<ServiceName> = databases.into_iter().map(ServiceName::new).collect();
        let users = users(&databases, &[Some(project), former]);
        Some(Self { databases, users, returning: Vec::new() })
    }

    /// For backups that take the place of what serves, on the way from one project back to another.
    pub fn for_return(returning: Vec<ReturningBackup>, projects: [&Project; 2]) -> Self {
        let databases: Vec<ServiceName> = returning.iter().map(|one| one.service.clone()).collect();
        let users = users(&databases, &projects.map(Some));
        Self { databases, users, returning }
    }

    /// Whether a service may not run while the schema changes.
    pub fn holds(&self, service: &str) -> bool {
        self.users.iter().any(|user| user == service)
    }
}

/// The services of these projects that use any of the databases, each before those that it depends on.
fn users(databases: &[ServiceName], projects: &[Option<&Project>]) -> Vec<String> {
    let projects = || projects.iter().flatten();
    let mut users: BTreeSet<String> = BTreeSet::new();
    for project in projects() {
        users.extend(databases.iter().flat_map(|database| using(project, database.as_str())));
    }
    users.retain(|user| databases.iter().all(|database| database.as_str() != user));
    let mut ordered: Vec<String> = Vec::new();
    for project in projects() {
        let stages = order::stages(&project.services).unwrap_or_default();
        for name in stages.into_iter().rev().flatten() {
            if users.remove(&name) {
                ordered.push(name);
            }
        }
    }
    ordered
}

fn breaking(extension: &Extension) -> Option<&Migrate> {
    extension.migrate.as_ref().filter(|migrate| migrate.kind == MigrationKind::Breaking)
}

/// What a Redis holds has no schema: a migration of the databases beside it leaves it as it is.
fn is_backed_up(extension: &Extension, service: &str) -> bool {
    let backup = extension.services.get(service).and_then(|own| own.backup.as_ref());
    backup.is_some_and(|backup| !matches!(backup.engine, Engine::Redis))
}

/// What stands still, where anything is there yet.
pub(super) fn plan(
    wanted: Wanted<'_>,
    world: &World,
    (planned, refused): (&ReleasePlan, &mut Vec<Failure>),
) -> Option<PlannedStandstill> {
    let still = wanted.still?;
    let is_replica = |container: &&Container| container.number().is_some();
    let of = |service: &str| {
        let own = world.containers.iter().filter(is_replica);
        own.filter(move |container| container.service() == Some(service)).collect::<Vec<_>>()
    };
    refused.extend(refusals((wanted, world), still, planned));
    // Where nothing runs and no data is there, there is nothing to break.
    world.containers.iter().find(is_replica)?;
    let mut stopped = Vec::new();
    for service in &still.users {
        let running = of(service).into_iter().filter(|container| container.is_running());
        stopped.extend(running.map(|container| StoppedContainer {
            service: ServiceName::new(service),
            container: services::old(container),
        }));
    }
    let mut revived: Vec<ServiceName> = Vec::new();
    for stays in stopped.iter().filter(|stopped| !planned.goes(&stopped.container)) {
        if !revived.contains(&stays.service) {
            revived.push(stays.service.clone());
        }
    }
    let is_served = !planned.former.routes.is_empty() && world.maintenance == Maintenance::Off;
    let visitors = if is_served { Visitors::ToldToWait } else { Visitors::AsBefore };
    let (databases, returning) = (still.databases.clone(), still.returning.clone());
    Some(PlannedStandstill { databases, stopped, revived, visitors, returning })
}

fn refusals((wanted, world): (Wanted<'_>, &World), still: &Still, planned: &ReleasePlan) -> Vec<Failure> {
    let refuse = |why: String, hint: &str| {
        if still.returning.is_empty() {
            return Failure::new(WHAT, why).at(PLACE).hint(hint);
        }
        Failure::new("the databases cannot come back", why)
            .hint("go back without them, or deploy what is between in a release of its own")
    };
    let mut refused = Vec::new();
    if still.databases.is_empty() {
        refused.push(refuse(
            "no database of the app that it uses is backed up, so there would be no way back".to_owned(),
            "give the database's service `x-tidegate: { backup: ... }` and deploy that first; or split the migration into steps that old code can live with, and call them `compatible`",
        ));
    }
    for database in &still.databases {
        let backup = wanted.extension.services.get(database.as_str()).and_then(|own| own.backup.as_ref());
        if let Some(backup) = backup.filter(|backup| !matches!(backup.engine, Engine::Postgres(_))) {
            refused.push(refuse(
                format!("{database} is a {}, whose databases this agent cannot copy", backup.engine.name()),
                "split the migration into steps that old code can live with, and call them `compatible`",
            ));
        }
        let service = planned.service(database.as_str());
        let is_first = world.containers.iter().all(|container| container.number().is_none());
        let usual = if is_first { ServiceAction::Create } else { ServiceAction::Keep };
        if service.is_some_and(|service| service.action != usual) {
            refused.push(refuse(
                format!("{database} itself would be changed by the same release"),
                "change the database's service in a release of its own, without the migration",
            ));
        }
    }
    let is_data = |resource: &&PlannedResource| {
        resource.kind == ResourceKind::Volume && resource.action == ResourceAction::Keep
    };
    let nothing_runs = |database: &ServiceName| {
        planned.service(database.as_str()).is_none_or(|service| service.action == ServiceAction::Create)
    };
    if let Some(volume) = planned.resources.iter().find(is_data)
        && still.databases.iter().any(nothing_runs)
    {
        refused.push(refuse(
            format!("the volume {} may have data, and nothing runs that could be backed up", volume.name),
            "deploy what the data is of first, without the migration",
        ));
    }
    if let Some(network) = planned.remade().next() {
        refused.push(refuse(
            format!("the network {} would be made anew by the same release", network.name),
            "change the network in a release of its own, without the migration",
        ));
    }
    refused
}

/// Puts the standstill into the order of the steps: it begins right before the migration, or before the first service of a way
/// back, and ends when the release counts.
/// Services that stay are started before those that need them, at the latest when all others are.
pub(super) fn arrange(steps: Vec<Step>, still: &PlannedStandstill, project: &Project) -> Vec<Step> {
    let mut arranged = Vec::new();
    let mut asleep: Vec<ServiceName> = still.revived.iter().rev().cloned().collect();
    let mut is_still = false;
    for step in steps {
        if !is_still && begins(&step, still) {
            arranged.extend(beginning(still));
            is_still = true;
        }
        match &step {
            Step::Gate(service) | Step::Roll(service) | Step::Replace(service) if is_still => {
                let needed = super::steps::needs(project, [service.as_str()]);
                let (now, later): (Vec<_>, _) =
                    asleep.into_iter().partition(|one| needed.contains(one.as_str()));
                arranged.extend(now.into_iter().map(Step::Revive));
                asleep = later;
            }
            Step::Drain | Step::Job(_) | Step::Commit if is_still => {
                arranged.extend(asleep.drain(..).map(Step::Revive));
            }
            _ => {}
        }
        let is_commit = step == Step::Commit;
        arranged.push(step);
        if is_commit {
            arranged.push(Step::Open);
            let last = if still.returning.is_empty() { Step::Discard } else { Step::Retain };
            arranged.extend(still.databases.iter().cloned().map(last));
        }
    }
    arranged
}

/// Whether nothing of this step may happen while anybody writes.
fn begins(step: &Step, still: &PlannedStandstill) -> bool {
    match step {
        Step::Migrate => true,
        Step::Gate(_) | Step::Roll(_) | Step::Replace(_) | Step::Switch | Step::Drain | Step::Commit => {
            !still.returning.is_empty()
        }
        _ => false,
    }
}

fn beginning(still: &PlannedStandstill) -> Vec<Step> {
    let databases = || still.databases.iter().cloned();
    let mut steps = vec![Step::Quiesce];
    if still.returning.is_empty() {
        steps.extend(databases().map(Step::Backup));
        steps.extend(databases().map(Step::Copy));
    } else {
        steps.extend(databases().map(Step::Restore));
    }
    steps
}

#[cfg(test)]
#[path = "standstill_tests.rs"]
mod tests;
