//! Lifecycle hooks of services: `post_start` after a start, `pre_stop` before a stop.
//!
//! A hook may run twice, when the agent died while it ran: it has to bear that, as a migration has to. Docker's own
//! restarts run none, with docker compose as with the agent.

use std::{collections::BTreeMap, time::Duration};

use tidegate_compose::{Project, model::Hook};

use crate::docker::{Container, Docker, HookEnd};

/// How long the `pre_stop` hooks of a container may take at least; more when its own grace period is longer.
const PRE_STOP: Duration = Duration::from_secs(30);

/// The hooks of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hooks {
    /// After a start.
    pub post_start: Vec<Hook>,
    /// Before a stop.
    pub pre_stop: Vec<Hook>,
}

/// Why a hook did not do its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFailure {
    /// One sentence's end: "it ended with exit code 3".
    pub why: String,
    /// What it printed last.
    pub last_lines: Vec<String>,
}

/// The hooks of all services that have some.
pub fn of(project: &Project) -> BTreeMap<String, Hooks> {
    let some = project
        .services
        .iter()
        .filter(|(_, service)| !service.post_start.is_empty() || !service.pre_stop.is_empty());
    let hooks = some.map(|(name, service)| {
        let (post_start, pre_stop) = (service.post_start.clone(), service.pre_stop.clone());
        (name.clone(), Hooks { post_start, pre_stop })
    });
    hooks.collect()
}

/// Runs hooks one after the other, until one fails; all of them within the deadline.
///
/// # Errors
/// When one could not be run, did not end in time, or failed.
pub async fn run(
    docker: &Docker,
    container: &str,
    (hooks, deadline): (&[Hook], Duration),
) -> Result<(), HookFailure> {
    let started = tokio::time::Instant::now();
    for hook in hooks {
        let left = deadline.saturating_sub(started.elapsed());
        let HookEnd { exit_code, last_lines } = docker
            .run_hook(container, (hook, left))
            .await
            .map_err(|error| HookFailure { why: super::chain(&error), last_lines: Vec::new() })?;
        if exit_code != 0 {
            return Err(HookFailure { why: format!("it ended with exit code {exit_code}"), last_lines });
        }
    }
    Ok(())
}

/// Runs `pre_stop` hooks in a container, if it runs. The caller stops it whatever comes of them.
///
/// # Errors
/// As [`run`].
pub async fn before_stop(docker: &Docker, container: &Container, hooks: &[Hook]) -> Result<(), HookFailure> {
    if !container.is_running() {
        return Ok(());
    }
    run(docker, &container.id, (hooks, container.grace.max(PRE_STOP))).await
}
