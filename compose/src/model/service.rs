//! A service: every attribute of the specification, in the order that gets hashed.

use std::collections::BTreeMap;

use super::build::{Build, Develop};
use super::deploy::{Deploy, DeviceRequest};
use super::field::{Decoder, Field};
use super::network::{Port, ServiceNetwork};
use super::runtime::{
    BlkioConfig, CredentialSpec, Dependency, DeviceMapping, HealthCheck, Hook, Logging, Provider,
    ServiceModel, Ulimit,
};
use super::storage::{EnvFile, FileReference, VolumeMount};
use super::values::{ByteSize, Command, GoDuration, HostsList, TextMap};

use crate::compat::Compatibility;
use crate::json::Json;
use crate::node::Node;

type Strings = BTreeMap<String, String>;

record! {
    /// A service of the project.
    Service = "service" {
        /// Its name.
        name: String = "#name" hide,
        /// What it declared before env files were read, if it has some.
        declared: Declared = "#declared" hide,
        /// The profiles it belongs to; none means always on.
        profiles: Vec<String> = "profiles" omit,
        /// Annotations of the container.
        annotations: Strings = "annotations" omit,
        /// Whether `up` shows its logs.
        attach: Option<bool> = "attach" omit,
        /// How its image is built.
        build: Option<Build> = "build" omit,
        /// What `watch` does.
        develop: Option<Develop> = "develop" omit,
        /// Block I/O limits.
        blkio_config: Option<BlkioConfig> = "blkio_config" omit,
        /// Capabilities added.
        cap_add: Vec<String> = "cap_add" omit,
        /// Capabilities taken away.
        cap_drop: Vec<String> = "cap_drop" omit,
        /// The parent cgroup.
        cgroup_parent: String = "cgroup_parent" omit,
        /// The cgroup namespace: `host` or `private`.
        cgroup: String = "cgroup" omit,
        /// Number of processors (Windows).
        cpu_count: i64 = "cpu_count" omit,
        /// Share of the processors in percent (Windows).
        cpu_percent: f32 = "cpu_percent" omit,
        /// CFS period in microseconds.
        cpu_period: i64 = "cpu_period" omit,
        /// CFS quota in microseconds.
        cpu_quota: i64 = "cpu_quota" omit,
        /// Real-time period in microseconds.
        cpu_rt_period: i64 = "cpu_rt_period" omit,
        /// Real-time runtime in microseconds.
        cpu_rt_runtime: i64 = "cpu_rt_runtime" omit,
        /// Processors it may use.
        cpus: f32 = "cpus" omit,
        /// Which processors it may use.
        cpuset: String = "cpuset" omit,
        /// Relative share of processor time.
        cpu_shares: i64 = "cpu_shares" omit,
        /// The command, over the image's.
        command: Command = "command" keep,
        /// Configs it reads.
        configs: Vec<FileReference> = "configs" omit,
        /// A fixed container name.
        container_name: String = "container_name" omit,
        /// The credential of a Windows container.
        credential_spec: Option<CredentialSpec> = "credential_spec" omit,
        /// Services it needs.
        depends_on: BTreeMap<String, Dependency> = "depends_on" omit,
        /// How it is deployed.
        deploy: Option<Deploy> = "deploy" omit,
        /// Device rules of the cgroup.
        device_cgroup_rules: Vec<String> = "device_cgroup_rules" omit,
        /// Devices of the host.
        devices: Vec<DeviceMapping> = "devices" omit,
        /// Name servers.
        dns: Vec<String> = "dns" omit,
        /// Options of the resolver.
        dns_opt: Vec<String> = "dns_opt" omit,
        /// Search domains.
        dns_search: Vec<String> = "dns_search" omit,
        /// Not in the schema; kept for the order of the hash.
        dockerfile: String = "dockerfile" omit,
        /// The domain name.
        domainname: String = "domainname" omit,
        /// The entrypoint, over the image's.
        entrypoint: Command = "entrypoint" keep,
        /// Who provides it when it is no container.
        provider: Option<Provider> = "provider" omit,
        /// Variables; `None` is a bare name that the engine leaves unset.
        environment: BTreeMap<String, Option<String>> = "environment" omit,
        /// Files of variables; empty once they are merged into `environment`.
        env_file: Vec<EnvFile> = "env_file" omit,
        /// Ports open to other containers.
        expose: Vec<String> = "expose" omit,
        /// Always empty after loading; kept for the order of the hash.
        extends: Option<String> = "extends" omit,
        /// Links to containers of other projects.
        external_links: Vec<String> = "external_links" omit,
        /// Host names with fixed addresses.
        extra_hosts: HostsList = "extra_hosts" omit,
        /// Further groups of the user.
        group_add: Vec<String> = "group_add" omit,
        /// GPUs.
        gpus: Vec<DeviceRequest> = "gpus" omit,
        /// The host name.
        hostname: String = "hostname" omit,
        /// How its health is tested.
        healthcheck: Option<HealthCheck> = "healthcheck" omit,
        /// The image.
        image: String = "image" omit,
        /// Run an init process.
        init: Option<bool> = "init" omit,
        /// The IPC namespace.
        ipc: String = "ipc" omit,
        /// Isolation technology (Windows).
        isolation: String = "isolation" omit,
        /// Labels of the container.
        labels: Strings = "labels" omit,
        /// Files of labels; empty once they are merged into `labels`.
        label_file: Vec<String> = "label_file" omit,
        /// Links to other services.
        links: Vec<String> = "links" omit,
        /// Where logs go.
        logging: Option<Logging> = "logging" omit,
        /// Old form of `logging.driver`.
        log_driver: String = "log_driver" omit,
        /// Old form of `logging.options`.
        log_opt: TextMap = "log_opt" omit,
        /// Memory it may use.
        mem_limit: ByteSize = "mem_limit" omit,
        /// Memory that is guaranteed.
        mem_reservation: ByteSize = "mem_reservation" omit,
        /// Memory and swap together; -1 for no limit.
        memswap_limit: ByteSize = "memswap_limit" omit,
        /// How willingly the kernel swaps it.
        mem_swappiness: ByteSize = "mem_swappiness" omit,
        /// A fixed MAC address.
        mac_address: String = "mac_address" omit,
        /// Models it uses.
        models: BTreeMap<String, Option<ServiceModel>> = "models" omit,
        /// Old form of `network_mode`.
        net: String = "net" omit,
        /// The network namespace, instead of networks.
        network_mode: String = "network_mode" omit,
        /// Networks it joins.
        networks: BTreeMap<String, Option<ServiceNetwork>> = "networks" omit,
        /// Spare it when memory runs out.
        oom_kill_disable: bool = "oom_kill_disable" omit,
        /// How early it is killed when memory runs out.
        oom_score_adj: i64 = "oom_score_adj" omit,
        /// The PID namespace.
        pid: String = "pid" omit,
        /// How many processes it may have.
        pids_limit: i64 = "pids_limit" omit,
        /// The platform of the image.
        platform: String = "platform" omit,
        /// Published ports.
        ports: Vec<Port> = "ports" omit,
        /// With all privileges.
        privileged: bool = "privileged" omit,
        /// When the image is pulled.
        pull_policy: String = "pull_policy" omit,
        /// With a read-only root file system.
        read_only: bool = "read_only" omit,
        /// When it is started again.
        restart: String = "restart" omit,
        /// The OCI runtime.
        runtime: String = "runtime" omit,
        /// How many containers.
        scale: Option<i64> = "scale" omit,
        /// Secrets it reads.
        secrets: Vec<FileReference> = "secrets" omit,
        /// Security options.
        security_opt: Vec<String> = "security_opt" omit,
        /// Size of `/dev/shm`.
        shm_size: ByteSize = "shm_size" omit,
        /// Keep its standard input open.
        stdin_open: bool = "stdin_open" omit,
        /// How long it has to stop.
        stop_grace_period: Option<GoDuration> = "stop_grace_period" omit,
        /// The signal that stops it.
        stop_signal: String = "stop_signal" omit,
        /// Options of the storage driver.
        storage_opt: TextMap = "storage_opt" omit,
        /// Kernel parameters.
        sysctls: Strings = "sysctls" omit,
        /// Temporary file systems.
        tmpfs: Vec<String> = "tmpfs" omit,
        /// Give it a terminal.
        tty: bool = "tty" omit,
        /// Limits of its processes.
        ulimits: BTreeMap<String, Option<Ulimit>> = "ulimits" omit,
        /// Give it the engine's socket.
        use_api_socket: bool = "use_api_socket" omit,
        /// The user it runs as.
        user: String = "user" omit,
        /// The user namespace.
        userns_mode: String = "userns_mode" omit,
        /// The UTS namespace.
        uts: String = "uts" omit,
        /// The driver of its volumes.
        volume_driver: String = "volume_driver" omit,
        /// What is mounted into it.
        volumes: Vec<VolumeMount> = "volumes" omit,
        /// Services or containers whose mounts it shares.
        volumes_from: Vec<String> = "volumes_from" omit,
        /// The working directory.
        working_dir: String = "working_dir" omit,
        /// Commands after a start.
        post_start: Vec<Hook> = "post_start" omit,
        /// Commands before a stop.
        pre_stop: Vec<Hook> = "pre_stop" omit,
    }
}

/// The environment as written, where env files were merged into it since.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Declared(pub Option<Box<Unresolved>>);

/// Variables and the files of more of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unresolved {
    /// The variables.
    pub environment: BTreeMap<String, Option<String>>,
    /// The files.
    pub env_file: Vec<EnvFile>,
}

impl Declared {
    /// What a service declares now.
    pub(crate) fn of(service: &Service) -> Self {
        Self(Some(Box::new(Unresolved {
            environment: service.environment.clone(),
            env_file: service.env_file.clone(),
        })))
    }
}

impl Field for Declared {
    fn decode(_: &Node, _: &mut Decoder) -> Self {
        Self(None)
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Null
    }
    fn is_zero(&self) -> bool {
        true
    }
}

/// The profile that a security option names by its file, as it is written: `seccomp=profile.json`.
pub fn seccomp_profile(option: &str) -> Option<&str> {
    let (key, value) = option.split_once('=').or_else(|| option.split_once(':'))?;
    (key == "seccomp" && !matches!(value, "unconfined" | "builtin")).then_some(value)
}

impl Service {
    /// Seccomp profiles that its `security_opt` names by their files, as they are written.
    pub fn seccomp_profiles(&self) -> impl Iterator<Item = &str> {
        self.security_opt.iter().filter_map(|option| seccomp_profile(option))
    }

    /// How many containers it has.
    pub fn replicas(&self) -> i64 {
        let deployed = || self.deploy.as_ref().and_then(|deploy| deploy.replicas);
        self.scale.or_else(deployed).unwrap_or(1)
    }

    /// Its networks, the one that is joined first in front: highest priority, then by name.
    pub fn networks_by_priority(&self) -> Vec<&str> {
        let mut keys: Vec<(i64, &str)> = self
            .networks
            .iter()
            .map(|(name, entry)| (entry.as_ref().map_or(0, |entry| entry.priority), name.as_str()))
            .collect();
        keys.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
        keys.into_iter().map(|(_, name)| name).collect()
    }
}
