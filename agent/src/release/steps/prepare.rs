//! Files, networks and volumes of the project, and the app's network at the ingress.

use std::collections::HashMap;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest};
use serde_json::Value;
use tidegate_compose::{
    labels,
    model::{Network, Options, Volume},
};

use super::{files, summary};
use crate::{
    docker::{DockerError, body::RELEASE_LABEL},
    release::{
        Failure,
        context::{Context, docker_failure},
        plan::{ResourceAction, ResourceKind},
    },
};

pub(super) async fn forward(context: &Context) -> Result<Value, Failure> {
    files::lay(context, &context.input, context.former.as_ref())?;
    let mut made = Vec::new();
    for resource in &context.plan.resources {
        if resource.action == ResourceAction::Keep {
            continue;
        }
        let what = match resource.kind {
            ResourceKind::Network => format!("network {}", resource.name),
            ResourceKind::Volume => format!("volume {}", resource.name),
        };
        let result = match resource.kind {
            ResourceKind::Network => network(context, &resource.key).await,
            ResourceKind::Volume => volume(context, &resource.key).await,
        };
        result.map_err(|error| docker_failure(format!("the {what}"), &error))?;
        made.push(what);
    }
    if !context.plan.routes.is_empty() {
        context.ingress.join(&context.id.app).await.map_err(|error| {
            Failure::caused_by("the ingress could not be set up", &error)
                .hint("ports 80 and 443 of the droplet have to be free for it")
        })?;
    }
    Ok(summary(made.join(", ")))
}

async fn network(context: &Context, key: &str) -> Result<(), DockerError> {
    let Some(network) = context.project.networks.get(key) else {
        return Ok(());
    };
    // Docker allows two networks of one name; an earlier try must not lead to that.
    if context.docker.network(&network.name).await?.is_some() {
        return Ok(());
    }
    let mut all: HashMap<String, String> =
        labels::network(&context.project, key, network).into_iter().collect();
    all.insert(RELEASE_LABEL.to_owned(), context.id.label());
    context.docker.create_network(network_request(network, all)).await
}

pub(in crate::release) fn network_request(
    network: &Network,
    labels: HashMap<String, String>,
) -> NetworkCreateRequest {
    let pool = |pool: &tidegate_compose::model::IpamPool| IpamConfig {
        subnet: text(&pool.subnet),
        gateway: text(&pool.gateway),
        ip_range: text(&pool.ip_range),
        auxiliary_addresses: some_map(pool.aux_addresses.clone()),
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
        options: options(&network.driver_opts),
        labels: Some(labels),
        ..NetworkCreateRequest::default()
    }
}

async fn volume(context: &Context, key: &str) -> Result<(), DockerError> {
    let Some(volume) = context.project.volumes.get(key) else {
        return Ok(());
    };
    let there = context.docker.volumes().await?;
    if there.iter().any(|facts| facts.name == volume.name) {
        return Ok(());
    }
    let mut all: HashMap<String, String> =
        labels::volume(&context.project, key, volume).into_iter().collect();
    all.insert(RELEASE_LABEL.to_owned(), context.id.label());
    context.docker.create_volume(volume_request(volume, all)).await
}

pub(in crate::release) fn volume_request(
    volume: &Volume,
    labels: HashMap<String, String>,
) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(volume.name.clone()),
        driver: text(&volume.driver),
        driver_opts: options(&volume.driver_opts),
        labels: Some(labels),
        cluster_volume_spec: None,
    }
}

/// Removes what this release made: its label says so. A volume that it made held no data before.
pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    let label = context.id.label();
    let is_ours = |labels: &HashMap<String, String>| labels.get(RELEASE_LABEL) == Some(&label);
    let failed = |error| docker_failure("networks and volumes of the release", &error);
    for network in context.docker.networks().await.map_err(failed)? {
        if is_ours(&network.labels) {
            context.docker.remove_network(&network.name).await.map_err(failed)?;
        }
    }
    for volume in context.docker.volumes().await.map_err(failed)? {
        if is_ours(&volume.labels) {
            context.docker.remove_volume(&volume.name).await.map_err(failed)?;
        }
    }
    if context.plan.former.routes.is_empty() && !context.plan.routes.is_empty() {
        let forgotten = context.ingress.forget(&context.id.app).await;
        forgotten.map_err(|error| {
            Failure::caused_by("the app's network at the ingress could not be removed", &error)
        })?;
    }
    match &context.former {
        Some(former) => files::lay(context, former, Some(&context.input)),
        None => files::clear(context, &context.input),
    }
}

fn text(value: &str) -> Option<String> {
    if value.is_empty() { None } else { Some(value.to_owned()) }
}

fn options(options: &Options) -> Option<HashMap<String, String>> {
    some_map(options.0.clone())
}

fn some_map(map: std::collections::BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    if map.is_empty() { None } else { Some(map.into_iter().collect()) }
}
