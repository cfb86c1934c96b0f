//! The gate: is a new container well, and does it stay so? Docker is asked, then the container itself, by its probes and,
//! where Docker does not know yet, by its health check.

mod early;
mod judge;

use std::time::Duration;

use early::Early;
use jiff::Timestamp;
use judge::ran_for;
pub use judge::{First, Verdict, exit_reason, judge, keeps_ending};
use tidegate_saga::Cancel;
use tokio::time::Instant;

use super::{
    Failure,
    context::{Context, docker_failure},
    plan::{Ends, PlannedService},
    probing,
};
use crate::docker::{Container, ContainerHealth};

/// How often a container is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How often, where each look asks its probes.
const PROBE: Duration = Duration::from_millis(500);
/// How often, in its first seconds: when it got well is told to users, as the end of an interruption.
const QUICK: Duration = Duration::from_millis(100);
/// How long that is worth asking so often.
const QUICK_FOR: Duration = Duration::from_secs(5);
/// How many of its last lines a failure shows.
const LAST_LINES: u32 = 20;

/// Waits until the container has been well for the service's `stable`; within its `timeout`. Since when it is well, and for
/// one that ended as it should, now.
///
/// # Errors
/// As soon as it is clear that it will not be, with its last lines; or when the saga turns back.
pub async fn pass(
    context: &Context,
    service: &PlannedService,
    name: &str,
    cancel: &Cancel,
) -> Result<Timestamp, Failure> {
    let started = Instant::now();
    let mut well_since: Option<Instant> = None;
    let mut first: Option<First> = None;
    let (mut seen, mut early) = (Seen::default(), Early::new());
    while started.elapsed() < service.timeout {
        seen.container = look(context, service, name).await?;
        let container = &seen.container;
        let mut verdict = judge(container, *first.get_or_insert_with(|| First::of(container)), service.ends);
        if verdict == Verdict::Waiting && service.ends != Ends::Always {
            let is_well = tokio::select! {
                is_well = early.is_well(context, container) => is_well,
                why = cancel.cancelled() => return Err(cancelled(service, &why)),
            };
            verdict = if is_well { Verdict::Well } else { verdict };
        }
        match verdict {
            Verdict::Ended => return Ok(context.clock.now()),
            Verdict::Bad(why) => return Err(refused(context, service, (&seen, why)).await),
            Verdict::Waiting => well_since = None,
            Verdict::Well => {
                let asked = tokio::select! {
                    asked = probing::all(context, container, &service.probes) => asked,
                    why = cancel.cancelled() => return Err(cancelled(service, &why)),
                };
                seen.answer = asked.err();
                if seen.answer.is_some() {
                    well_since = None;
                } else {
                    let well_for = has_been_well(context, service, (container, &mut well_since));
                    if well_for >= service.stable {
                        let now = context.clock.now();
                        return Ok(now.checked_sub(well_for).unwrap_or(now));
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause(service, started.elapsed())) => {}
            why = cancel.cancelled() => return Err(cancelled(service, &why)),
        }
    }
    let seconds = probing::seconds(service.timeout);
    let container = &seen.container;
    let why = match (&seen.answer, container.health) {
        (Some(answer), _) => format!("not well after {seconds} s: {answer}"),
        (None, ContainerHealth::Starting) => {
            format!("after {seconds} s its health check has not succeeded yet")
        }
        (None, _) if well_since.is_some() => {
            let stable = probing::seconds(service.stable);
            format!("after {seconds} s it is well, but has not been so for {stable} s")
        }
        (None, health) => {
            let state = format!("{} {}", container.state.word(), health.word());
            format!("after {seconds} s it is {}", state.trim())
        }
    };
    Err(refused(context, service, (&seen, why)).await)
}

/// What the gate last saw of a container.
#[derive(Default)]
struct Seen {
    container: Container,
    /// What a probe that failed was told.
    answer: Option<String>,
}

async fn look(context: &Context, service: &PlannedService, name: &str) -> Result<Container, Failure> {
    let found = context.docker.container(name).await;
    let found = found.map_err(|error| docker_failure(format!("the gate of {name}"), &error))?;
    found.ok_or_else(|| Failure::new(what(service), format!("its container {name} is gone")).at(name))
}

/// How long until the next look.
fn pause(service: &PlannedService, since: Duration) -> Duration {
    match service.probes.is_empty() {
        _ if since < QUICK_FOR => QUICK,
        true => LOOK,
        false => PROBE,
    }
}

/// How long it has been well.
fn has_been_well(
    context: &Context,
    service: &PlannedService,
    (container, since): (&Container, &mut Option<Instant>),
) -> Duration {
    let seen = since.get_or_insert_with(Instant::now).elapsed();
    // Nobody asked its probes before the gate did.
    let before =
        if service.probes.is_empty() { ran_for(container, context.clock.now()) } else { Duration::ZERO };
    seen.max(before)
}

fn cancelled(service: &PlannedService, why: &str) -> Failure {
    Failure::new(what(service), format!("the release was cancelled: {why}"))
}

fn what(service: &PlannedService) -> String {
    format!("service {} did not pass its gate", service.name)
}

async fn refused(context: &Context, service: &PlannedService, (seen, why): (&Seen, String)) -> Failure {
    let container = &seen.container;
    let told = seen.answer.iter().filter(|answer| !why.contains(answer.as_str()));
    let mut details: Vec<String> = told.map(|answer| format!("probe: {answer}")).collect();
    details.extend(last_words(context, container).await);
    let hint = if seen.answer.is_some() {
        "its last lines are above; `gate.timeout` gives it longer, `gate.probes` says what it is asked"
    } else if container.health == ContainerHealth::None {
        "its last lines are above; what it does at its start decides"
    } else {
        "its last lines and its health check's output are above; `gate.timeout` and `healthcheck.start_period` give it longer"
    };
    Failure::new(what(service), why).at(container.name.clone()).hint(hint).details(details)
}

/// What its health check and the container itself said last. Without secrets.
pub async fn last_words(context: &Context, container: &Container) -> Vec<String> {
    let mut words = Vec::new();
    let check = container.last_probe.trim();
    if !check.is_empty() && container.health != ContainerHealth::Healthy {
        words.extend(check.lines().take(10).map(|line| format!("probe: {line}")));
    }
    match context.docker.last_lines(&container.id, LAST_LINES).await {
        Ok(lines) => words.extend(lines),
        Err(error) => words.push(format!("its log cannot be read: {error}")),
    }
    words.iter().map(|line| context.redactor.redact(line)).collect()
}
