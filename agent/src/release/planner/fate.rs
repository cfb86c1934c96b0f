//! What becomes of a service's containers: those that are as the file says stay.

use std::collections::BTreeMap;

use tidegate_compose::{Project, Service, hash, labels};

use super::services::{Context, ends, old};
use crate::{
    docker::{Container, ContainerState, body::RELEASE_LABEL, references},
    release::plan::{Ends, OldContainer, ServiceAction, Was},
};

/// Why a container goes whose definition is another one now; `difference` adds the fields.
pub(super) const DEFINITION_CHANGED: &str = "its definition changed";

/// What becomes of a service's containers.
pub(super) struct Fate {
    pub(super) kept: Vec<OldContainer>,
    pub(super) old: Vec<OldContainer>,
    /// How many are to be made.
    pub(super) missing: usize,
    pub(super) action: ServiceAction,
    pub(super) reason: String,
}

/// Containers that are as the file says stay, those with the lowest numbers first; the others go.
pub(super) fn fate(context: &Context<'_>, containers: &[&Container]) -> Fate {
    let wanted = usize::try_from(context.service.replicas()).unwrap_or(0);
    let by_all = unsettled(context);
    let resolved = resolved(context).unwrap_or_else(|| context.service.clone());
    let wanted_hash = hash::service(&resolved, context.wanted.project.compatibility);
    let mut sorted = containers.to_vec();
    sorted.sort_by_key(|container| container.number());
    let (mut kept, mut gone, mut why) = (Vec::new(), Vec::new(), None);
    for container in sorted {
        match by_all.clone().or_else(|| changed(context, (&resolved, &wanted_hash), container)) {
            None => kept.push(container),
            Some(reason) => {
                gone.push(container);
                why.get_or_insert(reason);
            }
        }
    }
    let surplus = kept.split_off(wanted.min(kept.len()));
    let missing = wanted.saturating_sub(kept.len());
    let asleep = kept.iter().find(|container| !container.is_running() && !has_ended(context, container));
    let numbers = format!("it has {} containers instead of {wanted}", containers.len());
    let (action, reason) = match why {
        _ if containers.is_empty() && missing > 0 => {
            (ServiceAction::Create, "it has no container yet".to_owned())
        }
        Some(why) if kept.is_empty() => (ServiceAction::Replace, why),
        Some(why) => (ServiceAction::Replace, format!("{why} ({} of {})", gone.len(), containers.len())),
        None if missing > 0 || !surplus.is_empty() => (ServiceAction::Adjust, numbers),
        None => match asleep {
            Some(container) => (
                ServiceAction::Adjust,
                format!("its container {} is {}", container.name, container.state.word()),
            ),
            None => (ServiceAction::Keep, "nothing changed".to_owned()),
        },
    };
    gone.extend(surplus);
    let was_ended = |container: &Container| has_ended(context, container);
    let keep = |container: &Container| {
        let was = if container.is_running() || was_ended(container) { Was::Running } else { Was::Stopped };
        OldContainer { was, ..old(container) }
    };
    let kept = kept.into_iter().map(keep).collect();
    Fate { kept, old: gone.into_iter().map(old).collect(), missing, action, reason }
}

/// Why none of the service's containers can stay, if so.
fn unsettled(context: &Context<'_>) -> Option<String> {
    if let Some(reason) = context.remade() {
        return Some(reason);
    }
    if resolved(context).is_none() {
        return Some("a service whose namespace or volumes it shares gets a new container".to_owned());
    }
    let replaced = |name: &&String| {
        context.planned.iter().any(|p| p.name.as_str() == **name && p.action == ServiceAction::Replace)
    };
    let restarts = context.service.depends_on.iter().filter(|(_, dependency)| dependency.restart);
    let name = restarts.map(|(name, _)| name).find(replaced)?;
    Some(format!("{name}, which it depends on, gets a new container"))
}

/// Why a container cannot stay, if so.
fn changed(
    context: &Context<'_>,
    (service, hash): (&Service, &str),
    container: &Container,
) -> Option<String> {
    if container.label(labels::CONFIG_HASH) != Some(hash) {
        return Some(DEFINITION_CHANGED.to_owned());
    }
    let image = context.world.images.get(&service.image);
    if image.is_none_or(|image| image.id.as_ref() != Some(&container.image_id)) {
        return Some(format!("image digest changed: {}", service.image));
    }
    // Nothing is known about the files of a container that docker compose made.
    let release = container.label(RELEASE_LABEL).unwrap_or_default();
    let its_files = context.world.given.get(&(release.to_owned(), service.name.clone()));
    if its_files.is_some() && its_files != context.wanted.files.get(&service.name) {
        return Some("a file that it is given changed".to_owned());
    }
    if let Some(missing) = missing(context.wanted.project, service, container) {
        return Some(missing);
    }
    let is_broken = matches!(container.state, ContainerState::Paused | ContainerState::Dead);
    is_broken.then(|| format!("its container {} is {}", container.name, container.state.word()))
}

/// A network or named volume that the container should have and has not: somebody took it away.
fn missing(project: &Project, service: &Service, container: &Container) -> Option<String> {
    if !container.is_running() {
        return None;
    }
    let networks = service.networks.keys().filter_map(|key| project.networks.get(key));
    if let Some(network) = networks.into_iter().find(|n| !container.addresses.contains_key(&n.name)) {
        return Some(format!("it is not on the network {}", network.name));
    }
    let named = service.volumes.iter().filter(|mount| mount.kind == "volume" && !mount.source.is_empty());
    let holds = |mount: &tidegate_compose::model::VolumeMount| {
        let name = project.volumes.get(&mount.source).map_or(&mount.source, |volume| &volume.name);
        container.volumes.iter().any(|(target, held)| *target == mount.target && held == name)
    };
    let mount = named.into_iter().find(|mount| !holds(mount))?;
    Some(format!("it does not hold the volume {}", mount.source))
}

/// Whether a container that does not run has done what it was for.
fn has_ended(context: &Context<'_>, container: &Container) -> bool {
    let ended_well = container.state == ContainerState::Exited && container.exit_code == 0;
    // What was stopped by hand may have ended well too.
    let was_stopped = context.world.stopped.contains(&container.name);
    ended_well && !was_stopped && ends(context.wanted, context.service) != Ends::Never
}

/// The service with references to other services as container ids; none when such a container is yet to be made.
fn resolved(context: &Context<'_>) -> Option<Service> {
    let mut ids = BTreeMap::new();
    for name in references::services(context.service) {
        let target = context.planned.iter().find(|planned| planned.name.as_str() == name)?;
        // One that is started again has new namespaces.
        let kept = target.kept.first().filter(|kept| kept.was == Was::Running)?;
        ids.insert(name, kept.id.clone());
    }
    Some(hash::resolved(context.service, &|name| ids.get(name).cloned()))
}
