//! `build` and `develop`: read, kept and printed; never carried out on a droplet.

use std::collections::BTreeMap;

use super::field::{Decoder, Field};
use super::runtime::{Hook, Ulimit};
use super::storage::FileReference;
use super::texts::scalar_text;
use super::values::{ByteSize, HostsList};
use crate::compat::Compatibility;
use crate::json::Json;
use crate::node::Node;

record! {
    /// How an image is built.
    Build = "build" {
        /// The directory or address of the sources.
        context: String = "context" omit,
        /// The Dockerfile, relative to the context.
        dockerfile: String = "dockerfile" omit,
        /// The Dockerfile's text itself.
        dockerfile_inline: String = "dockerfile_inline" omit,
        /// Extra privileges of the builder.
        entitlements: Vec<String> = "entitlements" omit,
        /// Build arguments; without a value they come from the environment.
        args: BTreeMap<String, Option<String>> = "args" omit,
        /// Provenance attestation.
        provenance: String = "provenance" omit,
        /// Software bill of materials.
        sbom: String = "sbom" omit,
        /// Keys or agents that the builder may use.
        ssh: Ssh = "ssh" omit,
        /// Labels of the image.
        labels: BTreeMap<String, String> = "labels" omit,
        /// Where cached layers come from.
        cache_from: Vec<String> = "cache_from" omit,
        /// Where cached layers go.
        cache_to: Vec<String> = "cache_to" omit,
        /// Build without cache.
        no_cache: bool = "no_cache" omit,
        /// Named contexts beside the main one.
        additional_contexts: BTreeMap<String, String> = "additional_contexts" omit,
        /// Always pull base images.
        pull: bool = "pull" omit,
        /// Host names known during the build.
        extra_hosts: HostsList = "extra_hosts" omit,
        /// Isolation technology.
        isolation: String = "isolation" omit,
        /// Network of the build's containers.
        network: String = "network" omit,
        /// The stage that is built.
        target: String = "target" omit,
        /// Secrets the build may read.
        secrets: Vec<FileReference> = "secrets" omit,
        /// Size of `/dev/shm`.
        shm_size: ByteSize = "shm_size" omit,
        /// Further tags of the image.
        tags: Vec<String> = "tags" omit,
        /// Limits of the build's containers.
        ulimits: BTreeMap<String, Option<Ulimit>> = "ulimits" omit,
        /// Platforms to build for.
        platforms: Vec<String> = "platforms" omit,
        /// Build with all privileges.
        privileged: bool = "privileged" omit,
    }
}

/// An ssh key or agent, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshKey {
    /// The id that a Dockerfile names.
    pub id: String,
    /// The key or socket; empty for the default agent.
    pub path: String,
}

/// Keys and agents by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ssh(pub Vec<SshKey>);

impl Field for Ssh {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let key = |(id, value): (&String, &Node)| SshKey {
            id: id.clone(),
            path: scalar_text(value).unwrap_or_default(),
        };
        let mut keys: Vec<SshKey> = decoder.map(node).into_iter().flatten().map(key).collect();
        // The original keeps them in random order; sorted, the same file always prints the same.
        keys.sort_by(|left, right| left.id.cmp(&right.id));
        Self(keys)
    }
    fn encode(&self, _: Compatibility) -> Json {
        let text = |key: &SshKey| match key.path.as_str() {
            "" => key.id.clone(),
            path => format!("{}: {path}", key.id),
        };
        Json::Array(self.0.iter().map(|key| Json::Str(text(key))).collect())
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

record! {
    /// What `docker compose watch` does.
    Develop = "develop" {
        /// The paths that are watched.
        watch: Vec<Trigger> = "watch" omit,
    }
}

record! {
    /// A watched path and its action.
    Trigger = "develop.trigger" {
        /// The path.
        path: String = "path" keep,
        /// What happens on a change.
        action: String = "action" keep,
        /// Where changed files go in the container.
        target: String = "target" omit,
        /// What is run in the container.
        exec: Hook = "exec" keep,
        /// Patterns of files that count.
        include: Vec<String> = "include" omit,
        /// Patterns of files that do not count.
        ignore: Vec<String> = "ignore" omit,
        /// Copy everything at the start.
        initial_sync: bool = "initial_sync" omit,
    }
}
