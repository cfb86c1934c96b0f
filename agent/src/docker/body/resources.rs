//! The requests that make a project's networks and volumes.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest};
use tidegate_compose::{
    Project, labels,
    model::{IpamPool, Network, Volume},
};

use super::{map, text};

/// The request that makes a network, with docker compose's labels.
pub fn network(project: &Project, key: &str, network: &Network) -> NetworkCreateRequest {
    let pool = |pool: &IpamPool| IpamConfig {
        subnet: text(&pool.subnet),
        gateway: text(&pool.gateway),
        ip_range: text(&pool.ip_range),
        auxiliary_addresses: map(&pool.aux_addresses),
    };
    let pools: Vec<IpamConfig> = network.ipam.config.iter().map(pool).collect();
    let ipam = Ipam {
        driver: text(&network.ipam.driver),
        config: if pools.is_empty() { None } else { Some(pools) },
        options: None,
    };
    NetworkCreateRequest {
        name: network.name.clone(),
        driver: text(&network.driver),
        internal: Some(network.internal),
        attachable: Some(network.attachable),
        ipam: Some(ipam),
        enable_ipv4: network.enable_ipv4,
        enable_ipv6: network.enable_ipv6,
        options: map(&network.driver_opts.0),
        labels: Some(all(labels::network(project, key, network))),
        ..NetworkCreateRequest::default()
    }
}

/// The request that makes a volume, with docker compose's labels.
pub fn volume(project: &Project, key: &str, volume: &Volume) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(volume.name.clone()),
        driver: text(&volume.driver),
        driver_opts: map(&volume.driver_opts.0),
        labels: Some(all(labels::volume(project, key, volume))),
        cluster_volume_spec: None,
    }
}

fn all(labels: BTreeMap<String, String>) -> HashMap<String, String> {
    labels.into_iter().collect()
}
