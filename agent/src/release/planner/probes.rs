//! What a service's containers are asked in their gate, and what cannot be asked.

use tidegate_compose::{
    Service,
    x_tidegate::{ProbeKind, ServiceExtension},
};

use super::{Wanted, extension_of};
use crate::release::{
    Failure,
    plan::{PlannedProbe, ProbeTarget},
};

/// The `Host` of requests to a service that has none of its own.
const HOST: &str = "localhost";

/// The probes of a service.
pub(in crate::release) fn plan(extension: &ServiceExtension) -> Vec<PlannedProbe> {
    // What the world asks by is what the service surely answers to.
    let own = extension.ingress.as_ref().and_then(|ingress| ingress.hosts.first().map(String::as_str));
    let target = |kind: &ProbeKind| match kind {
        ProbeKind::Http(http) => ProbeTarget::Http {
            port: http.port,
            path: http.path.clone(),
            host: http.host.as_deref().or(own).unwrap_or(HOST).to_owned(),
            status: (http.status.first, http.status.last),
            contains: http.contains.clone(),
        },
        ProbeKind::Tcp { port } => ProbeTarget::Tcp { port: *port },
        ProbeKind::Command(command) => ProbeTarget::Command { command: command.clone() },
    };
    let probes = extension.gate.probes.iter();
    probes.map(|probe| PlannedProbe { target: target(&probe.kind), timeout: probe.timeout }).collect()
}

/// Probes over a network of a service that has none.
pub(super) fn unreachable(wanted: Wanted<'_>, service: &Service) -> Option<Failure> {
    let probes = extension_of(wanted, &service.name).gate.probes;
    let at = probes.iter().position(|probe| !matches!(probe.kind, ProbeKind::Command(_)))?;
    let why = obstacle(wanted, service)?;
    let failure = Failure::new(format!("service {} cannot be probed over a network", service.name), why);
    Some(
        failure
            .at(format!("services.{}.x-tidegate.gate.probes.{at}", service.name))
            .hint("probe it with a `command:`, which runs in its container"),
    )
}

fn obstacle(wanted: Wanted<'_>, service: &Service) -> Option<String> {
    let services = &wanted.project.services;
    let mut holder = service;
    // Each is visited once: services that share networks in a circle are refused elsewhere.
    for _ in services {
        match holder.network_mode.strip_prefix("service:").and_then(|name| services.get(name)) {
            Some(other) => holder = other,
            None => break,
        }
    }
    let of = if holder.name == service.name {
        "it has".to_owned()
    } else {
        format!("it uses the network of {}, which has", holder.name)
    };
    if holder.network_mode == "none" {
        return Some(format!("{of} no network (`network_mode: none`)"));
    }
    let networks = || holder.networks.keys().filter_map(|key| wanted.project.networks.get(key));
    let is_apart = networks().count() > 0
        && networks().all(|network| matches!(network.driver.as_str(), "macvlan" | "ipvlan"));
    let behind_ingress = extension_of(wanted, &holder.name).ingress.is_some();
    (holder.network_mode.is_empty() && is_apart && !behind_ingress).then(|| {
        format!("{of} networks of the drivers macvlan and ipvlan alone, on which a droplet cannot talk to its own containers")
    })
}
