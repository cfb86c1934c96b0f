//! The services: which containers stay, which are made, and how each service is replaced.

use tidegate_compose::{
    Service, names, order,
    x_tidegate::{ServiceExtension, Strategy as WantedStrategy},
};

use super::{
    Wanted, extension_of,
    fate::{Fate, fate},
    feasible, probes,
};
use crate::{
    apps::ServiceName,
    docker::{Container, body},
    ingress,
    release::{
        Failure,
        plan::{
            Ends, NewContainer, OldContainer, PlannedResource, PlannedService, ResourceAction, Strategy, Was,
        },
        world::World,
    },
};

/// All services in the order of their dependencies.
pub(super) fn plan(
    wanted: Wanted<'_>,
    world: &World,
    resources: &[PlannedResource],
) -> (Vec<PlannedService>, Vec<Failure>) {
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
        feasible::service(wanted, world, (name, service), &mut refused);
        refused.extend(probes::unreachable(wanted, service));
        let context = Context { wanted, world, service, planned: &planned, resources };
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

/// A service as it is planned: after those that it depends on.
pub(super) struct Context<'a> {
    pub(super) wanted: Wanted<'a>,
    pub(super) world: &'a World,
    pub(super) service: &'a Service,
    pub(super) planned: &'a [PlannedService],
    pub(super) resources: &'a [PlannedResource],
}

impl Context<'_> {
    /// Why no container of the service can stay while the new ones are made: a network of theirs is made anew.
    pub(super) fn remade(&self) -> Option<String> {
        let mut remade = self.resources.iter().filter(|resource| resource.action == ResourceAction::Recreate);
        let network = remade.find(|resource| self.service.networks.contains_key(&resource.key))?;
        Some(format!("its network {} is made anew", network.name))
    }
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
    let (strategy, strategy_reason) = match context.remade() {
        // Whatever the file says: the old ones are gone before the network is there.
        Some(reason) => (Strategy::Recreate, reason),
        None if wanted.still.is_some_and(|still| still.holds(&service.name)) => (
            Strategy::Recreate,
            "nothing may use the database before a breaking migration is over".to_owned(),
        ),
        None => strategy(service, &extension)?,
    };
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
        probes: probes::plan(&extension),
        ends: ends(wanted, service),
        ingress_port: extension.ingress.map(|ingress| ingress.port),
    })
}

pub(in crate::release) fn old(container: &Container) -> OldContainer {
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
        (Some(WantedStrategy::Rolling), _) => match obstacle_beside(service, extension) {
            None => Ok((Strategy::Rolling, "the file says so".to_owned())),
            Some(obstacle) => Err(impossible(service, "rolling", obstacle)),
        },
        (Some(WantedStrategy::BlueGreen), Some(obstacle)) => Err(impossible(service, "blue-green", obstacle)),
        (_, Some(obstacle)) => Ok((Strategy::Recreate, obstacle)),
        (_, None) => Ok((Strategy::BlueGreen, String::new())),
    }
}

/// The refusal of a strategy that the file asks for.
fn impossible(service: &Service, strategy: &str, obstacle: String) -> Failure {
    Failure::new(format!("service {} cannot be replaced {strategy}", service.name), obstacle)
        .at(format!("services.{}.x-tidegate.strategy", service.name))
        .hint("remove the obstacle, or leave `strategy` out")
}

/// Why the ingress cannot switch from old to new.
fn obstacle(service: &Service, extension: &ServiceExtension) -> Option<String> {
    if extension.ingress.is_none() {
        return Some("it is not behind the ingress".to_owned());
    }
    obstacle_beside(service, extension)
}

/// Why old and new cannot run side by side.
fn obstacle_beside(service: &Service, extension: &ServiceExtension) -> Option<String> {
    let shares = [&service.network_mode, &service.ipc, &service.pid];
    let fixed = |network: &tidegate_compose::model::ServiceNetwork| {
        !network.ipv4_address.is_empty()
            || !network.ipv6_address.is_empty()
            || !network.mac_address.is_empty()
    };
    let writes = service.volumes.iter().find(|volume| !volume.read_only && volume.kind != "tmpfs");
    let reason = if extension.place == Some(tidegate_compose::x_tidegate::Place::One) {
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

pub(in crate::release) fn ends(wanted: Wanted<'_>, service: &Service) -> Ends {
    let awaited = wanted.project.services.values().any(|other| {
        let dependency = other.depends_on.get(&service.name);
        dependency.is_some_and(|dependency| dependency.condition == "service_completed_successfully")
    });
    let stays = matches!(
        body::restart_policy(service).and_then(|policy| policy.name),
        Some(
            bollard::models::RestartPolicyNameEnum::ALWAYS
                | bollard::models::RestartPolicyNameEnum::UNLESS_STOPPED
        )
    );
    let extension = extension_of(wanted, &service.name);
    let answers = extension.ingress.is_some() || !extension.gate.probes.is_empty();
    if awaited {
        Ends::Always
    } else if stays || answers || service.healthcheck.is_some() {
        Ends::Never
    } else {
        Ends::Maybe
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
