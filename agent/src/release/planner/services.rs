//! The services: which containers stay, which are made, and how each service is replaced.

use std::collections::BTreeMap;

use tidegate_compose::{
    Project, Service, hash, labels, names, order,
    x_tidegate::{ServiceExtension, Strategy as WantedStrategy},
};

use super::{Wanted, extension_of};
use crate::{
    apps::ServiceName,
    docker::{
        Container, ContainerState,
        body::{self, RELEASE_LABEL},
        references,
    },
    ingress,
    release::{
        Failure,
        plan::{Ends, NewContainer, OldContainer, PlannedService, ServiceAction, Strategy, Was},
        world::World,
    },
};

/// Why a container goes whose definition is another one now; `difference` adds the fields.
pub(super) const DEFINITION_CHANGED: &str = "its definition changed";

/// All services in the order of their dependencies.
pub(super) fn plan(wanted: Wanted<'_>, world: &World) -> (Vec<PlannedService>, Vec<Failure>) {
    let (mut planned, mut refused) = (Vec::<PlannedService>::new(), Vec::new());
    let sequence = match order::sequence(&wanted.project.services) {
        Ok(sequence) => sequence,
        Err(cycle) => {
            return (planned, vec![Failure::caused_by("the services cannot be ordered", &cycle)]);
        }
    };
    let mut slots = Slots::in_use(wanted, world);
    for name in &sequence {
        let Some(service) = wanted.project.services.get(name) else {
            continue;
        };
        check_ports(wanted, world, (name, service), &mut refused);
        check_conditions(wanted, (name, service), &mut refused);
        let context = Context { wanted, world, service, planned: &planned };
        match one(&context, &mut slots) {
            Ok(service) => planned.push(service),
            Err(failure) => refused.push(failure),
        }
    }
    (planned, refused)
}

/// Containers of services that are not in the file. Services that are only switched off by a profile stay.
pub(super) fn removed(wanted: Wanted<'_>, world: &World) -> Vec<OldContainer> {
    let is_known = |name: &str| {
        wanted.project.services.contains_key(name) || wanted.project.disabled_services.contains_key(name)
    };
    let replicas = world.containers.iter().filter(|container| container.number().is_some());
    replicas.filter(|container| container.service().is_some_and(|name| !is_known(name))).map(old).collect()
}

struct Context<'a> {
    wanted: Wanted<'a>,
    world: &'a World,
    service: &'a Service,
    planned: &'a [PlannedService],
}

fn one(context: &Context<'_>, slots: &mut Slots) -> Result<PlannedService, Failure> {
    let (wanted, service) = (context.wanted, context.service);
    let extension = extension_of(wanted, &service.name);
    let containers: Vec<&Container> = context
        .world
        .containers
        .iter()
        .filter(|container| container.service() == Some(&service.name) && container.number().is_some())
        .collect();
    let (strategy, strategy_reason) = strategy(service, &extension)?;
    let Fate { mut kept, mut old, missing, action, reason } = fate(context, &containers);
    for container in kept.iter_mut().chain(&mut old) {
        container.slot = slots.of(&container.name);
    }
    for container in old.iter_mut().filter(|_| !service.container_name.is_empty()) {
        container.aside = Some(names::replacement_name(&container.id, &container.name));
    }
    let held = (old.as_slice(), extension.ingress.is_some(), strategy);
    let new = new_containers(context, held, (missing, slots))?;
    Ok(PlannedService {
        name: ServiceName::new(&service.name),
        action,
        reason,
        strategy,
        strategy_reason,
        kept,
        old,
        new,
        stable: extension.gate.stable,
        timeout: extension.gate.timeout,
        ends: ends(wanted, service),
        ingress_port: extension.ingress.map(|ingress| ingress.port),
    })
}

fn old(container: &Container) -> OldContainer {
    let policy = container.restart.clone().unwrap_or_default();
    OldContainer {
        name: container.name.clone(),
        id: container.id.clone(),
        aside: None,
        restart: (
            policy.name.map_or_else(String::new, |name| name.to_string()),
            policy.maximum_retry_count.unwrap_or(0),
        ),
        was: if container.is_running() { Was::Running } else { Was::Stopped },
        slot: None,
    }
}

/// What becomes of a service's containers.
struct Fate {
    kept: Vec<OldContainer>,
    old: Vec<OldContainer>,
    /// How many are to be made.
    missing: usize,
    action: ServiceAction,
    reason: String,
}

/// Containers that are as the file says stay, those with the lowest numbers first; the others go.
fn fate(context: &Context<'_>, containers: &[&Container]) -> Fate {
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
    ended_well && ends(context.wanted, context.service) != Ends::Never
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

fn new_containers(
    context: &Context<'_>,
    (old, behind_ingress, strategy): (&[OldContainer], bool, Strategy),
    (count, slots): (usize, &mut Slots),
) -> Result<Vec<NewContainer>, Failure> {
    let service = context.service;
    let project = &context.wanted.project.name;
    let held = |number: &u32| {
        let name = names::container_name(project, &service.name, *number);
        context.world.containers.iter().any(|container| container.name == name)
    };
    let fixed = Some(&service.container_name).filter(|name| !name.is_empty());
    // An interrupted service's new container takes the address that the old one has left.
    let mut left = old.iter().filter_map(|old| old.slot).filter(|_| strategy == Strategy::Recreate);
    let mut new = Vec::new();
    for number in (1..).filter(|number| !held(number)).take(count) {
        let name = fixed.map_or_else(|| names::container_name(project, &service.name, number), Clone::clone);
        let temporary = (fixed.is_some() && !old.is_empty()).then(|| format!("{name}-next"));
        let slot = match left.next() {
            _ if !behind_ingress => None,
            Some(slot) => Some(slot),
            None => Some(slots.take(&service.name)?),
        };
        new.push(NewContainer { name, temporary, number, slot });
    }
    Ok(new)
}

fn strategy(service: &Service, extension: &ServiceExtension) -> Result<(Strategy, String), Failure> {
    let obstacle = obstacle(service, extension);
    match (extension.strategy, obstacle) {
        (Some(WantedStrategy::Recreate), _) => Ok((Strategy::Recreate, "the file says so".to_owned())),
        (Some(WantedStrategy::Rolling), _) => {
            let failure = Failure::new(
                format!("service {} asks for the strategy `rolling`", service.name),
                "this agent replaces all replicas of a service at once",
            );
            Err(failure
                .at(format!("services.{}.x-tidegate.strategy", service.name))
                .hint("leave `strategy` out: tidegate takes blue-green where it can"))
        }
        (Some(WantedStrategy::BlueGreen), Some(obstacle)) => {
            let failure =
                Failure::new(format!("service {} cannot be replaced blue-green", service.name), obstacle);
            Err(failure
                .at(format!("services.{}.x-tidegate.strategy", service.name))
                .hint("remove the obstacle, or leave `strategy` out"))
        }
        (_, Some(obstacle)) => Ok((Strategy::Recreate, obstacle)),
        (_, None) => Ok((Strategy::BlueGreen, String::new())),
    }
}

/// Why old and new cannot run side by side.
fn obstacle(service: &Service, extension: &ServiceExtension) -> Option<String> {
    let shares = [&service.network_mode, &service.ipc, &service.pid];
    let fixed = |network: &tidegate_compose::model::ServiceNetwork| {
        !network.ipv4_address.is_empty()
            || !network.ipv6_address.is_empty()
            || !network.mac_address.is_empty()
    };
    let writes = service.volumes.iter().find(|volume| !volume.read_only && volume.kind != "tmpfs");
    let reason = if extension.ingress.is_none() {
        "it is not behind the ingress".to_owned()
    } else if extension.place == tidegate_compose::x_tidegate::Place::One {
        "there must never be two of it (`place: one`)".to_owned()
    } else if !service.ports.is_empty() {
        "it publishes a port of the host".to_owned()
    } else if !service.container_name.is_empty() {
        "it has a fixed `container_name`".to_owned()
    } else if service.networks.values().flatten().any(fixed) {
        "it has a fixed address".to_owned()
    } else if let Some(volume) = writes {
        format!(
            "it writes to the volume {}",
            if volume.source.is_empty() { &volume.target } else { &volume.source }
        )
    } else if !service.volumes_from.is_empty() {
        "it shares the volumes of another container".to_owned()
    } else if shares.iter().any(|mode| mode.starts_with("service:") || mode.starts_with("container:")) {
        "it shares a namespace with another container".to_owned()
    } else {
        return None;
    };
    Some(reason)
}

fn ends(wanted: Wanted<'_>, service: &Service) -> Ends {
    let awaited = wanted.project.services.values().any(|other| {
        let dependency = other.depends_on.get(&service.name);
        dependency.is_some_and(|dependency| dependency.condition == "service_completed_successfully")
    });
    let policy = body::restart_policy(service);
    let stays = matches!(
        policy.name,
        Some(
            bollard::models::RestartPolicyNameEnum::ALWAYS
                | bollard::models::RestartPolicyNameEnum::UNLESS_STOPPED
        )
    );
    let behind_ingress = extension_of(wanted, &service.name).ingress.is_some();
    if awaited {
        Ends::Always
    } else if stays || behind_ingress || service.healthcheck.is_some() {
        Ends::Never
    } else {
        Ends::Maybe
    }
}

fn check_ports(
    wanted: Wanted<'_>,
    world: &World,
    (name, service): (&str, &Service),
    refused: &mut Vec<Failure>,
) {
    let any = |ip: &str| ip.is_empty() || ip == "0.0.0.0" || ip == "::";
    for port in service.ports.iter().filter(|port| !port.published.is_empty()) {
        let suffix = format!(":{}/{}", port.published, port.protocol);
        let clash = world.foreign_ports.iter().find(|(held, _)| {
            held.strip_suffix(&suffix).is_some_and(|ip| ip == port.host_ip || any(ip) || any(&port.host_ip))
        });
        if let Some((_, holder)) = clash {
            let failure = Failure::new(
                format!("host port {} of service {name} is taken", port.published),
                format!("the container {holder} has published it"),
            );
            let cure = if extension_of(wanted, name).ingress.is_some() {
                "remove `ports`: the service is reached through the ingress"
            } else {
                "publish another port, or remove the container that holds it"
            };
            refused.push(failure.at(format!("services.{name}.ports")).hint(cure));
        }
    }
}

fn check_conditions(wanted: Wanted<'_>, (name, service): (&str, &Service), refused: &mut Vec<Failure>) {
    let services: &BTreeMap<String, Service> = &wanted.project.services;
    for (target, dependency) in &service.depends_on {
        let disabled =
            services.get(target).and_then(|service| service.healthcheck.as_ref()).is_some_and(|c| c.disable);
        if dependency.condition == "service_healthy" && disabled {
            let failure = Failure::new(
                format!("service {name} waits until {target} is healthy, which it never will be"),
                format!("the health check of {target} is disabled"),
            );
            refused.push(
                failure
                    .at(format!("services.{name}.depends_on.{target}"))
                    .hint("enable it, or wait for `service_started`"),
            );
        }
    }
}

/// Places on the app's ingress network: the last byte of an address.
struct Slots {
    held: Vec<(String, u8)>,
}

impl Slots {
    fn in_use(wanted: Wanted<'_>, world: &World) -> Self {
        let network = ingress::network_name(wanted.app);
        let slot = |container: &Container| {
            let address = container.addresses.get(&network)?;
            let last = address.rsplit('.').next()?.parse().ok()?;
            Some((container.name.clone(), last))
        };
        Self { held: world.containers.iter().filter_map(slot).collect() }
    }

    fn of(&self, container: &str) -> Option<u8> {
        self.held.iter().find(|(name, _)| name == container).map(|(_, slot)| *slot)
    }

    fn take(&mut self, service: &str) -> Result<u8, Failure> {
        let is_free = |slot: &u8| !self.held.iter().any(|(_, held)| held == slot);
        let Some(slot) = ingress::SERVICE_SLOTS.clone().find(is_free) else {
            return Err(Failure::new(
                format!("service {service} finds no address behind the ingress"),
                "an app may have about 240 containers behind the ingress, the old ones included",
            )
            .hint("lower `replicas`"));
        };
        self.held.push((service.to_owned(), slot));
        Ok(slot)
    }
}
