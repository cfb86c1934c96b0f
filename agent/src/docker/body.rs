//! The request that makes a container, as docker compose 2.40 sends it. Pure.
//!
//! Where a release deviates it says so in the [`ContainerSpec`]: the restart policy that is held back until the gate,
//! the service's name that is withheld until the switch, the label `tidegate.release`. The config-hash label keeps what
//! the file says all the same.

mod devices;
mod endpoints;
mod host;
mod links;
mod mounts;
mod resources;
mod security;

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerCreateBody, HealthConfig, Mount, RestartPolicy, RestartPolicyNameEnum};
use tidegate_compose::{
    Project, Service,
    labels::{self, ContainerFacts, Instance},
    model::{GoDuration, HealthCheck},
};

pub use devices::is_cdi;
pub use endpoints::{Endpoint, INTERFACE_NAME, endpoints};
pub use host::{Memory, memory};
pub use links::{links, target_and_alias};
pub use mounts::{config_target, secret_target};
pub use resources::{network, volume};
pub use security::compact;

/// The label that says which release made something: `shop/42`.
pub const RELEASE_LABEL: &str = "tidegate.release";

/// What to make.
#[derive(Clone, Debug)]
pub struct ContainerSpec<'a> {
    /// The project.
    pub project: &'a Project,
    /// The service, with `service:` references already resolved to `container:<id>`.
    pub service: &'a Service,
    /// Replica or one-off.
    pub instance: Instance<'a>,
    /// The container's name.
    pub name: &'a str,
    /// `sha256:...` of its image.
    pub image_id: Option<&'a str>,
    /// The release that makes it, for the label.
    pub release: &'a str,
    /// Whether other services may find it by the service's name already.
    pub alias: ServiceAlias,
    /// Whether Docker may start it again by itself already.
    pub restart: RestartNow,
    /// Whether it takes the ports of the host.
    pub ports: HostPorts,
    /// The engine's API, (major, minor): decides which attributes it is told.
    pub api: (usize, usize),
    /// Anonymous volumes taken over from the container it replaces, as (destination, volume).
    pub inherited: &'a [(String, String)],
    /// Its links as `container:alias`, see [`links`].
    pub links: &'a [String],
    /// Security profiles by their paths as they are written, see [`compact`].
    pub profiles: &'a BTreeMap<String, String>,
}

/// Whether the service's name leads to the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceAlias {
    /// It does.
    Given,
    /// Not yet.
    Withheld,
}

/// Which restart policy the container has from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartNow {
    /// The file's.
    AsWritten,
    /// None, until the release gives it.
    HeldBack,
}

/// Whether the container takes ports of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPorts {
    /// Those that the file publishes.
    Published,
    /// None: a one-off container.
    None,
}

/// The body of the request. Networks beyond the first are attached afterwards, see [`endpoints`].
pub fn container(spec: &ContainerSpec<'_>) -> ContainerCreateBody {
    let service = spec.service;
    let hash = tidegate_compose::hash::service(service, spec.project.compatibility);
    let facts = ContainerFacts {
        instance: spec.instance,
        image_id: spec.image_id,
        replaces: None,
        config_hash: &hash,
    };
    let mut labels = labels::container(spec.project, service, &facts);
    labels.insert(RELEASE_LABEL.to_owned(), spec.release.to_owned());
    ContainerCreateBody {
        hostname: text(&service.hostname),
        domainname: text(&service.domainname),
        user: text(&service.user),
        attach_stdin: Some(false),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        exposed_ports: exposed(spec),
        tty: Some(service.tty),
        open_stdin: Some(service.stdin_open),
        stdin_once: Some(false),
        env: environment(&service.environment),
        cmd: service.command.0.clone(),
        healthcheck: service.healthcheck.as_ref().map(|check| health(check, spec.api)),
        image: Some(service.image.clone()),
        working_dir: text(&service.working_dir),
        entrypoint: service.entrypoint.0.clone(),
        labels: Some(labels.into_iter().collect()),
        stop_signal: text(&service.stop_signal),
        stop_timeout: service.stop_grace_period.map(whole_seconds),
        network_disabled: (service.network_mode == "disabled").then_some(true),
        host_config: Some(host::config(spec)),
        networking_config: endpoints::networking(spec),
        ..ContainerCreateBody::default()
    }
}

/// The environment as the engine takes it: `K=V`, and a bare `K` for one without a value.
pub fn environment(variables: &BTreeMap<String, Option<String>>) -> Option<Vec<String>> {
    let entry = |(key, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    };
    if variables.is_empty() { None } else { Some(variables.iter().map(entry).collect()) }
}

/// The restart policy that the file asks for, if it says anything about it.
pub fn restart_policy(service: &Service) -> Option<RestartPolicy> {
    let deployed = service.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref());
    if let Some(policy) = deployed {
        let name = match policy.condition.as_str() {
            "" => RestartPolicyNameEnum::EMPTY,
            "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
            "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
            "any" | "always" => RestartPolicyNameEnum::ALWAYS,
            _ => RestartPolicyNameEnum::NO,
        };
        let retries = policy.max_attempts.and_then(|n| i64::try_from(n).ok());
        return Some(RestartPolicy { name: Some(name), maximum_retry_count: retries });
    }
    if service.restart.is_empty() {
        return None;
    }
    let (word, retries) = match service.restart.split_once(':') {
        Some((word, retries)) => (word, retries.parse().ok()),
        None => (service.restart.as_str(), None),
    };
    let name = match word {
        "always" => RestartPolicyNameEnum::ALWAYS,
        "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        _ => RestartPolicyNameEnum::NO,
    };
    Some(RestartPolicy { name: Some(name), maximum_retry_count: retries })
}

fn exposed(spec: &ContainerSpec<'_>) -> Option<Vec<String>> {
    let mut ports: Vec<String> = spec.service.expose.clone();
    ports.extend(spec.service.ports.iter().map(|port| format!("{}/{}", port.target, port.protocol)));
    ports.sort();
    ports.dedup();
    if ports.is_empty() { None } else { Some(ports) }
}

fn health(check: &HealthCheck, api: (usize, usize)) -> HealthConfig {
    let HealthCheck {
        test,
        timeout,
        interval,
        retries,
        start_period,
        start_interval,
        disable,
        extensions: _,
    } = check;
    if *disable {
        return HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() };
    }
    let nanos = |duration: &Option<GoDuration>| duration.map(|d| d.0);
    HealthConfig {
        test: if test.0.is_empty() { None } else { Some(test.0.clone()) },
        interval: nanos(interval),
        timeout: nanos(timeout),
        retries: retries.and_then(|n| i64::try_from(n).ok()),
        start_period: nanos(start_period),
        start_interval: nanos(start_interval).filter(|_| api >= (1, 44)),
    }
}

fn whole_seconds(duration: GoDuration) -> i64 {
    i64::try_from(duration.to_duration().as_secs()).unwrap_or(i64::MAX)
}

fn text(value: &str) -> Option<String> {
    if value.is_empty() { None } else { Some(value.to_owned()) }
}

fn list(values: &[String]) -> Option<Vec<String>> {
    if values.is_empty() { None } else { Some(values.to_vec()) }
}

fn map(values: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    if values.is_empty() { None } else { Some(values.clone().into_iter().collect()) }
}

fn mounts_or_none(mounts: Vec<Mount>) -> Option<Vec<Mount>> {
    if mounts.is_empty() { None } else { Some(mounts) }
}

#[cfg(test)]
#[path = "body_tests.rs"]
pub(crate) mod tests;
