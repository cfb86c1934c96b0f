//! From source files and variables to a project.
//!
//! Owns the order of the stages; each stage is a module of its own.

mod canonical;
mod consistency;
mod defaults;
pub mod dotenv;
mod environment;
mod extends;
mod findings;
mod include;
mod interpolate;
mod merge;
mod normalize;
mod paths;
mod places;
mod port;
mod reader;
mod rules;
mod scalar;
mod schema;
mod selection;
mod setting;
pub mod template;
mod unique;
mod volume;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use crate::compat::Compatibility;
use crate::error::{ErrorClass, LoadErrors, Place, Warning};
use crate::files::FileTable;
use crate::model::{Decoder, Field, Project, Service};
use crate::names::join_path;
use crate::node::{Map, Node, Position};
use crate::problem::{Problem, Stage, placed};
use crate::referenced::References;
use crate::source::FileSource;
use places::Places;
use reader::{Reader, Scope};
pub(crate) use scalar::resolves_to_text;
use setting::Setting;

/// What to load, and how. Paths are `/`-separated; relative ones are relative to `working_directory`.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The directory commands are given in, absolute.
    pub working_directory: String,
    /// The project directory; by default that of the first compose file.
    pub project_directory: Option<String>,
    /// The compose files in order; by default the usual names are looked for.
    pub compose_files: Vec<String>,
    /// Env files given explicitly; by default `.env` in the project directory.
    pub env_files: Vec<String>,
    /// Enabled profiles; by default those of `COMPOSE_PROFILES`.
    pub profiles: Vec<String>,
    /// The project's name; by default from the variables, the files or the directory.
    pub project_name: Option<String>,
    /// The variables of the caller, which win over env files.
    pub environment: BTreeMap<String, String>,
    /// What `~` stands for.
    pub home: Option<String>,
    /// The docker compose version to follow.
    pub compatibility: Compatibility,
    /// The services asked for: they are enabled with their profiles, and only they and what they need are kept. None
    /// means all.
    pub services: Vec<String>,
    /// How much of the project is wanted.
    pub extent: Extent,
}

/// How much of a project is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// Its names and hashes: as in docker compose, files of `env_file` are not read, and services may share a container
    /// name.
    Names,
}

/// A project and what the user should know about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The project.
    pub project: Project,
    /// Warnings, in the order found.
    pub warnings: Vec<Warning>,
    /// The files that were read, to show places in them.
    pub files: FileTable,
    /// What the sources refer to.
    pub references: References,
    places: Places,
}

impl Loaded {
    /// Where an attribute is written (`services.web.ports`), or the nearest thing around it that is written somewhere.
    pub fn place(&self, path: &str) -> Option<Place> {
        self.places.near(path, &self.files)
    }

    /// Whether the value of an attribute is written out, not filled in from a variable.
    pub fn is_literal(&self, path: &str) -> bool {
        self.places.is_literal(path)
    }
}

/// Loads a project.
///
/// # Errors
/// When anything about it is wrong: all problems that could be found in one go.
pub fn load(files: &dyn FileSource, options: &LoadOptions) -> Result<Loaded, LoadErrors> {
    let mut reader = Reader::new(files, options.compatibility, options.home.clone());
    let parts = stages(&mut reader, options).unwrap_or_else(|problems| {
        reader.findings.add(problems);
        Parts::default()
    });
    if let Some(found) = reader.findings.finish() {
        return Err(placed(found, &reader.table));
    }
    let (project, references, tree) = parts;
    let places = Places::new(tree, reader.filled);
    Ok(Loaded { project, warnings: reader.warnings, files: reader.table, references, places })
}

type Parts = (Project, References, Map);

/// All stages; each goes on with what the one before it found nothing wrong with. An error is the end of it.
fn stages(reader: &mut Reader<'_>, options: &LoadOptions) -> Stage<Parts> {
    let setting = Setting::find(reader, options)?;
    let scope = Scope {
        working: setting.project_directory.clone(),
        directory: setting.project_directory.clone(),
        environment: setting.environment.clone(),
    };
    let mut tree = reader.model(&setting.compose_files, &scope, &[]);
    if reader.findings.is_full() {
        return Ok(Parts::default());
    }
    if tree.is_empty() && reader.findings.is_empty() {
        let message = format!("{} is empty; it needs `services:`", setting.compose_files.join(", "));
        return Err(Problem::new(ErrorClass::Yaml, Position::nowhere(), message).into());
    }
    tree.shift_remove("name");
    bounded(&tree)?;
    let get = defaults::from_map(&setting.environment);
    let used = &reader.used;
    normalize::project(&mut tree, &setting.name, &|name| {
        used.borrow_mut().insert(name.to_owned());
        get(name)
    });
    let (mut project, wrong) = decode(&tree, options.compatibility);
    project.name = setting.name;
    project.working_directory = setting.project_directory;
    project.compose_files = setting.compose_files;
    project.environment_files = setting.given_env_files;
    drop(get);
    reader.findings.take_out(wrong, &mut tree);
    project.environment = setting.environment;
    project.profiles = setting.profiles;
    select_profiles(&mut project);
    let wrong = consistency::check(&project, &tree, (options.extent, &reader.findings.damage));
    reader.findings.add(wrong);
    selection::enable(&mut project, &options.services);
    // 2.26 keeps what services use that were not asked for.
    let early = options.compatibility == Compatibility::V2_26;
    if early {
        drop_unused(&mut project);
    }
    agree_on_replicas(&mut project);
    let wrong = environment::resolve(reader, (&mut project, &tree), options.extent);
    reader.findings.add(wrong.err().unwrap_or_default());
    if !reader.findings.damage.incomplete {
        let wrong = selection::restrict(&mut project, &options.services, &tree);
        reader.findings.add(wrong.err().unwrap_or_default());
    }
    if !early {
        drop_unused(&mut project);
    }
    let references = references(reader, &project);
    Ok((project, references, tree))
}

/// The most services of a project; each is a few kilobytes once it is decoded.
const MAX_SERVICES: usize = 10_000;

fn bounded(tree: &Map) -> Stage<()> {
    let services = tree.get("services");
    match services.and_then(Node::as_map).map(Map::len) {
        Some(count) if count > MAX_SERVICES => {
            let message =
                format!("{count} services are more than the {MAX_SERVICES} that a project may have");
            let at = services.map_or_else(Position::nowhere, |node| node.key);
            Err(Problem::new(ErrorClass::Schema, at, message).path("services").into())
        }
        _ => Ok(()),
    }
}

/// The project, and what of it cannot be read.
fn decode(tree: &Map, compat: Compatibility) -> (Project, Vec<Problem>) {
    let mut decoder = Decoder::new(compat);
    let mut project = Project { compatibility: compat, ..Project::default() };
    for (key, node) in tree {
        decoder.below(key, |decoder| match key.as_str() {
            "services" => project.services = Field::decode(node, decoder),
            "networks" => project.networks = Field::decode(node, decoder),
            "volumes" => project.volumes = Field::decode(node, decoder),
            "secrets" => project.secrets = Field::decode(node, decoder),
            "configs" => project.configs = Field::decode(node, decoder),
            "models" => project.models = Field::decode(node, decoder),
            _ if key.starts_with("x-") => {
                project.extensions.0.insert(key.clone(), node.clone());
            }
            _ => {}
        });
    }
    for (name, service) in &mut project.services {
        service.name.clone_from(name);
    }
    let problem = |(message, path, at): (String, String, Position)| {
        Problem::new(ErrorClass::Decode, at, message).path(path)
    };
    (project, decoder.problems.into_iter().map(problem).collect())
}

/// Sets services aside that no enabled profile asks for.
fn select_profiles(project: &mut Project) {
    let enabled = |service: &Service| {
        service.profiles.is_empty()
            || project.profiles.iter().any(|one| one == "*" || service.profiles.contains(one))
    };
    let (on, off) =
        std::mem::take(&mut project.services).into_iter().partition(|(_, service)| enabled(service));
    project.services = on;
    project.disabled_services = off;
}

/// `scale` is what `deploy.replicas` says too.
fn agree_on_replicas(project: &mut Project) {
    for service in project.services.values_mut() {
        if let (Some(scale), Some(deploy)) = (service.scale, &mut service.deploy) {
            deploy.replicas = Some(scale);
        }
    }
}

/// Leaves out top-level resources that no enabled service uses.
pub(crate) fn drop_unused(project: &mut Project) {
    let services = &project.services;
    let used = |names: &dyn Fn(&Service) -> Vec<String>| -> BTreeSet<String> {
        services.values().flat_map(names).collect()
    };
    let networks = used(&|service| service.networks.keys().cloned().collect());
    let volumes = used(&|service| {
        let mounts = service.volumes.iter().filter(|mount| mount.kind == "volume");
        mounts.map(|mount| mount.source.clone()).collect()
    });
    let secrets = used(&|service| {
        let built = service.build.iter().flat_map(|build| &build.secrets);
        service.secrets.iter().chain(built).map(|secret| secret.source.clone()).collect()
    });
    let configs = used(&|service| service.configs.iter().map(|one| one.source.clone()).collect());
    let models = used(&|service| service.models.keys().cloned().collect());
    project.networks.retain(|name, _| networks.contains(name));
    project.volumes.retain(|name, _| volumes.contains(name));
    project.secrets.retain(|name, _| secrets.contains(name));
    project.configs.retain(|name, _| configs.contains(name));
    project.models.retain(|name, _| models.contains(name));
}

fn references(reader: &Reader<'_>, project: &Project) -> References {
    let mut references = References {
        sources: reader.sources.clone(),
        variables: reader.used.borrow().clone(),
        ..References::default()
    };
    let binds = project.services.values().flat_map(|service| &service.volumes);
    let binds = binds.filter(|mount| mount.kind == "bind").map(|mount| &mount.source);
    let secrets = project.secrets.values().map(|secret| &secret.file);
    let configs = project.configs.values().map(|config| &config.file);
    let below = format!("{}/", project.working_directory.trim_end_matches('/'));
    let profiles = project.services.values().flat_map(Service::seccomp_profiles);
    let profiles = profiles.map(|path| join_path(&project.working_directory, path));
    references.mounted.extend(profiles.filter(|path| path.starts_with(&below)));
    for path in binds.chain(secrets).chain(configs).filter(|path| !path.is_empty()) {
        let inside = *path == project.working_directory || path.starts_with(&below);
        let set = if inside { &mut references.mounted } else { &mut references.outside };
        set.insert(path.clone());
    }
    references
}
