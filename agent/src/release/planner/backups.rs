//! Backups that a project asks for, and the timers that make them: what this agent cannot do, and what changes. Pure.

use tidegate_compose::x_tidegate::Engine;

use super::Wanted;
use crate::{
    apps::ServiceName,
    release::{
        Failure,
        plan::{PlannedTimer, TimerAction},
        world::World,
    },
    timers::{self, Change, Found},
};

/// What changes among the app's timers.
pub(super) fn timers(wanted: Wanted<'_>, world: &World, refused: &mut Vec<Failure>) -> Vec<PlannedTimer> {
    refused.extend(unsupported(wanted));
    let asked = match timers::Wanted::of(wanted.app, wanted.extension) {
        Ok(asked) => asked,
        Err(error) => {
            refused.push(Failure::caused_by("the timers of backups", &error));
            return Vec::new();
        }
    };
    let plan = match timers::plan(&world.timers, &asked) {
        Ok(plan) => plan,
        Err(error) => {
            refused.push(Failure::caused_by("the timers of backups", &error));
            return Vec::new();
        }
    };
    let planned = |change: Change| match change {
        Change::Remove(unit) => {
            PlannedTimer { unit: unit.timer(), action: TimerAction::Remove, schedule: String::new() }
        }
        Change::Write { unit, .. } => {
            let is_ours = matches!(world.timers.get(&unit), Some(Found::Ours(_)));
            let timer = asked.timers().find(|timer| timer.unit == unit);
            PlannedTimer {
                unit: unit.timer(),
                action: if is_ours { TimerAction::Change } else { TimerAction::Create },
                schedule: timer.map(|timer| timer.on_calendar.to_string()).unwrap_or_default(),
            }
        }
    };
    plan.changes.into_iter().map(planned).collect()
}

/// Backups that this agent does not make: whoever wrote them would believe that there are some.
fn unsupported(wanted: Wanted<'_>) -> Vec<Failure> {
    let mut refused = Vec::new();
    for (name, service) in &wanted.extension.services {
        let Some(backup) = &service.backup else { continue };
        let service = ServiceName::new(name);
        let refuse = |why: String, hint: &str| {
            Failure::new(format!("the backup of the service {service} cannot be made"), why)
                .at(format!("services.{service}.x-tidegate.backup"))
                .hint(hint)
        };
        match backup.engine {
            Engine::Postgres(_) | Engine::Mysql(_) | Engine::Redis => {}
            Engine::Sqlite { .. } | Engine::Volume { .. } => {
                let name = backup.engine.name();
                let why = format!("this agent makes backups of PostgreSQL, MySQL and Redis, not of {name}");
                refused.push(refuse(why, "remove `backup` there, and go on making them as you do now"));
            }
        }
    }
    refused
}
