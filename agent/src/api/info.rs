//! `Info`: what this machine is.
//!
//! Owns putting it together. Must not measure: `host` does.

use std::time::Duration;

use tidegate_proto::v1::InfoResponse;
use tokio::time::timeout;
use tonic::Status;

use super::{Context, convert, errors};
use crate::trust::AGENT_VERSION;

/// Docker's version is told when Docker answers at once.
const DOCKER_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn info(context: &Context) -> Result<InfoResponse, Status> {
    let status = context.trust.status().await.map_err(|error| errors::change(&error))?;
    let status = status.ok_or_else(errors::not_enrolled)?;
    let head = context.audit.head().await.map_err(|error| errors::audit(&error))?;
    let host = context.host.measure().await.map_err(|error| errors::host(&error))?;
    let (docker_version, docker_api_version) =
        timeout(DOCKER_TIMEOUT, docker(context)).await.ok().flatten().unwrap_or_default();
    let domain = context.trust.domain();
    Ok(InfoResponse {
        agent_version: AGENT_VERSION.to_owned(),
        droplet_id: status.record.droplet_id.get(),
        hostname: host.hostname,
        fleet: domain.fleet.to_string(),
        environment: domain.environment.to_string(),
        enrolment_id: status.record.enrolment_id,
        os: host.os,
        kernel: host.kernel,
        cpus: host.cpus,
        memory_total_bytes: host.memory_total,
        memory_available_bytes: host.memory_available,
        disk_total_bytes: host.disk_total,
        disk_available_bytes: host.disk_available,
        uptime: Some(convert::duration(host.uptime)),
        load_1: host.load_1,
        docker_version,
        docker_api_version,
        cgroup_version: host.cgroup_version,
        certificate_not_after: Some(convert::timestamp(status.not_after)),
        audit_head_number: head.number,
        audit_head_hash: head.hash.to_vec(),
    })
}

async fn docker(context: &Context) -> Option<(String, String)> {
    let version = context.engine.docker().api().await.ok()?.version().await.ok()?;
    Some((version.version?, version.api_version?))
}
