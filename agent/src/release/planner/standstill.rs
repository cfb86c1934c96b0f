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
        plan::{PlannedStandstill, ReleasePlan, ServiceAction, Step, StoppedContainer, Visitors},
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
}

impl Still {
    /// Of a project and the one that serves; none without a breaking migration.
    pub fn of(project: &Project, extension: &Extension, former: Option<&Project>) -> Option<Self> {
        let migrate = breaking(extension)?;
        let is_used = |name: &str| name == migrate.service || using(project, name).contains(&migrate.service);
        let mut databases: Vec<&String> = extension.services.keys().collect();
        databases.retain(|name| is_backed_up(extension, name) && is_used(name));
        let mut users: BTreeSet<String> = BTreeSet::new();
        for project in [Some(project), former].into_iter().flatten() {
            users.extend(databases.iter().flat_map(|name| using(project, name)));
        }
        users.retain(|user| !databases.contains(&user));
        let mut ordered: Vec<String> = Vec::new();
        for project in [Some(project), former].into_iter().flatten() {
            let stages = order::stages(&project.services).unwrap_or_default();
            let known: Vec<&String> = stages.iter().rev().flatten().collect();
            let new = known.into_iter().filter(|name| users.contains(*name));
            let new: Vec<String> = new.filter(|name| !ordered.contains(name)).cloned().collect();
            ordered.extend(new);
        }
        let databases = databases.into_iter().map(ServiceName::new).collect();
        Some(Self { databases, users: ordered })
    }

    /// Whether a service may not run while the schema changes.
    pub fn holds(&self, service: &str) -> bool {
        self.users.iter().any(|user| user == service)
    }
}

fn breaking(extension: &Extension) -> Option<&Migrate> {
    extension.migrate.as_ref().filter(|migrate| migrate.kind == MigrationKind::Breaking)
}

fn is_backed_up(extension: &Extension, service: &str) -> bool {
    extension.services.get(service).is_some_and(|own| own.backup.is_some())
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
    // Where nothing was ever deployed there is nothing to break.
    world.containers.iter().find(is_replica)?;
    refused.extend(refusals(wanted, still, planned));
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
    Some(PlannedStandstill { databases: still.databases.clone(), stopped, revived, visitors })
}

fn refusals(wanted: Wanted<'_>, still: &Still, planned: &ReleasePlan) -> Vec<Failure> {
    let refuse = |why: String, hint: &str| Failure::new(WHAT, why).at(PLACE).hint(hint);
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
        if service.is_some_and(|service| service.action != ServiceAction::Keep) {
            refused.push(refuse(
                format!("{database} itself would be changed by the same release"),
                "change the database's service in a release of its own, without the migration",
            ));
        }
    }
    if let Some(network) = planned.remade().next() {
        refused.push(refuse(
            format!("the network {} would be made anew by the same release", network.name),
            "change the network in a release of its own, without the migration",
        ));
    }
    refused
}

/// Puts the standstill into the order of the steps: it begins right before the migration and ends when the release counts.
/// Services that stay are started before those that need them, at the latest when all others are.
pub(super) fn arrange(steps: Vec<Step>, still: &PlannedStandstill, project: &Project) -> Vec<Step> {
    let mut arranged = Vec::new();
    let mut asleep: Vec<ServiceName> = still.revived.iter().rev().cloned().collect();
    let mut has_migrated = false;
    for step in steps {
        match &step {
            Step::Migrate => {
                arranged.push(Step::Quiesce);
                arranged.extend(still.databases.iter().cloned().map(Step::Backup));
                arranged.extend(still.databases.iter().cloned().map(Step::Copy));
                has_migrated = true;
            }
            Step::Gate(service) | Step::Roll(service) | Step::Replace(service) if has_migrated => {
                let needed = super::steps::needs(project, [service.as_str()]);
                let (now, later) = asleep.into_iter().partition(|one| needed.contains(one.as_str()));
                let now: Vec<ServiceName> = now;
                arranged.extend(now.into_iter().map(Step::Revive));
                asleep = later;
            }
            Step::Drain | Step::Job(_) | Step::Commit if has_migrated => {
                arranged.extend(asleep.drain(..).map(Step::Revive));
            }
            _ => {}
        }
        let is_commit = step == Step::Commit;
        arranged.push(step);
        if is_commit {
            arranged.push(Step::Open);
            arranged.extend(still.databases.iter().cloned().map(Step::Discard));
        }
    }
    arranged
}

#[cfg(test)]
#[path = "standstill_tests.rs"]
mod tests;
