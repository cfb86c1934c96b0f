//! The rules about a service's containers. Pure.

use std::time::Duration;

use super::{
    Condition, History, Reading,
    condition::Worse,
    words::{count, short, time},
};
use crate::{
    apps::AppName,
    config::HealthConfig,
    docker::{ContainerHealth, ContainerState},
    health::{
        CheckId, Level,
        observe::{ContainerSeen, ServiceSeen},
        series::{self, float},
    },
    release::plan::Ends,
};

/// While a release is under way, containers come and go; while somebody has stopped the app, they do not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    Quiet,
    Release,
    Stopped,
}

pub(super) fn conditions(
    (app, service): (&AppName, &ServiceSeen),
    (config, history): (&HealthConfig, &History),
    traffic: Traffic,
) -> Vec<Condition> {
    let mut found = vec![number(app, service, config)];
    for container in &service.containers {
        found.push(state((app, service, container), config));
        found.push(restarts((app, container), (config, history)));
        found.push(memory((app, container), config));
        found.extend(container.probed.as_ref().map(|probed| probes((app, container), probed, config)));
    }
    for condition in &mut found {
        match traffic {
            Traffic::Quiet => {}
            Traffic::Release => {
                condition.reading = Reading::AsBefore;
                condition.why = format!("{}; a release is under way", condition.why);
            }
            // That it is stopped is told once, of the app.
            Traffic::Stopped => {
                condition.reading = Reading::is(Level::Good);
                "stopped by hand".clone_into(&mut condition.why);
            }
        }
    }
    found
}

fn number(app: &AppName, service: &ServiceSeen, config: &HealthConfig) -> Condition {
    let (there, wanted) = (service.containers.len(), service.wanted);
    let why = format!("{there} of {wanted} containers are there");
    let level = if there < wanted { Level::Critical } else { Level::Good };
    let id = CheckId::app(app, format!("service.{}", service.name));
    Condition::new(id, format!("service {}", service.name), Reading::is(level), why)
        .held(config.bad_for, config.ends_after)
        .hint(format!("`tidegate deploy --app {app}` makes what is missing"))
}

fn id(app: &AppName, kind: &str, seen: &ContainerSeen) -> CheckId {
    CheckId::app(app, format!("{kind}.{}", seen.container.name))
}

fn state((app, service, seen): (&AppName, &ServiceSeen, &ContainerSeen), config: &HealthConfig) -> Condition {
    let container = &seen.container;
    let code = container.exit_code;
    let may_have_ended = service.ends != Ends::Never && code == 0;
    let is = Level::Critical;
    let (level, why) = match (container.state, container.health) {
        (ContainerState::Running, ContainerHealth::Unhealthy) => {
            (is, format!("unhealthy: {}", short(&container.last_probe)))
        }
        (ContainerState::Running, ContainerHealth::Starting) => {
            (Level::Good, "running, health not known yet".to_owned())
        }
        (ContainerState::Running, ContainerHealth::Healthy) => (Level::Good, "running, healthy".to_owned()),
        (ContainerState::Running, ContainerHealth::None) => (Level::Good, "running".to_owned()),
        (ContainerState::Exited, _) if may_have_ended => (Level::Good, "ended, as it may".to_owned()),
        (ContainerState::Exited, _) => {
            let memory = if container.out_of_memory { ": it ran out of memory" } else { "" };
            (is, format!("ended with exit code {code}{memory}"))
        }
        (ContainerState::Restarting, _) => (is, format!("keeps ending, last with exit code {code}")),
        (ContainerState::Paused, _) => (is, "paused".to_owned()),
        (ContainerState::Dead, _) => (is, "dead: Docker could not remove it".to_owned()),
        (ContainerState::Created, _) if container.error.is_empty() => {
            (is, "made, but not started".to_owned())
        }
        (ContainerState::Created, _) => (is, format!("could not be started: {}", short(&container.error))),
    };
    let what = format!("container {}", container.name);
    Condition::new(id(app, "container", seen), what, Reading::is(level), why)
        .held(config.bad_for, config.ends_after)
        .hint(format!(
            "see its last words: `tidegate logs --app {app} {}`; `tidegate rollback --app {app}` brings the release before",
            service.name
        ))
}

fn restarts(
    (app, seen): (&AppName, &ContainerSeen),
    (config, history): (&HealthConfig, &History),
) -> Condition {
    let container = &seen.container;
    // One that somebody started anew counts from nothing.
    let before = history.restarts.get(&series::container(&container.id)).copied();
    let before = before.filter(|before| *before <= container.restarts).unwrap_or(container.restarts);
    let new = container.restarts.saturating_sub(before);
    let within = time(config.restarts_within);
    let why = format!("started again by Docker {} within {within}", count(new, "time"));
    let limit = config.restarts;
    let what = format!("restarts of {}", container.name);
    Condition::new(id(app, "restarts", seen), what, Reading::of(float(new), (limit, Worse::More)), why)
        .held(limit.hold, Duration::ZERO)
        .hint(format!(
            "see why it ends: `tidegate logs --app {app}`; its last exit code was {}",
            container.exit_code
        ))
}

fn memory((app, seen): (&AppName, &ContainerSeen), config: &HealthConfig) -> Condition {
    let container = &seen.container;
    let is_down = container.state != ContainerState::Running;
    let (level, why) = match (seen.ran_out_of_memory, is_down) {
        (false, _) => (Level::Good, "did not run out".to_owned()),
        (true, true) => (Level::Critical, "the kernel ended it for want of memory".to_owned()),
        (true, false) => (Level::Warning, "the kernel ended a process in it for want of memory".to_owned()),
    };
    let what = format!("memory of {}", container.name);
    Condition::new(id(app, "memory", seen), what, Reading::is(level), why)
        .held(Duration::ZERO, config.out_of_memory_told)
        .hint("raise the service's `mem_limit` (or `deploy.resources.limits.memory`), or give the droplet a larger size")
}

fn probes(
    (app, seen): (&AppName, &ContainerSeen),
    probed: &Result<(), String>,
    config: &HealthConfig,
) -> Condition {
    let (level, why) = match probed {
        Ok(()) => (Level::Good, "answers".to_owned()),
        Err(why) => (Level::Critical, short(why)),
    };
    let what = format!("probes of {}", seen.container.name);
    Condition::new(id(app, "probes", seen), what, Reading::is(level), why)
        .held(config.bad_for, config.ends_after)
        .hint(format!("`tidegate logs --app {app}` tells more; the probes stand under x-tidegate.gate"))
}
