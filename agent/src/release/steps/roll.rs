//! Replicas one after the other: each new one is gated before anybody is sent to it; then an old one ends its requests
//! and stops. Taken back in the other direction, just as gently.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};
use tidegate_saga::Cancel;
use tokio::time::Instant;

use super::{drain, gate, hooks, replace, switch};
use crate::{
    docker::body::ServiceAlias,
    ingress::{SWITCH_SEEN_AFTER, subnet},
    release::{
        Failure,
        context::{Context, docker_failure},
        gate::pass,
        plan::{NewContainer, PlannedService},
    },
};

pub(super) async fn forward(
    context: &Context,
    (name, step): (&str, &str),
    cancel: &Cancel,
) -> Result<Value, Failure> {
    let service = context.planned(name)?;
    for kept in service.woken() {
        gate::wake(&context.docker, service, &kept.name).await?;
        pass(context, service, &kept.name, cancel).await?;
        gate::give_restart_to(context, service, &kept.name).await?;
    }
    let mut closed = 0_u64;
    for done in 1..=turns(service) {
        if let Some(new) = service.new.get(done.saturating_sub(1)) {
            bring_in(context, (service, new), cancel).await?;
        }
        route(context, service, done).await?;
        if let Some(old) = service.old.get(done.saturating_sub(1)) {
            closed = closed.saturating_add(drain::drained(context, service, (old, Instant::now())).await?);
            replace::stop_old(context, old, step).await?;
        }
        context.progress(step, format!("{done} of {}", turns(service))).await;
    }
    Ok(json!({ "summary": "", drain::CLOSED: { name: closed } }))
}

/// How many times one comes, one goes, or both.
fn turns(service: &PlannedService) -> usize {
    service.new.len().max(service.old.len())
}

/// Starts and gates a new replica, and lets the project's other services find it.
async fn bring_in(
    context: &Context,
    (service, new): (&PlannedService, &NewContainer),
    cancel: &Cancel,
) -> Result<(), Failure> {
    let name = new.first_name();
    gate::start(&context.docker, service, name).await?;
    hooks::post_start(context, (service, name), cancel).await?;
    pass(context, service, name, cancel).await?;
    switch::name_one(context, (service, new), ServiceAlias::Given).await?;
    gate::give_restart_to(context, service, name).await?;
    // The container was off the project's network for a moment: it has to be well still.
    let look = PlannedService { stable: Duration::ZERO, ..service.clone() };
    pass(context, &look, name, cancel).await.map(drop)
}

/// Leads the ingress to what serves after so many turns; returns when it is sure to have seen it.
async fn route(context: &Context, service: &PlannedService, done: usize) -> Result<(), Failure> {
    let former = &context.plan.former;
    if service.ingress_port.is_none() || !former.targets.contains_key(&service.name) {
        return Ok(());
    }
    let wanted = addresses(context, slots(service, done)).await?;
    if served(context, service).await? == wanted {
        return Ok(());
    }
    let mut routes = former.clone();
    routes.targets.insert(service.name.clone(), wanted);
    switch::serve(context, &routes).await?;
    tokio::time::sleep(SWITCH_SEEN_AFTER).await;
    Ok(())
}

/// The places behind the ingress of what serves after so many turns.
fn slots(service: &PlannedService, done: usize) -> Vec<u8> {
    let kept = service.kept.iter().filter_map(|kept| kept.slot);
    let new = service.new.iter().take(done).filter_map(|new| new.slot);
    kept.chain(new).chain(service.old.iter().skip(done).filter_map(|old| old.slot)).collect()
}

async fn addresses(context: &Context, slots: Vec<u8>) -> Result<Vec<Ipv4Addr>, Failure> {
    let subnet = context.ingress_subnet().await?;
    Ok(slots.into_iter().filter_map(|slot| subnet::address(&subnet, slot)).collect())
}

/// Where the ingress sends requests for the service now.
async fn served(context: &Context, service: &PlannedService) -> Result<Vec<Ipv4Addr>, Failure> {
    let all = context.ingress.routes().await;
    let all = all.map_err(|error| Failure::caused_by("the ingress's routes could not be read", &error))?;
    let own = all.into_iter().find(|(app, _)| *app == context.id.app);
    Ok(own.and_then(|(_, mut routes)| routes.targets.remove(&service.name)).unwrap_or_default())
}

/// How many new replicas requests are sent to: only these passed their gate for certain.
async fn reached(context: &Context, service: &PlannedService) -> Result<usize, Failure> {
    if service.ingress_port.is_none() {
        return Ok(turns(service));
    }
    let new = addresses(context, service.new.iter().filter_map(|new| new.slot).collect()).await?;
    let served = served(context, service).await?;
    Ok(new.iter().filter(|address| served.contains(address)).count())
}

pub(super) async fn undo(context: &Context, (name, step): (&str, &str)) -> Result<(), Failure> {
    let service = context.planned(name)?;
    let reached = reached(context, service).await?;
    let beyond = || (reached..turns(service)).rev();
    for old in beyond().filter_map(|left| service.old.get(left)) {
        replace::start_old(context, service, (old, step)).await?;
    }
    route(context, service, reached).await?;
    for new in beyond().filter_map(|left| service.new.get(left)) {
        take_out(context, new.first_name(), step).await?;
    }
    for left in (0..reached).rev() {
        if let Some(old) = service.old.get(left) {
            replace::start_old(context, service, (old, step)).await?;
        }
        route(context, service, left).await?;
        if let Some(new) = service.new.get(left) {
            take_out(context, new.first_name(), step).await?;
        }
    }
    for kept in service.woken() {
        take_out(context, &kept.id, step).await?;
    }
    Ok(())
}

/// Stops a container, if it is there.
async fn take_out(context: &Context, container: &str, step: &str) -> Result<(), Failure> {
    let failed = |error| docker_failure(format!("the container {container}"), &error);
    match context.docker.container(container).await.map_err(failed)? {
        Some(found) => hooks::stop(context, &found, step).await.map_err(failed),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apps::ServiceName,
        release::plan::{Ends, OldContainer, ServiceAction, Strategy, Was},
    };

    fn service(old: &[u8], new: &[u8]) -> PlannedService {
        let an_old = |slot: &u8| OldContainer {
            name: String::new(),
            id: String::new(),
            aside: None,
            restart: (String::new(), 0),
            was: Was::Running,
            slot: Some(*slot),
        };
        let a_new =
            |slot: &u8| NewContainer { name: String::new(), temporary: None, number: 1, slot: Some(*slot) };
        PlannedService {
            name: ServiceName::new("web"),
            action: ServiceAction::Replace,
            reason: String::new(),
            strategy: Strategy::Rolling,
            strategy_reason: String::new(),
            kept: Vec::new(),
            old: old.iter().map(an_old).collect(),
            new: new.iter().map(a_new).collect(),
            stable: Duration::ZERO,
            timeout: Duration::ZERO,
            ends: Ends::Never,
            ingress_port: Some(80),
            probes: Vec::new(),
        }
    }

    #[test]
    fn in_every_turn_one_new_address_takes_the_place_of_an_old_one() {
        let pair = service(&[10, 11], &[12, 13]);
        let seen: Vec<Vec<u8>> = (0..=turns(&pair)).map(|done| slots(&pair, done)).collect();
        assert_eq!(seen, [vec![10, 11], vec![12, 11], vec![12, 13]]);
        let fewer = service(&[10, 11, 12], &[13]);
        let seen: Vec<Vec<u8>> = (0..=turns(&fewer)).map(|done| slots(&fewer, done)).collect();
        assert_eq!(seen, [vec![10, 11, 12], vec![13, 11, 12], vec![13, 12], vec![13]]);
    }
}
