//! Rules by attribute as tables: to what a filled-in value is cast, how two files are merged, what makes list entries one.
//!
//! A pattern names the way from the root; `*` stands for any key. `[]` stands for a list entry.

use crate::compat::Compatibility;

/// To what text is cast after variables are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    Int,
    Float,
    Float32,
    Bool,
}

/// How an attribute of two files is merged, where it is not by the default (mappings merge, lists append, scalars replace).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// The later one stands.
    Replace,
    /// Both become lists of `KEY=value` and are appended.
    Sequence,
    /// Appended without exact duplicates.
    ExtraHosts,
    /// A string is its context.
    Build,
    /// Lists become mappings with the defaults of a dependency.
    Dependencies,
    /// Lists become mappings with empty values.
    Names,
    /// Merged when the driver is the same.
    Logging,
    /// Pools with the same subnet are merged.
    IpamPools,
}

/// What makes two entries of a list the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unique {
    /// The key before `=`, or the whole text.
    Key,
    /// The container's path of a volume.
    Volume,
    /// The container's path of a device.
    Device,
    /// The path of an env file.
    EnvFile,
    /// The port as text.
    Expose,
    /// Address, ports and protocol.
    Port,
    /// The target; by default below `/run/secrets`.
    Secret,
    /// The target; by default below `/`.
    Config,
}

type Pattern = &'static [&'static str];

macro_rules! service {
    ($($step:literal),*) => { &["services", "*", $($step),*] };
}

const CASTS: &[(Pattern, Cast)] = &[
    (service!("cpu_count"), Cast::Int),
    (service!("cpu_percent"), Cast::Float),
    (service!("cpu_period"), Cast::Int),
    (service!("cpu_quota"), Cast::Int),
    (service!("cpu_rt_period"), Cast::Int),
    (service!("cpu_rt_runtime"), Cast::Int),
    (service!("cpus"), Cast::Float32),
    (service!("cpu_shares"), Cast::Int),
    (service!("init"), Cast::Bool),
    (service!("deploy", "replicas"), Cast::Int),
    (service!("deploy", "update_config", "parallelism"), Cast::Int),
    (service!("deploy", "update_config", "max_failure_ratio"), Cast::Float),
    (service!("deploy", "rollback_config", "parallelism"), Cast::Int),
    (service!("deploy", "rollback_config", "max_failure_ratio"), Cast::Float),
    (service!("deploy", "restart_policy", "max_attempts"), Cast::Int),
    (service!("deploy", "placement", "max_replicas_per_node"), Cast::Int),
    (service!("healthcheck", "retries"), Cast::Int),
    (service!("healthcheck", "disable"), Cast::Bool),
    (service!("oom_kill_disable"), Cast::Bool),
    (service!("oom_score_adj"), Cast::Int),
    (service!("pids_limit"), Cast::Int),
    (service!("ports", "[]", "target"), Cast::Int),
    (service!("privileged"), Cast::Bool),
    (service!("read_only"), Cast::Bool),
    (service!("scale"), Cast::Int),
    (service!("stdin_open"), Cast::Bool),
    (service!("tty"), Cast::Bool),
    (service!("ulimits", "*"), Cast::Int),
    (service!("ulimits", "*", "hard"), Cast::Int),
    (service!("ulimits", "*", "soft"), Cast::Int),
    (service!("volumes", "[]", "read_only"), Cast::Bool),
    (service!("volumes", "[]", "volume", "nocopy"), Cast::Bool),
    (&["networks", "*", "external"], Cast::Bool),
    (&["networks", "*", "internal"], Cast::Bool),
    (&["networks", "*", "attachable"], Cast::Bool),
    (&["networks", "*", "enable_ipv4"], Cast::Bool),
    (&["networks", "*", "enable_ipv6"], Cast::Bool),
    (&["volumes", "*", "external"], Cast::Bool),
    (&["secrets", "*", "external"], Cast::Bool),
    (&["configs", "*", "external"], Cast::Bool),
];

/// Casts that only 2.26 does.
const OLD_CASTS: &[(Pattern, Cast)] =
    &[(service!("configs", "[]", "mode"), Cast::Int), (service!("secrets", "[]", "mode"), Cast::Int)];

const MERGES: &[(Pattern, Merge)] = &[
    (&["networks", "*", "ipam", "config"], Merge::IpamPools),
    (&["networks", "*", "labels"], Merge::Sequence),
    (&["volumes", "*", "labels"], Merge::Sequence),
    (service!("annotations"), Merge::Sequence),
    (service!("build"), Merge::Build),
    (service!("build", "args"), Merge::Sequence),
    (service!("build", "additional_contexts"), Merge::Sequence),
    (service!("build", "extra_hosts"), Merge::ExtraHosts),
    (service!("build", "labels"), Merge::Sequence),
    (service!("command"), Merge::Replace),
    (service!("depends_on"), Merge::Dependencies),
    (service!("deploy", "labels"), Merge::Sequence),
    (service!("dns"), Merge::Sequence),
    (service!("dns_opt"), Merge::Sequence),
    (service!("dns_search"), Merge::Sequence),
    (service!("entrypoint"), Merge::Replace),
    (service!("env_file"), Merge::Sequence),
    (service!("label_file"), Merge::Sequence),
    (service!("environment"), Merge::Sequence),
    (service!("extra_hosts"), Merge::ExtraHosts),
    (service!("healthcheck", "test"), Merge::Replace),
    (service!("labels"), Merge::Sequence),
    (service!("logging"), Merge::Logging),
    (service!("models"), Merge::Names),
    (service!("networks"), Merge::Names),
    (service!("sysctls"), Merge::Sequence),
    (service!("tmpfs"), Merge::Sequence),
    (service!("ulimits", "*"), Merge::Replace),
];

const UNIQUES: &[(Pattern, Unique)] = &[
    (&["networks", "*", "labels"], Unique::Key),
    (&["networks", "*", "ipam", "options"], Unique::Key),
    (service!("annotations"), Unique::Key),
    (service!("build", "args"), Unique::Key),
    (service!("build", "additional_contexts"), Unique::Key),
    (service!("build", "platform"), Unique::Key),
    (service!("build", "tags"), Unique::Key),
    (service!("build", "labels"), Unique::Key),
    (service!("cap_add"), Unique::Key),
    (service!("cap_drop"), Unique::Key),
    (service!("configs"), Unique::Config),
    (service!("deploy", "labels"), Unique::Key),
    (service!("devices"), Unique::Device),
    (service!("dns"), Unique::Key),
    (service!("dns_opt"), Unique::Key),
    (service!("dns_search"), Unique::Key),
    (service!("environment"), Unique::Key),
    (service!("env_file"), Unique::EnvFile),
    (service!("expose"), Unique::Expose),
    (service!("labels"), Unique::Key),
    (service!("links"), Unique::Key),
    (service!("networks", "*", "aliases"), Unique::Key),
    (service!("networks", "*", "link_local_ips"), Unique::Key),
    (service!("ports"), Unique::Port),
    (service!("profiles"), Unique::Key),
    (service!("secrets"), Unique::Secret),
    (service!("sysctls"), Unique::Key),
    (service!("tmpfs"), Unique::Key),
    (service!("volumes"), Unique::Volume),
];

/// The cast of an attribute.
pub(super) fn cast(path: &[&str], compat: Compatibility) -> Option<Cast> {
    let old = if compat == Compatibility::V2_26 { OLD_CASTS } else { &[] };
    find(CASTS, path).or_else(|| find(old, path))
}

/// The merge rule of an attribute.
pub(super) fn merge(path: &[&str]) -> Option<Merge> {
    find(MERGES, path)
}

/// What makes entries of a list the same one.
pub(super) fn unique(path: &[&str]) -> Option<Unique> {
    find(UNIQUES, path)
}

fn find<T: Copy>(table: &[(Pattern, T)], path: &[&str]) -> Option<T> {
    table.iter().find(|(pattern, _)| matches(pattern, path)).map(|(_, rule)| *rule)
}

fn matches(pattern: &[&str], path: &[&str]) -> bool {
    pattern.len() == path.len() && pattern.iter().zip(path).all(|(want, step)| *want == "*" || want == step)
}
