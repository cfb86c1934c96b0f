//! What is brought back as the steps of a release want it: as a plan. Pure.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use tidegate_compose::names;

use super::ServiceDue;
use crate::{
    apps::ServiceName,
    docker::Container,
    ingress::AppRoutes,
    release::{
        Failure,
        load::LoadedProject,
        plan::{
            NewContainer, OldContainer, PlannedJobs, PlannedService, ReleasePlan, ServiceAction, Strategy,
            Was,
        },
        planner::{probes, services},
    },
};

/// A plan, and the services that cannot be made again by it.
pub(super) struct Drawn {
    pub(super) plan: ReleasePlan,
    pub(super) refused: BTreeMap<ServiceName, Failure>,
}

/// Draws the plan, with a service for each of `dues`, in their order. New containers behind the ingress take the addresses
/// that it sends requests to and that no container has.
pub(super) fn draw(
    loaded: &LoadedProject,
    dues: &[ServiceDue<'_>],
    (containers, routes): (&[Container], &AppRoutes),
) -> Drawn {
    let mut refused = BTreeMap::new();
    let planned = dues.iter().map(|due| {
        let mut service = service(loaded, due, containers);
        let is_routed = service.ingress_port.is_some();
        if is_routed && let Err(failure) = give_slots(&mut service, (containers, routes)) {
            refused.insert(service.name.clone(), failure);
        }
        service
    });
    let plan = ReleasePlan {
        compose: loaded.project.compatibility.version().to_owned(),
        images: Vec::new(),
        resources: Vec::new(),
        services: planned.collect(),
        removed: Vec::new(),
        migration: None,
        jobs: PlannedJobs::default(),
        timers: Vec::new(),
        standstill: None,
        backups: Vec::new(),
        routes: Vec::new(),
        former: routes.clone(),
        drain: Duration::ZERO,
        watch: Duration::ZERO,
        notes: Vec::new(),
        steps: Vec::new(),
    };
    Drawn { plan, refused }
}

fn service(loaded: &LoadedProject, of: &ServiceDue<'_>, containers: &[Container]) -> PlannedService {
    let ServiceDue { name, ends, due } = of;
    let extension = loaded.extension.services.get(name).cloned().unwrap_or_default();
    let kept = |container: &Container, was| OldContainer { was, ..services::old(container) };
    let stay = due.stay.iter().map(|container| kept(container, Was::Running));
    let roused = due.roused.iter().map(|container| kept(container, Was::Stopped));
    let project = &loaded.project;
    let fixed = project.services.get(name).map(|service| service.container_name.clone());
    let fixed = fixed.filter(|fixed| !fixed.is_empty());
    let is_half = |container: &Container| due.halves.iter().any(|half| half.id == container.id);
    let held = |number: &u32| {
        let name = names::container_name(&project.name, name, *number);
        containers.iter().any(|container| container.name == name && !is_half(container))
    };
    let new = (1..).filter(|number| !held(number)).take(due.missing).map(|number| NewContainer {
        name: fixed.clone().unwrap_or_else(|| names::container_name(&project.name, name, number)),
        temporary: None,
        number,
        slot: None,
    });
    PlannedService {
        name: ServiceName::new(name),
        action: if due.is_none() { ServiceAction::Keep } else { ServiceAction::Adjust },
        reason: String::new(),
        strategy: Strategy::Recreate,
        strategy_reason: String::new(),
        kept: stay.chain(roused).collect(),
        old: Vec::new(),
        new: new.collect(),
        stable: Duration::ZERO,
        timeout: extension.gate.timeout,
        probes: probes::plan(&extension),
        ends: *ends,
        ingress_port: extension.ingress.map(|ingress| ingress.port),
    }
}

fn give_slots(
    service: &mut PlannedService,
    (containers, routes): (&[Container], &AppRoutes),
) -> Result<(), Failure> {
    let is_held = |address: &Ipv4Addr| {
        let address = address.to_string();
        containers.iter().any(|container| container.addresses.values().any(|held| *held == address))
    };
    let left = routes.targets.get(&service.name).into_iter().flatten().filter(|address| !is_held(address));
    let mut left = left.map(|address| address.octets()[3]);
    for new in &mut service.new {
        let Some(slot) = left.next() else {
            let why = "the ingress sends no requests to the address that it would have";
            return Err(Failure::new(format!("service {} was not made again", service.name), why)
                .hint("deploy the app again: that brings the routes"));
        };
        new.slot = Some(slot);
    }
    Ok(())
}
