//! The host's side of a container: limits, rights, namespaces, ports, logging.

use std::collections::HashMap;

use bollard::models::{
    HostConfig, HostConfigCgroupnsModeEnum, HostConfigIsolationEnum, HostConfigLogConfig, PortBinding,
    PortMap, ResourcesUlimits, RestartPolicy,
};
use tidegate_compose::{
    Compatibility, Service,
    model::{ByteSize, Resource},
};

use super::{
    ContainerSpec, HostPorts, RestartNow, devices, endpoints, list, map, mounts, mounts_or_none,
    restart_policy,
    security::{self, SystemPaths},
    text,
};

pub(super) fn config(spec: &ContainerSpec<'_>) -> HostConfig {
    let service = spec.service;
    let (binds, mounts) = mounts::of(spec);
    let security = security::security(service, spec.profiles);
    let shown = (security.paths == SystemPaths::Unconfined).then(Vec::new);
    HostConfig {
        binds: if binds.is_empty() { None } else { Some(binds) },
        mounts: mounts_or_none(mounts),
        tmpfs: mounts::tmpfs(service),
        network_mode: Some(endpoints::network_mode(spec)),
        port_bindings: if spec.ports == HostPorts::Published { Some(ports(service)) } else { None },
        restart_policy: restart(spec),
        log_config: logging(service),
        links: list(spec.links),
        volumes_from: list(&service.volumes_from),
        volume_driver: text(&service.volume_driver),
        storage_opt: map(&service.storage_opt.0),
        cap_add: capabilities(spec, &service.cap_add),
        cap_drop: capabilities(spec, &service.cap_drop),
        group_add: list(&service.group_add),
        dns: list(&service.dns),
        dns_options: list(&service.dns_opt),
        dns_search: list(&service.dns_search),
        extra_hosts: Some(service.extra_hosts.entries(":")),
        ipc_mode: text(&service.ipc),
        pid_mode: text(&service.pid),
        uts_mode: text(&service.uts),
        userns_mode: text(&service.userns_mode),
        readonly_rootfs: Some(service.read_only),
        privileged: Some(service.privileged),
        security_opt: list(&security.options),
        masked_paths: shown.clone(),
        readonly_paths: shown,
        cgroupns_mode: service
            .cgroup
            .parse::<HostConfigCgroupnsModeEnum>()
            .ok()
            .filter(|_| !service.cgroup.is_empty()),
        isolation: service
            .isolation
            .parse::<HostConfigIsolationEnum>()
            .ok()
            .filter(|_| !service.isolation.is_empty()),
        shm_size: size(service.shm_size),
        sysctls: map(&service.sysctls),
        init: service.init,
        ulimits: ulimits(service),
        annotations: map(&service.annotations),
        runtime: text(&service.runtime),
        oom_kill_disable: Some(service.oom_kill_disable),
        oom_score_adj: number(service.oom_score_adj),
        ..resources(service)
    }
}

/// What the container may use.
fn resources(service: &Service) -> HostConfig {
    let limits = limits(service);
    HostConfig {
        cgroup_parent: text(&service.cgroup_parent),
        cpu_shares: number(service.cpu_shares),
        cpu_period: number(service.cpu_period),
        cpu_quota: number(service.cpu_quota),
        cpuset_cpus: text(&service.cpuset),
        memory: size(limits.memory),
        memory_reservation: size(limits.reserved),
        memory_swap: size(service.memswap_limit),
        memory_swappiness: size(service.mem_swappiness),
        nano_cpus: nano_cpus(limits.cpus),
        pids_limit: number(limits.pids),
        cpu_realtime_period: number(service.cpu_rt_period),
        cpu_realtime_runtime: number(service.cpu_rt_runtime),
        cpu_count: number(service.cpu_count),
        cpu_percent: whole(service.cpu_percent * 100.0),
        ..devices::config(service)
    }
}

/// The older docker compose sends them as they are written.
fn capabilities(spec: &ContainerSpec<'_>, names: &[String]) -> Option<Vec<String>> {
    match spec.project.compatibility {
        Compatibility::V2_40 => security::capabilities(names),
        Compatibility::V2_26 => list(names),
    }
}

struct Limits {
    cpus: f32,
    memory: ByteSize,
    reserved: ByteSize,
    pids: i64,
}

/// `deploy.resources` wins over the service's own attributes.
fn limits(service: &Service) -> Limits {
    let resources = service.deploy.as_ref().map(|deploy| &deploy.resources);
    let limit: Option<&Resource> = resources.and_then(|r| r.limits.as_ref());
    let reservation: Option<&Resource> = resources.and_then(|r| r.reservations.as_ref());
    let bytes = |own: ByteSize, deployed: Option<ByteSize>| deployed.filter(|d| d.0 != 0).unwrap_or(own);
    Limits {
        cpus: limit.map(|l| l.cpus).filter(|cpus| *cpus != 0.0).unwrap_or(service.cpus),
        memory: bytes(service.mem_limit, limit.map(|l| l.memory)),
        reserved: bytes(service.mem_reservation, reservation.map(|r| r.memory)),
        pids: limit.map(|l| l.pids).filter(|pids| *pids != 0).unwrap_or(service.pids_limit),
    }
}

/// What a service's container may use of memory, in bytes; 0 for no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// At most.
    pub limit: u64,
    /// What it counts on.
    pub reserved: u64,
}

/// What a service says about memory.
pub fn memory(service: &Service) -> Memory {
    let limits = limits(service);
    let bytes = |size: ByteSize| u64::try_from(size.0).unwrap_or(0);
    Memory { limit: bytes(limits.memory), reserved: bytes(limits.reserved) }
}

/// As docker compose computes it: in float32, truncated.
fn nano_cpus(cpus: f32) -> Option<i64> {
    whole(cpus * 1e9_f32)
}

/// The whole part, if there is one above zero.
fn whole(value: f32) -> Option<i64> {
    if value <= 0.0 {
        return None;
    }
    // There is no fallible conversion from a float; its decimal text is exact for whole numbers.
    format!("{:.0}", value.trunc()).parse().ok()
}

fn size(bytes: ByteSize) -> Option<i64> {
    number(bytes.0)
}

fn number(value: i64) -> Option<i64> {
    if value == 0 { None } else { Some(value) }
}

fn restart(spec: &ContainerSpec<'_>) -> Option<RestartPolicy> {
    match spec.restart {
        RestartNow::AsWritten => restart_policy(spec.service),
        RestartNow::HeldBack => None,
    }
}

fn logging(service: &Service) -> Option<HostConfigLogConfig> {
    let logging = service.logging.as_ref()?;
    Some(HostConfigLogConfig { typ: text(&logging.driver), config: map(&logging.options.0) })
}

fn ulimits(service: &Service) -> Option<Vec<ResourcesUlimits>> {
    let of = |(name, limit): (&String, &Option<tidegate_compose::model::Ulimit>)| {
        let limit = limit.unwrap_or_default();
        let (soft, hard) =
            if limit.single == 0 { (limit.soft, limit.hard) } else { (limit.single, limit.single) };
        ResourcesUlimits { name: Some(name.clone()), soft: Some(soft), hard: Some(hard) }
    };
    let limits: Vec<_> = service.ulimits.iter().map(of).collect();
    if limits.is_empty() { None } else { Some(limits) }
}

fn ports(service: &Service) -> PortMap {
    let mut bindings: PortMap = HashMap::new();
    for port in &service.ports {
        let binding =
            PortBinding { host_ip: Some(port.host_ip.clone()), host_port: Some(port.published.clone()) };
        let key = format!("{}/{}", port.target, port.protocol);
        bindings.entry(key).or_default().get_or_insert_default().push(binding);
    }
    bindings
}
