//! What a deployer's app may ask of the droplet, and what an admin allowed beyond it. Pure but for reading the file.
//!
//! A deployer may not become root. So what leads there is refused, unless the droplet's policy allows it to that service.
//!
//! # Format
//! `/etc/tidegate/policy.toml`, written by an admin, mode 0644; absent: nothing is allowed.
//!
//! ```toml
//! [[allow]]
//! app = "shop"
//! service = "probe"
//! rights = ["privileged", "bind:/var/log"]
//! ```
//!
//! A refusal names the right that it misses: `privileged`; `network_mode:host` and so on for `pid`, `ipc`, `uts`,
//! `userns_mode` and `cgroup`; `network_mode:NAME`; `pid:container:NAME`, `ipc:...`, `volumes_from:...`;
//! `external_links:NAME`; `device:PATH`, `gpus`, `device_cgroup_rules`; `cap:NAME`; `security_opt:OPTION`; `cgroup_parent`;
//! `runtime:NAME`; `annotation:KEY`; `bind:PATH`, `volume_type:TYPE`; `network:NAME`, `volume:NAME`,
//! `network_driver:NAME`; `container_name:NAME`; `labels:tidegate`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tidegate_compose::{
    Project, Service,
    model::{DeviceRequest, Network},
    names::clean_path,
};

use super::Failure;
use crate::{
    apps::AppName,
    docker::{body, references},
};

/// What names of ours begin with.
const OWN: &str = "tidegate";
/// What labels of ours begin with.
const OWN_LABEL: &str = "tidegate.";

/// The admin's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    #[serde(default)]
    allow: Vec<Allowance>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowance {
    app: AppName,
    service: String,
    rights: Vec<String>,
}

/// Why the policy could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file is there and cannot be read.
    #[error("could not read the droplet's policy")]
    Read(#[source] std::io::Error),
    /// It is not what it should be.
    #[error("{} is not a valid policy", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
}

/// Something that leads to root on the droplet: the attribute, and the word by which a policy allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ask {
    attribute: &'static str,
    right: String,
    why: &'static str,
}

impl Policy {
    /// Reads the file; one that is absent allows nothing.
    ///
    /// # Errors
    /// When it cannot be read or is not valid.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        match fs_err::read_to_string(path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|source| PolicyError::Parse { path: path.to_owned(), source: Box::new(source) }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(PolicyError::Read(error)),
        }
    }

    /// Everything that the project asks for and may not have.
    pub fn refusals(&self, app: &AppName, project: &Project) -> Vec<Failure> {
        let mut refused = Vec::new();
        for (name, service) in &project.services {
            for ask in asks(project, service) {
                if !self.allows(app, name, &ask.right) {
                    refused.push(refusal(app, name, &ask));
                }
            }
        }
        refused
    }

    /// Networks and volumes of others that the app may use: `network:NAME`, `volume:NAME`, allowed to any service.
    pub fn shared(&self, app: &AppName) -> BTreeSet<String> {
        let own = self.allow.iter().filter(|allow| allow.app == *app);
        let rights = own.flat_map(|allow| allow.rights.iter().cloned());
        rights.filter(|right| right.starts_with("network:") || right.starts_with("volume:")).collect()
    }

    fn allows(&self, app: &AppName, service: &str, right: &str) -> bool {
        let mut matching = self.allow.iter().filter(|allow| allow.app == *app && allow.service == service);
        matching.any(|allow| allow.rights.iter().any(|granted| granted == right))
    }
}

fn refusal(app: &AppName, service: &str, ask: &Ask) -> Failure {
    let Ask { attribute, right, why } = ask;
    Failure::new(format!("service {service} of {app} may not use `{attribute}`"), (*why).to_owned())
        .at(format!("services.{service}.{attribute}"))
        .hint(format!(
            "remove it, or have an admin allow it on the droplet in /etc/tidegate/policy.toml: \
             [[allow]] app = \"{app}\", service = \"{service}\", rights = [\"{right}\"]"
        ))
}

fn asks(project: &Project, service: &Service) -> Vec<Ask> {
    let mut asks = namespaces(service);
    asks.extend(rights(service));
    asks.extend(folders(project, service));
    asks.extend(networks(project, service));
    asks
}

fn namespaces(service: &Service) -> Vec<Ask> {
    let own = "a namespace of the droplet itself lets the container act on it";
    let modes = [
        ("network_mode", &service.network_mode),
        ("pid", &service.pid),
        ("ipc", &service.ipc),
        ("uts", &service.uts),
        ("userns_mode", &service.userns_mode),
        ("cgroup", &service.cgroup),
    ];
    let hosts = modes.into_iter().filter(|(_, mode)| *mode == "host");
    let mut asks: Vec<Ask> =
        hosts.map(|(attribute, _)| Ask { attribute, right: format!("{attribute}:host"), why: own }).collect();
    let mode = service.network_mode.as_str();
    let is_ordinary = matches!(mode, "" | "none" | "host") || mode.starts_with("service:");
    if !is_ordinary {
        let why = "a network that is not the project's leads to other apps";
        asks.push(Ask { attribute: "network_mode", right: format!("network_mode:{mode}"), why });
    }
    asks.extend(other_containers(service));
    asks
}

/// Containers that are named by their own names may be anybody's; `service:` leads to the project's own only.
fn other_containers(service: &Service) -> Vec<Ask> {
    let named = references::containers(service).into_iter();
    // The network mode is asked for as a whole.
    let named = named.filter(|(attribute, _)| *attribute != "network_mode");
    let mut asks: Vec<Ask> = named
        .map(|(attribute, name)| {
            let why = "a container that is named by its own name may be another app's";
            Ask { attribute, right: format!("{attribute}:container:{name}"), why }
        })
        .collect();
    // On a network of the project a link finds only who is on it too. On Docker's own it gives the other's variables.
    for link in service.external_links.iter().filter(|_| !service.network_mode.is_empty()) {
        let right = format!("external_links:{}", body::target_and_alias(link).0);
        let why = "on Docker's default network a link gives the variables of the other container";
        asks.push(Ask { attribute: "external_links", right, why });
    }
    asks
}

fn rights(service: &Service) -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut ask = |attribute, right: String, why| asks.push(Ask { attribute, right, why });
    if service.privileged {
        ask("privileged", "privileged".into(), "a privileged container is root on the droplet");
    }
    let past_limits = "a device of the droplet can be read and written past all limits";
    for device in &service.devices {
        ask("devices", format!("device:{}", device.source), past_limits);
    }
    if !gpus(service).is_empty() {
        ask("gpus", "gpus".into(), "GPUs of the droplet are shared with other apps, past all limits");
    }
    for (hooks, attribute) in [(&service.post_start, "post_start"), (&service.pre_stop, "pre_stop")] {
        if hooks.iter().any(|hook| hook.privileged) {
            ask(attribute, "privileged".into(), "a privileged command is root on the droplet");
        }
    }
    for key in service.annotations.keys().filter(|key| RUNTIME_KEYS.iter().any(|own| key.starts_with(own))) {
        let why = "the runtime takes orders from it about the container's place on the droplet";
        ask("annotations", format!("annotation:{key}"), why);
    }
    if !service.device_cgroup_rules.is_empty() {
        ask("device_cgroup_rules", "device_cgroup_rules".into(), past_limits);
    }
    for capability in &service.cap_add {
        let name = capability.to_uppercase();
        let name = name.strip_prefix("CAP_").unwrap_or(&name);
        if name != "NET_BIND_SERVICE" {
            ask("cap_add", format!("cap:{name}"), "an added capability can lead to root on the droplet");
        }
    }
    let stricter = |option: &String| {
        option.starts_with("no-new-privileges")
            || matches!(option.as_str(), "seccomp=builtin" | "seccomp:builtin")
    };
    for option in service.security_opt.iter().filter(|option| !stricter(option)) {
        let why = "a weaker or foreign profile lifts the container's confinement";
        ask("security_opt", format!("security_opt:{option}"), why);
    }
    if !service.cgroup_parent.is_empty() {
        let why = "another control group lifts the droplet's limits and firewall rules";
        ask("cgroup_parent", "cgroup_parent".into(), why);
    }
    if !service.runtime.is_empty() && service.runtime != "runc" {
        ask("runtime", format!("runtime:{}", service.runtime), "another runtime may confine less");
    }
    if service.container_name.starts_with(OWN) {
        let right = format!("container_name:{}", service.container_name);
        ask("container_name", right, "names that begin with `tidegate` are the agent's own");
    }
    if service.labels.keys().any(|label| label.starts_with(OWN_LABEL)) {
        ask("labels", "labels:tidegate".into(), "labels that begin with `tidegate.` are the agent's own");
    }
    asks
}

/// Annotations that runtimes and systemd act on begin so.
const RUNTIME_KEYS: [&str; 4] =
    ["org.systemd.property.", "run.oci.", "io.kubernetes.cri-o.", "io.katacontainers."];

/// Requests for devices by their kind.
fn gpus(service: &Service) -> Vec<&DeviceRequest> {
    let reserved = service.deploy.as_ref().and_then(|deploy| deploy.resources.reservations.as_ref());
    service.gpus.iter().chain(reserved.into_iter().flat_map(|reserved| &reserved.devices)).collect()
}

fn folders(project: &Project, service: &Service) -> Vec<Ask> {
    let mut asks = Vec::new();
    let bind = |source: &str, why| Ask { attribute: "volumes", right: format!("bind:{source}"), why };
    for source in bind_sources(project, service) {
        if Path::new(source).file_name().is_some_and(|name| name == "docker.sock") {
            asks.push(bind(source, "who holds the Docker socket is root on the droplet"));
        } else if !is_below(source, &project.working_directory) {
            asks.push(bind(
                source,
                "a folder outside of the app's project directory belongs to the droplet or to another app",
            ));
        }
    }
    let named = service.volumes.iter().filter_map(|mount| project.volumes.get(&mount.source));
    for volume in named {
        let options = &volume.driver_opts.0;
        let device = options.get("device").map_or("", String::as_str);
        if device.starts_with('/') && !is_below(device, &project.working_directory) {
            let why = "a volume that is a folder or device of the droplet is a bind mount by another name";
            asks.push(bind(device, why));
        }
        // Such as `overlay`, whose layers are folders of the droplet.
        let kind = options.get("type").map_or("", String::as_str);
        if !matches!(kind, "" | "none" | "tmpfs" | "nfs" | "nfs4" | "cifs") {
            let right = format!("volume_type:{kind}");
            let why = "a file system of that type can show folders of the droplet";
            asks.push(Ask { attribute: "volumes", right, why });
        }
    }
    asks
}

fn networks(project: &Project, service: &Service) -> Vec<Ask> {
    let own = service.networks.keys().filter_map(|key| project.networks.get(key));
    let ask = |network: &Network| {
        let (right, why) = if network.name.starts_with(OWN) {
            (format!("network:{}", network.name), "networks that begin with `tidegate` are the ingress's")
        } else if network.labels.keys().any(|label| label.starts_with(OWN_LABEL)) {
            ("labels:tidegate".to_owned(), "labels that begin with `tidegate.` are the agent's own")
        } else if !matches!(network.driver.as_str(), "" | "bridge") {
            let why = "a network of that driver stands on the droplet's own interfaces";
            (format!("network_driver:{}", network.driver), why)
        } else {
            return None;
        };
        Some(Ask { attribute: "networks", right, why })
    };
    own.filter_map(ask).collect()
}

fn bind_sources<'p>(project: &'p Project, service: &'p Service) -> impl Iterator<Item = &'p str> {
    let volumes = service.volumes.iter().filter(|volume| volume.kind == "bind").map(|v| v.source.as_str());
    let secrets =
        service.secrets.iter().filter_map(|r| project.secrets.get(&r.source)).map(|s| s.file.as_str());
    let configs =
        service.configs.iter().filter_map(|r| project.configs.get(&r.source)).map(|c| c.file.as_str());
    volumes.chain(secrets).chain(configs).filter(|source| !source.is_empty())
}

/// Lexically.
fn is_below(path: &str, folder: &str) -> bool {
    let path = &clean_path(path);
    path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
