//! How a container stands on its networks.

use std::collections::HashMap;

use bollard::models::{EndpointIpamConfig, EndpointSettings, NetworkingConfig};
use tidegate_compose::{Compatibility, labels::Instance, model::ServiceNetwork};

use super::{ContainerSpec, ServiceAlias, list, map};

/// The driver's option that names the interface; engines know it from API 1.49 on.
pub const INTERFACE_NAME: &str = "com.docker.network.endpoint.ifname";

/// One network of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The network's name.
    pub network: String,
    /// How the container stands on it.
    pub settings: EndpointSettings,
}

/// The container's networks, the primary one first.
pub fn endpoints(spec: &ContainerSpec<'_>) -> Vec<Endpoint> {
    if !spec.service.network_mode.is_empty() {
        return Vec::new();
    }
    let primary = spec.service.networks_by_priority();
    let entry = |(index, key): (usize, &str)| {
        let network = spec.project.networks.get(key)?;
        let attached = spec.service.networks.get(key)?.as_ref();
        let settings = settings(spec, attached, if index == 0 { Rank::Primary } else { Rank::Further });
        Some(Endpoint { network: network.name.clone(), settings })
    };
    primary.into_iter().enumerate().filter_map(entry).collect()
}

/// The network in the request itself; older engines take one only, the others are attached afterwards.
pub(super) fn networking(spec: &ContainerSpec<'_>) -> Option<NetworkingConfig> {
    let mut all = endpoints(spec);
    if spec.api < (1, 44) {
        all.truncate(1);
    }
    let config: HashMap<String, EndpointSettings> =
        all.into_iter().map(|endpoint| (endpoint.network, endpoint.settings)).collect();
    if config.is_empty() { None } else { Some(NetworkingConfig { endpoints_config: Some(config) }) }
}

pub(super) fn network_mode(spec: &ContainerSpec<'_>) -> String {
    if !spec.service.network_mode.is_empty() {
        return spec.service.network_mode.clone();
    }
    endpoints(spec).into_iter().next().map_or_else(|| "none".to_owned(), |endpoint| endpoint.network)
}

/// Whether a network is the one that the container joins first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Primary,
    Further,
}

fn settings(spec: &ContainerSpec<'_>, attached: Option<&ServiceNetwork>, rank: Rank) -> EndpointSettings {
    let mut aliases = vec![spec.name.to_owned()];
    let named = spec.alias == ServiceAlias::Given && matches!(spec.instance, Instance::Replica(_));
    if named {
        aliases.push(spec.service.name.clone());
        aliases.extend(attached.iter().flat_map(|network| network.aliases.iter().cloned()));
    }
    let mut settings =
        EndpointSettings { aliases: Some(aliases), links: list(spec.links), ..EndpointSettings::default() };
    if let Some(network) = attached {
        settings.ipam_config = Some(EndpointIpamConfig {
            ipv4_address: Some(network.ipv4_address.clone()).filter(|address| !address.is_empty()),
            ipv6_address: Some(network.ipv6_address.clone()).filter(|address| !address.is_empty()),
            link_local_ips: list(&network.link_local_ips),
        });
        if spec.project.compatibility == Compatibility::V2_26 {
            settings.mac_address = Some(network.mac_address.clone()).filter(|mac| !mac.is_empty());
            return with_own_mac(spec, settings, rank);
        }
        settings.ip_address = Some(network.ipv4_address.clone()).filter(|address| !address.is_empty());
        settings.ipv6_gateway = Some(network.ipv6_address.clone()).filter(|address| !address.is_empty());
        settings.driver_opts = driver_options(network);
        settings.gw_priority = Some(network.gw_priority).filter(|priority| *priority != 0);
        settings.mac_address = Some(network.mac_address.clone()).filter(|mac| !mac.is_empty());
    }
    with_own_mac(spec, settings, rank)
}

/// The service's own address counts on its first network.
fn with_own_mac(spec: &ContainerSpec<'_>, mut settings: EndpointSettings, rank: Rank) -> EndpointSettings {
    if rank == Rank::Primary && !spec.service.mac_address.is_empty() && settings.mac_address.is_none() {
        settings.mac_address = Some(spec.service.mac_address.clone());
    }
    settings
}

/// The driver's options, the interface's name among them.
fn driver_options(network: &ServiceNetwork) -> Option<HashMap<String, String>> {
    let mut options = network.driver_opts.0.clone();
    if !network.interface_name.is_empty() {
        options.insert(INTERFACE_NAME.to_owned(), network.interface_name.clone());
    }
    map(&options)
}
