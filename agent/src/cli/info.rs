//! `tidegate-agent info`.

use std::io::Write;

use clap::Args;
use serde_json::json;
use tidegate_proto::v1::{InfoRequest, InfoResponse};

use super::{Local, local};

/// Arguments of `info`.
#[derive(Debug, Args)]
pub struct InfoArguments {
    #[command(flatten)]
    local: Local,
}

const MIB: u64 = 1024 * 1024;

pub(super) async fn run(arguments: &InfoArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut client = local::connect(&arguments.local.socket).await?;
    let info = client.info(InfoRequest {}).await.map_err(|status| local::explain(&status))?.into_inner();
    if arguments.local.json {
        writeln!(out, "{}", as_json(&info))?;
        return Ok(());
    }
    let (available, total) = (info.memory_available_bytes / MIB, info.memory_total_bytes / MIB);
    let (disk_available, disk_total) = (info.disk_available_bytes / MIB, info.disk_total_bytes / MIB);
    writeln!(out, "agent     {}", info.agent_version)?;
    writeln!(out, "droplet   {} ({})", info.droplet_id, info.hostname)?;
    writeln!(out, "fleet     {}, {}", info.fleet, info.environment)?;
    writeln!(out, "system    {}, kernel {}, cgroup v{}", info.os, info.kernel, info.cgroup_version)?;
    writeln!(
        out,
        "docker    {}",
        if info.docker_version.is_empty() { "does not answer" } else { &info.docker_version }
    )?;
    writeln!(out, "cpus      {}, load {:.2}", info.cpus, info.load_1)?;
    writeln!(out, "memory    {available} of {total} MiB available")?;
    writeln!(out, "disk      {disk_available} of {disk_total} MiB available")?;
    writeln!(
        out,
        "audit     {} entries, head {}",
        info.audit_head_number,
        hex::encode(&info.audit_head_hash)
    )?;
    Ok(())
}

fn as_json(info: &InfoResponse) -> serde_json::Value {
    json!({
        "agent_version": info.agent_version,
        "droplet_id": info.droplet_id,
        "hostname": info.hostname,
        "fleet": info.fleet,
        "environment": info.environment,
        "enrolment_id": info.enrolment_id,
        "os": info.os,
        "kernel": info.kernel,
        "cgroup_version": info.cgroup_version,
        "cpus": info.cpus,
        "load_1": info.load_1,
        "memory_total_bytes": info.memory_total_bytes,
        "memory_available_bytes": info.memory_available_bytes,
        "disk_total_bytes": info.disk_total_bytes,
        "disk_available_bytes": info.disk_available_bytes,
        "docker_version": info.docker_version,
        "docker_api_version": info.docker_api_version,
        "audit_head_number": info.audit_head_number,
        "audit_head_hash": hex::encode(&info.audit_head_hash),
    })
}
