//! Networks that are made anew. What is on them stops first. Taken back by bringing the networks before back, with the
//! stopped containers on them as they were, and starting what stopped: the undo of later steps leaves that to this one.
//!
//! A stopped container remembers its network by id, so it has to join the one that was brought back. How it stood on the
//! network before is in the plan, because a crash between leaving and joining would lose it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{drain, prepare, replace, summary};
use crate::{
    docker::body::RELEASE_LABEL,
    release::{
        Failure,
        context::{Context, docker_failure},
        plan::{FormerNetwork, OldContainer, PlannedResource, PlannedService, Strategy},
    },
};

pub(super) async fn forward(context: &Context, step: &str) -> Result<Value, Failure> {
    let mut due = Vec::new();
    for network in context.plan.remade() {
        if !is_new(context, network).await? {
            refuse_strangers(context, network).await?;
            due.push(network);
        }
    }
    if due.is_empty() {
        return Ok(summary("they are there"));
    }
    // Dependants before what they depend on.
    for service in affected(context).into_iter().rev() {
        for old in &service.old {
            replace::stop_old(context, old, step).await?;
        }
    }
    for old in &context.plan.removed {
        replace::stop_old(context, old, step).await?;
    }
    for network in &due {
        let failed = |error| docker_failure(format!("the network {}", network.name), &error);
        context.docker.remove_network(&network.name).await.map_err(failed)?;
        prepare::network(context, &network.key).await.map_err(failed)?;
    }
    let names: Vec<&str> = due.iter().map(|network| network.name.as_str()).collect();
    Ok(summary(format!("{} made anew", names.join(", "))))
}

/// The services that stop for it, in the order of the plan: those on the networks, and those that end with them.
fn affected(context: &Context) -> Vec<&PlannedService> {
    let keys: BTreeSet<&str> = context.plan.remade().map(|network| network.key.as_str()).collect();
    let is_on = |service: &&PlannedService| {
        let model = context.project.services.get(service.name.as_str());
        model.is_some_and(|model| model.networks.keys().any(|key| keys.contains(key.as_str())))
    };
    let mut names: BTreeSet<&str> =
        context.plan.services.iter().filter(is_on).map(|service| service.name.as_str()).collect();
    for name in names.clone() {
        let led = replace::dependants_in(&context.plan, &context.project, name);
        names.extend(led.into_iter().map(|service| service.name.as_str()));
    }
    context.plan.services.iter().filter(|service| names.contains(service.name.as_str())).collect()
}

/// Whether this release has made it already.
async fn is_new(context: &Context, network: &PlannedResource) -> Result<bool, Failure> {
    let failed = |error| docker_failure(format!("the network {}", network.name), &error);
    let there = context.docker.network(&network.name).await.map_err(failed)?;
    Ok(there.is_some_and(|facts| facts.labels.get(RELEASE_LABEL) == Some(&context.id.label())))
}

/// A container that is not the release's to stop holds the network: nothing is stopped then.
async fn refuse_strangers(context: &Context, network: &PlannedResource) -> Result<(), Failure> {
    let failed = |error| docker_failure(format!("the network {}", network.name), &error);
    let own: BTreeSet<&str> = olds(context).map(|old| old.name.as_str()).collect();
    let attached = context.docker.attached(&network.name).await.map_err(failed)?;
    let strangers: Vec<String> = attached.into_iter().filter(|name| !own.contains(name.as_str())).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    let why = format!("{} is on it and is not replaced by this release", strangers.join(", "));
    Err(Failure::new(format!("the network {} cannot be made anew", network.name), why)
        .at(network.name.clone())
        .hint("end it, or take it off: `docker network disconnect NETWORK CONTAINER` on the droplet; then deploy again"))
}

fn olds(context: &Context) -> impl Iterator<Item = &OldContainer> {
    context.plan.services.iter().flat_map(|service| &service.old).chain(&context.plan.removed)
}

pub(super) async fn undo(context: &Context, step: &str) -> Result<(), Failure> {
    for network in context.plan.remade() {
        let failed = |error| docker_failure(format!("the network {}", network.name), &error);
        if is_new(context, network).await? {
            context.docker.remove_network(&network.name).await.map_err(failed)?;
        }
        let there = context.docker.network(&network.name).await.map_err(failed)?;
        let Some(former) = &network.former else { continue };
        if there.is_none() {
            context.docker.create_network(former.definition.clone()).await.map_err(failed)?;
        }
        rejoin(context, &network.name, former).await?;
    }
    let changed = context.plan.services.iter().filter(|service| service.strategy == Strategy::Recreate);
    for service in changed {
        for old in &service.old {
            replace::start_old(context, service, (old, step)).await?;
        }
    }
    drain::start_removed(context, step).await
}

/// The old containers join the network that was brought back, as they stood on the one before.
async fn rejoin(context: &Context, network: &str, former: &FormerNetwork) -> Result<(), Failure> {
    let failed = |error| docker_failure(format!("the network {network}"), &error);
    let now = context.docker.network(network).await.map_err(failed)?.map(|facts| facts.id);
    for old in olds(context) {
        let Some(settings) = former.endpoints.get(&old.id) else { continue };
        let Some(container) = context.docker.container(&old.id).await.map_err(failed)? else { continue };
        let joined = container.endpoints.get(network);
        if joined.is_some_and(|endpoint| endpoint.network_id == now) {
            continue;
        }
        if joined.is_some() {
            context.docker.detach(network, &old.id).await.map_err(failed)?;
        }
        context.docker.attach(network, &old.id, settings.clone()).await.map_err(failed)?;
    }
    Ok(())
}
