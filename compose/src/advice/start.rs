//! Starting and staying up: health checks of what others wait for, restart policies.

use std::collections::BTreeMap;

use super::{Look, Rule};
use crate::model::{Project, Service};

const NO_HEALTHCHECK: Rule = Rule {
    name: "no-healthcheck",
    why: "a container that was started is not ready yet: those that wait for it begin too early and fail, most of all after a reboot",
};
const HEALTH_UNKNOWN: Rule = Rule {
    name: "health-unknown",
    why: "unless the image brings a health check, waiting for it to be healthy fails, and with it the whole start",
};
const NO_RESTART: Rule =
    Rule { name: "no-restart-policy", why: "after a crash, or a reboot of the droplet, it stays down" };

pub(super) fn rules(look: &mut Look<'_>) {
    let project = &look.loaded.project;
    for (name, waiters) in waited_for(project) {
        let Some(service) = project.services.get(name) else { continue };
        if is_checked(service) {
            continue;
        }
        let healthy = waiters.iter().any(|(_, condition)| *condition == "service_healthy");
        let who: Vec<&str> = waiters.iter().map(|(waiter, _)| *waiter).collect();
        let (rule, wait) = if healthy {
            (&HEALTH_UNKNOWN, "wait until it is healthy")
        } else {
            (&NO_HEALTHCHECK, "wait for it")
        };
        let message = format!("{name} has no healthcheck, and others {wait}: {}", who.join(", "));
        let condition = if healthy { "" } else { ", and wait with `condition: service_healthy`" };
        let cure = format!("add `healthcheck: {{test: [CMD, ...], interval: 5s}}` to {name}{condition}");
        look.say(rule, &format!("services.{name}"), (message, cure));
    }
    for (name, service) in &project.services {
        if !restarts(service) && !ends(project, name) {
            let message = format!("{name} has no restart policy");
            let cure =
                format!("add `restart: unless-stopped`, or `restart: \"no\"` if {name} is meant to end");
            look.say(&NO_RESTART, &format!("services.{name}"), (message, cure));
        }
    }
}

/// Services that others start after, with those and their conditions.
fn waited_for(project: &Project) -> BTreeMap<&str, Vec<(&str, &str)>> {
    let mut found: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (name, service) in &project.services {
        for (needed, dependency) in &service.depends_on {
            if dependency.condition != "service_completed_successfully" {
                found.entry(needed).or_default().push((name, &dependency.condition));
            }
        }
    }
    found
}

fn is_checked(service: &Service) -> bool {
    let set = |check: &crate::model::HealthCheck| {
        !check.disable && check.test.0.first().is_some_and(|first| first != "NONE")
    };
    service.healthcheck.as_ref().is_some_and(set)
}

/// Whether anything is said about restarts; that it shall not be restarted is said, too.
fn restarts(service: &Service) -> bool {
    let policy = service.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref());
    !service.restart.is_empty() || policy.is_some()
}

/// Whether somebody waits for its end.
fn ends(project: &Project, name: &str) -> bool {
    let waits = |service: &Service| {
        service.depends_on.get(name).is_some_and(|one| one.condition == "service_completed_successfully")
    };
    project.services.values().any(waits)
}
