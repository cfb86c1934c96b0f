//! The gate: is a new container well, and does it stay so?

use std::time::Duration;

use jiff::Timestamp;
use tidegate_saga::Cancel;
use tokio::time::Instant;

use super::{
    Failure,
    context::{Context, docker_failure},
    plan::{Ends, PlannedService},
};
use crate::docker::{Container, ContainerHealth, ContainerState};

/// How often a container is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How many of its last lines a failure shows.
const LAST_LINES: u32 = 20;

/// What a look at a container says. Pure, so that it is tested without Docker.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is well now.
    Well,
    /// It ended as it was meant to.
    Ended,
    /// Not yet.
    Waiting,
    /// It will not get well: why.
    Bad(String),
}

/// Waits until the container has been well for the service's `stable`; within its `timeout`.
///
/// # Errors
/// As soon as it is clear that it will not be, with its last lines; or when the saga turns back.
pub async fn pass(
    context: &Context,
    service: &PlannedService,
    name: &str,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut well_since: Option<Instant> = None;
    let mut restarts: Option<u64> = None;
    let mut seen = Container::default();
    while started.elapsed() < service.timeout {
        let found = context
            .docker
            .container(name)
            .await
            .map_err(|e| docker_failure(format!("the gate of {name}"), &e))?;
        let Some(container) = found else {
            return Err(Failure::new(what(service), format!("its container {name} is gone")).at(name));
        };
        let first = *restarts.get_or_insert(container.restarts);
        match judge(&container, first, service.ends) {
            Verdict::Ended => return Ok(()),
            Verdict::Bad(why) => return Err(refused(context, service, &container, why).await),
            Verdict::Waiting => well_since = None,
            Verdict::Well => {
                let since = *well_since.get_or_insert_with(Instant::now);
                if since.elapsed().max(ran_for(&container, context.clock.now())) >= service.stable {
                    return Ok(());
                }
            }
        }
        seen = container;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            why = cancel.cancelled() => return Err(Failure::new(what(service), format!("the release was cancelled: {why}"))),
        }
    }
    let state = match seen.health {
        ContainerHealth::Starting => "its health check has not succeeded yet".to_owned(),
        _ => format!("it is {} {}", seen.state.word(), seen.health.word()).trim().to_owned(),
    };
    let why = format!("after {} s {state}", service.timeout.as_secs());
    Err(refused(context, service, &seen, why).await)
}

/// How long a container is known to have been well before it was looked at: without a health check, as long as it runs.
/// So services that were started together have their `stable` together.
fn ran_for(container: &Container, now: Timestamp) -> Duration {
    if container.health != ContainerHealth::None {
        return Duration::ZERO;
    }
    let started = container.started_at.parse::<Timestamp>();
    started.ok().and_then(|started| now.duration_since(started).try_into().ok()).unwrap_or_default()
}

fn judge(container: &Container, first_restarts: u64, ends: Ends) -> Verdict {
    let bad = |why: String| Verdict::Bad(why);
    if container.restarts > first_restarts {
        return bad(format!("it keeps ending, the last time with exit code {}", container.exit_code));
    }
    match container.state {
        ContainerState::Exited if container.exit_code == 0 && ends != Ends::Never => Verdict::Ended,
        ContainerState::Exited | ContainerState::Dead => bad(exit_reason(container)),
        ContainerState::Restarting => {
            bad(format!("it keeps ending, the last time with exit code {}", container.exit_code))
        }
        ContainerState::Paused => bad("it is paused".to_owned()),
        ContainerState::Created => Verdict::Waiting,
        ContainerState::Running if ends == Ends::Always => Verdict::Waiting,
        ContainerState::Running => match container.health {
            ContainerHealth::None | ContainerHealth::Healthy => Verdict::Well,
            ContainerHealth::Starting => Verdict::Waiting,
            ContainerHealth::Unhealthy => bad("its health check failed".to_owned()),
        },
    }
}

fn exit_reason(container: &Container) -> String {
    if container.out_of_memory {
        return format!("it needed more than its {} bytes of memory", container.memory_limit);
    }
    match container.exit_code {
        127 => "it ended with exit code 127: its command does not exist in the image".to_owned(),
        code if code > 128 => {
            format!("it ended with exit code {code}, by signal {}", code.saturating_sub(128))
        }
        code => format!("it ended with exit code {code}"),
    }
}

fn what(service: &PlannedService) -> String {
    format!("service {} did not pass its gate", service.name)
}

async fn refused(context: &Context, service: &PlannedService, container: &Container, why: String) -> Failure {
    let mut details = Vec::new();
    let probe = container.last_probe.trim();
    if !probe.is_empty() && container.health != ContainerHealth::Healthy {
        details.extend(probe.lines().take(10).map(|line| format!("probe: {line}")));
    }
    match context.docker.last_lines(&container.id, LAST_LINES).await {
        Ok(lines) => details.extend(lines),
        Err(error) => details.push(format!("its log cannot be read: {error}")),
    }
    let details = details.iter().map(|line| context.redactor.redact(line)).collect();
    let hint = if container.health == ContainerHealth::None {
        "its last lines are above; what it does at its start decides"
    } else {
        "its last lines and its health check's output are above; `gate.timeout` and `healthcheck.start_period` give it longer"
    };
    Failure::new(what(service), why).at(container.name.clone()).hint(hint).details(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: ContainerState, health: ContainerHealth, exit_code: i64) -> Container {
        Container { state, health, exit_code, ..Container::default() }
    }

    #[test]
    fn without_a_health_check_it_was_well_since_its_start() {
        let now: Timestamp = "2026-11-21T10:00:05Z".parse().unwrap();
        let started = |at: &str, health| {
            ran_for(&Container { started_at: at.to_owned(), health, ..Container::default() }, now)
        };
        assert_eq!(started("2026-11-21T10:00:00.5Z", ContainerHealth::None), Duration::from_millis(4500));
        assert_eq!(started("2026-11-21T10:00:00Z", ContainerHealth::Healthy), Duration::ZERO);
        assert_eq!(started("2026-11-21T10:00:09Z", ContainerHealth::None), Duration::ZERO);
        assert_eq!(started("", ContainerHealth::None), Duration::ZERO);
    }

    #[test]
    fn judgement() {
        use ContainerHealth as H;
        use ContainerState as S;
        for (state, health, exit_code, ends, verdict) in [
            (S::Running, H::None, 0, Ends::Never, Verdict::Well),
            (S::Running, H::Healthy, 0, Ends::Never, Verdict::Well),
            (S::Running, H::Starting, 0, Ends::Never, Verdict::Waiting),
            (S::Running, H::None, 0, Ends::Always, Verdict::Waiting),
            (S::Exited, H::None, 0, Ends::Always, Verdict::Ended),
            (S::Exited, H::None, 0, Ends::Maybe, Verdict::Ended),
            (S::Running, H::Unhealthy, 0, Ends::Never, Verdict::Bad("its health check failed".into())),
            (S::Exited, H::None, 0, Ends::Never, Verdict::Bad("it ended with exit code 0".into())),
            (
                S::Exited,
                H::None,
                137,
                Ends::Maybe,
                Verdict::Bad("it ended with exit code 137, by signal 9".into()),
            ),
        ] {
            assert_eq!(
                judge(&container(state, health, exit_code), 0, ends),
                verdict,
                "{state:?} {health:?} {exit_code}"
            );
        }
        let looping = Container { restarts: 3, state: S::Running, ..Container::default() };
        assert!(matches!(judge(&looping, 2, Ends::Never), Verdict::Bad(_)));
        assert_eq!(judge(&looping, 3, Ends::Never), Verdict::Well);
    }
}
