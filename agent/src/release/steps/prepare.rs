//! Files, networks and volumes of the project, and the app's network at the ingress.

use std::collections::HashMap;

use serde_json::Value;

use super::{files, summary};
use crate::{
    docker::{
        DockerError,
        body::{self, RELEASE_LABEL},
    },
    ingress::IngressError,
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
        // Those that are made anew have a step of their own.
        if resource.action != ResourceAction::Create {
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
        context.ingress.join(&context.id.app).await.map_err(|error| no_ingress(&error))?;
    }
    Ok(summary(made.join(", ")))
}

/// The ingress did not come up; the way out depends on why.
fn no_ingress(error: &IngressError) -> Failure {
    let failure = Failure::caused_by("the ingress could not be set up", error);
    let IngressError::Docker(error) = error else { return failure };
    let words = error.message().unwrap_or_default();
    let is_port = ["address already in use", "port is already allocated"].iter().any(|w| words.contains(w));
    match error {
        _ if is_port => failure.hint("ports 80 and 443 of the droplet have to be free for it"),
        DockerError::Deadline { .. } | DockerError::Unreachable { .. } => failure
            .hint("see how busy the droplet is with `tidegate exec --host -- top -bn1`, then deploy again"),
        _ => failure,
    }
}

pub(super) async fn network(context: &Context, key: &str) -> Result<(), DockerError> {
    let Some(network) = context.project.networks.get(key) else {
        return Ok(());
    };
    // Docker allows two networks of one name; an earlier try must not lead to that.
    if context.docker.network(&network.name).await?.is_some() {
        return Ok(());
    }
    let mut request = body::network(&context.project, key, network);
    request.labels.get_or_insert_default().insert(RELEASE_LABEL.to_owned(), context.id.label());
    context.docker.create_network(request).await
}

async fn volume(context: &Context, key: &str) -> Result<(), DockerError> {
    let Some(volume) = context.project.volumes.get(key) else {
        return Ok(());
    };
    let there = context.docker.volumes().await?;
    if there.iter().any(|facts| facts.name == volume.name) {
        return Ok(());
    }
    let mut request = body::volume(&context.project, key, volume);
    request.labels.get_or_insert_default().insert(RELEASE_LABEL.to_owned(), context.id.label());
    context.docker.create_volume(request).await
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
    if context.former.is_none() {
        return files::clear(context, &context.input);
    }
    files::restore(context)
}
