//! What stands against a release and can be known before it begins.

use std::{collections::BTreeMap, net::IpAddr};

use tidegate_compose::{Service, model::Port};

use super::{Wanted, extension_of};
use crate::{
    docker::HostListener,
    release::{
        Failure,
        plan::{PlannedResource, ResourceAction, ResourceKind},
        world::World,
    },
};

/// What stands against a service.
pub(super) fn service(
    wanted: Wanted<'_>,
    world: &World,
    (name, service): (&str, &Service),
    refused: &mut Vec<Failure>,
) {
    check_ports(wanted, world, (name, service), refused);
    check_conditions(wanted, (name, service), refused);
    refused.extend(two_addresses(name, service));
}

/// The service's own MAC address counts on the network that it joins first: two different ones cannot both be had.
fn two_addresses(name: &str, service: &Service) -> Option<Failure> {
    let first = service.networks_by_priority().into_iter().next()?;
    let attached = &service.networks.get(first)?.as_ref()?.mac_address;
    let own = &service.mac_address;
    if own.is_empty() || attached.is_empty() || own == attached {
        return None;
    }
    let why = format!(
        "`mac_address` says {own}, and its network {first}, the first that it joins, says {attached}"
    );
    Some(
        Failure::new(format!("service {name} has two MAC addresses"), why)
            .at(format!("services.{name}.mac_address"))
            .hint("write one of them"),
    )
}

/// What stands against networks and volumes that are to be made.
pub(super) fn resources(wanted: Wanted<'_>, world: &World, planned: &[PlannedResource]) -> Vec<Failure> {
    let mut refused = Vec::new();
    let mut own: Vec<(&str, Subnet)> = Vec::new();
    for resource in planned.iter().filter(|resource| resource.action != ResourceAction::Keep) {
        let key = resource.key.as_str();
        match resource.kind {
            ResourceKind::Network => {
                let Some(network) = wanted.project.networks.get(key) else { continue };
                refused.extend(unknown_driver(world, (resource, &network.driver)));
                for pool in &network.ipam.config {
                    let Some(subnet) = Subnet::parse(&pool.subnet) else { continue };
                    refused.extend(overlap(world, resource, (&pool.subnet, subnet), &own));
                    own.push((&resource.name, subnet));
                }
            }
            ResourceKind::Volume => {
                let Some(volume) = wanted.project.volumes.get(key) else { continue };
                refused.extend(unknown_driver(world, (resource, &volume.driver)));
            }
        }
    }
    refused
}

fn unknown_driver(world: &World, (resource, driver): (&PlannedResource, &str)) -> Option<Failure> {
    let drivers = world.drivers.as_ref()?;
    let (known, place) = match resource.kind {
        ResourceKind::Network => (&drivers.network, "networks"),
        ResourceKind::Volume => (&drivers.volume, "volumes"),
    };
    let plain = driver.split(':').next().unwrap_or(driver);
    if driver.is_empty() || known.iter().any(|one| one == driver || one.split(':').next() == Some(plain)) {
        return None;
    }
    let word = resource.kind.word();
    let failure = Failure::new(
        format!("the {word} {} asks for the driver {driver}", resource.name),
        format!("Docker on this droplet has no such {word} driver; it has {}", known.join(", ")),
    );
    Some(
        failure
            .at(format!("{place}.{}.driver", resource.key))
            .hint("install the plugin on the droplet (`docker plugin install`), or name another driver"),
    )
}

fn overlap(
    world: &World,
    resource: &PlannedResource,
    (text, subnet): (&str, Subnet),
    own: &[(&str, Subnet)],
) -> Option<Failure> {
    let there = world.networks.iter().filter(|network| network.name != resource.name);
    let there = there.flat_map(|network| {
        network.subnets.iter().filter_map(|text| Some((network.name.as_str(), Subnet::parse(text)?)))
    });
    let (holder, _) = there.chain(own.iter().copied()).find(|(_, other)| other.overlaps(subnet))?;
    let failure = Failure::new(
        format!("the network {} cannot have the subnet {text}", resource.name),
        format!("it overlaps with that of the network {holder}"),
    );
    Some(
        failure
            .at(format!("networks.{}.ipam", resource.key))
            .hint("choose a subnet that no network of the droplet has, or leave it to Docker: remove `ipam`"),
    )
}

/// An address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subnet {
    first: IpAddr,
    bits: u32,
}

impl Subnet {
    /// What is no subnet Docker says better.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let first: IpAddr = address.parse().ok()?;
        let bits = bits.parse().ok()?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { first, bits })
    }

    fn overlaps(self, other: Self) -> bool {
        let bits = self.bits.min(other.bits);
        let top = |value: u128, width: u32| value.checked_shr(width.saturating_sub(bits)).unwrap_or(0);
        match (self.first, other.first) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                top(u128::from(a.to_bits()), 32) == top(u128::from(b.to_bits()), 32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => top(a.to_bits(), 128) == top(b.to_bits(), 128),
            _ => false,
        }
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
        let holder = match clash {
            Some((_, holder)) => Some(format!("the container {holder} has published it")),
            None => listener(world, (port, &suffix)),
        };
        if let Some(holder) = holder {
            let failure =
                Failure::new(format!("host port {} of service {name} is taken", port.published), holder);
            let cure = if extension_of(wanted, name).ingress.is_some() {
                "remove `ports`: the service is reached through the ingress"
            } else {
                "publish another port, or stop what holds it"
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

/// A program of the droplet that listens where a service is to be published.
fn listener(world: &World, (port, suffix): (&Port, &str)) -> Option<String> {
    // Docker itself listens for containers of the app.
    let mut own = world.containers.iter().filter(|container| container.is_running());
    if own.any(|container| container.host_ports.iter().any(|held| held.ends_with(suffix))) {
        return None;
    }
    let number: u16 = port.published.parse().ok()?;
    let address: Option<IpAddr> = port.host_ip.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
    let takes = |listener: &&HostListener| {
        listener.port == number
            && listener.protocol == port.protocol
            && (listener.address.is_unspecified() || address.is_none_or(|ip| ip == listener.address))
    };
    let found = world.listening.iter().find(takes)?;
    Some(format!("a program on the droplet listens on {} already", found.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_overlap_where_one_holds_the_other() {
        let overlaps = |a: &str, b: &str| Subnet::parse(a).unwrap().overlaps(Subnet::parse(b).unwrap());
        assert!(overlaps("10.1.0.0/16", "10.1.2.0/24"));
        assert!(overlaps("10.1.2.0/24", "10.1.0.0/16"));
        assert!(overlaps("0.0.0.0/0", "10.1.0.0/16"));
        assert!(overlaps("fd00::/8", "fd12::/64"));
        assert!(!overlaps("10.1.0.0/24", "10.1.1.0/24"));
        assert!(!overlaps("10.1.0.0/24", "fd00::/8"));
        assert_eq!(Subnet::parse("10.1.0.0/33"), None);
    }
}
