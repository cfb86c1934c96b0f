//! The labels by which docker compose knows its own, and what it writes into them.
//!
//! Pure functions from a project to label maps. User labels are merged first; compose's win.

use std::collections::BTreeMap;

use crate::compat::Compatibility;
use crate::hash;
use crate::model::{Network, Project, Service, Volume};

/// The project's name.
pub const PROJECT: &str = "com.docker.compose.project";
/// The service's name.
pub const SERVICE: &str = "com.docker.compose.service";
/// The version of docker compose.
pub const VERSION: &str = "com.docker.compose.version";
/// The hash of the definition. A container without it is invisible to docker compose.
pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// The number of the replica, from 1.
pub const CONTAINER_NUMBER: &str = "com.docker.compose.container-number";
/// `True` for a one-off container (`run`), else `False`.
pub const ONE_OFF: &str = "com.docker.compose.oneoff";
/// The random id of a one-off container.
pub const SLUG: &str = "com.docker.compose.slug";
/// `service:condition:restart`, comma-joined.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// The id of the image as the engine reports it.
pub const IMAGE: &str = "com.docker.compose.image";
/// The project directory.
pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
/// The compose files, comma-joined absolute paths.
pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// The env files given on the command line, comma-joined absolute paths.
pub const ENVIRONMENT_FILE: &str = "com.docker.compose.project.environment_file";
/// On a recreated container: the name of the one it replaced.
pub const REPLACE: &str = "com.docker.compose.replace";
/// The key of a network.
pub const NETWORK: &str = "com.docker.compose.network";
/// The key of a volume.
pub const VOLUME: &str = "com.docker.compose.volume";

/// What a container's labels tell beyond the project and the service.
#[derive(Debug, Clone, Copy)]
pub struct ContainerFacts<'a> {
    /// Which replica, or which one-off container.
    pub instance: Instance<'a>,
    /// The id of the image, when known.
    pub image_id: Option<&'a str>,
    /// The container that this one replaces, as the replace label names it.
    pub replaces: Option<&'a str>,
    /// The hash of the service as it is created (after references were resolved to container ids).
    pub config_hash: &'a str,
}

/// Replica or one-off.
#[derive(Debug, Clone, Copy)]
pub enum Instance<'a> {
    /// A replica, from 1.
    Replica(u32),
    /// A one-off container with its random id of 64 hex digits.
    OneOff(&'a str),
}

/// All labels of a container of a service.
pub fn container(
    project: &Project,
    service: &Service,
    facts: &ContainerFacts<'_>,
) -> BTreeMap<String, String> {
    let compat = project.compatibility;
    let mut labels = service.labels.clone();
    let mut set = |key: &str, value: String| {
        labels.insert(key.to_owned(), value);
    };
    set(PROJECT, project.name.clone());
    set(SERVICE, service.name.clone());
    set(VERSION, compat.version().to_owned());
    set(WORKING_DIR, project.working_directory.clone());
    set(CONFIG_FILES, project.compose_files.join(","));
    if !project.environment_files.is_empty() {
        set(ENVIRONMENT_FILE, project.environment_files.join(","));
    }
    set(CONFIG_HASH, facts.config_hash.to_owned());
    set(DEPENDS_ON, depends_on(service));
    match facts.instance {
        Instance::Replica(number) => {
            set(ONE_OFF, "False".to_owned());
            set(CONTAINER_NUMBER, number.to_string());
        }
        Instance::OneOff(slug) => {
            set(ONE_OFF, "True".to_owned());
            set(SLUG, slug.to_owned());
            if compat == Compatibility::V2_26 {
                set(CONTAINER_NUMBER, "1".to_owned());
            }
        }
    }
    if let Some(image) = facts.image_id {
        set(IMAGE, image.to_owned());
    }
    if let Some(name) = facts.replaces {
        set(REPLACE, name.to_owned());
    }
    labels
}

/// The value of the `depends_on` label; docker compose writes it in random order, we in the order of names.
pub fn depends_on(service: &Service) -> String {
    let entries: Vec<String> = service
        .depends_on
        .iter()
        .map(|(name, entry)| format!("{name}:{}:{}", entry.condition, entry.restart))
        .collect();
    entries.join(",")
}

/// All labels of a network.
pub fn network(project: &Project, key: &str, network: &Network) -> BTreeMap<String, String> {
    let mut labels = network.labels.clone();
    labels.insert(NETWORK.to_owned(), key.to_owned());
    labels.insert(PROJECT.to_owned(), project.name.clone());
    labels.insert(VERSION.to_owned(), project.compatibility.version().to_owned());
    if project.compatibility == Compatibility::V2_40 {
        labels.insert(CONFIG_HASH.to_owned(), hash::network(network));
    }
    labels
}

/// All labels of a volume.
pub fn volume(project: &Project, key: &str, volume: &Volume) -> BTreeMap<String, String> {
    let mut labels = volume.labels.clone();
    labels.insert(VOLUME.to_owned(), key.to_owned());
    labels.insert(PROJECT.to_owned(), project.name.clone());
    labels.insert(VERSION.to_owned(), project.compatibility.version().to_owned());
    if project.compatibility == Compatibility::V2_40 {
        labels.insert(CONFIG_HASH.to_owned(), hash::volume(volume));
    }
    labels
}
