//! Old containers behind the ingress end their requests and stop. Taken back by starting them again.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{connections, replace, switch, watch};
use crate::{
    ingress::{OWN_SLOT, subnet},
    release::{
        Failure,
        context::{Context, docker_failure},
        plan::{Ends, OldContainer, PlannedService, ServiceAction, Strategy},
    },
};

/// The key under which the step tells the requests that it cut off, by service.
pub const CLOSED: &str = "closed_requests";
/// How often open connections are counted.
const LOOK: Duration = Duration::from_millis(250);

/// `switched` is what the switch told.
pub(super) async fn forward(
    context: &Context,
    step: &str,
    switched: Option<&Value>,
) -> Result<Value, Failure> {
    // As long as nothing is stopped, a bad sign takes the release back at once.
    let closed = if context.plan.watch.is_zero() {
        wait(context, step, switched).await?
    } else {
        tokio::select! {
            closed = wait(context, step, switched) => closed?,
            failure = watch::until_bad(context) => return Err(failure),
        }
    };
    for service in context.plan.blue_green() {
        for old in &service.old {
            replace::stop_old(context, old, step).await?;
        }
    }
    for old in &context.plan.removed {
        replace::stop_old(context, old, step).await?;
    }
    Ok(json!({ "summary": "", CLOSED: closed }))
}

/// Waits until no request is open, or the time is up; how many are left, by service.
async fn wait(
    context: &Context,
    step: &str,
    switched: Option<&Value>,
) -> Result<serde_json::Map<String, Value>, Failure> {
    switch::seen(context, switched).await;
    let started = Instant::now();
    let mut closed = serde_json::Map::new();
    for service in context.plan.blue_green() {
        let mut count = 0_u64;
        for old in &service.old {
            count = count.saturating_add(drained(context, service, (old, started)).await?);
        }
        if count > 0 {
            context
                .progress(step, format!("{count} requests to {} took longer than the drain", service.name))
                .await;
        }
        closed.insert(service.name.to_string(), json!(count));
    }
    Ok(closed)
}

/// Waits until no request to an old container is open, or the time is up; how many are left.
pub(super) async fn drained(
    context: &Context,
    service: &PlannedService,
    (old, started): (&OldContainer, Instant),
) -> Result<u64, Failure> {
    let Some(port) = service.ingress_port else {
        return Ok(0);
    };
    let subnet = context.ingress_subnet().await?;
    let Some(ingress) = subnet::address(&subnet, OWN_SLOT) else {
        return Ok(0);
    };
    loop {
        let found =
            context.docker.container(&old.id).await.map_err(|e| docker_failure(old.name.clone(), &e))?;
        let Some(pid) = found.and_then(|container| container.pid) else {
            return Ok(0);
        };
        let open = connections::open(Path::new("/proc"), pid, (ingress, port));
        if open == 0 || started.elapsed() >= context.plan.drain {
            return Ok(open);
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) async fn undo(context: &Context, step: &str) -> Result<(), Failure> {
    watch::undo(context, step).await?;
    let changed = context.plan.services.iter().filter(|service| service.action != ServiceAction::Keep);
    for service in changed.filter(|service| service.strategy == Strategy::BlueGreen) {
        for old in &service.old {
            replace::start_old(context, service, (old, step)).await?;
        }
    }
    if context.plan.remade().next().is_some() {
        return Ok(());
    }
    start_removed(context, step).await
}

/// Starts the containers again whose services are not in the file.
pub(super) async fn start_removed(context: &Context, step: &str) -> Result<(), Failure> {
    for old in &context.plan.removed {
        replace::start_old(context, &gone(context, old), (old, step)).await?;
    }
    Ok(())
}

/// A service that the file no longer has, for the gate.
pub(super) fn gone(context: &Context, old: &OldContainer) -> PlannedService {
    PlannedService {
        name: crate::apps::ServiceName::new(old.name.clone()),
        action: ServiceAction::Keep,
        reason: String::new(),
        strategy: Strategy::Recreate,
        strategy_reason: String::new(),
        kept: Vec::new(),
        old: Vec::new(),
        new: Vec::new(),
        stable: Duration::ZERO,
        timeout: context.plan.drain.max(Duration::from_mins(1)),
        probes: Vec::new(),
        ends: Ends::Maybe,
        ingress_port: None,
    }
}
