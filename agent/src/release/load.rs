//! From what a deploy was asked with to the project: the same model that the caller computed.

use std::{collections::BTreeMap, path::Path};

use sha2::{Digest as _, Sha256};
use tidegate_compose::{
    Compatibility, LoadError, LoadOptions, Loaded, MemoryFiles, Project, Service, load,
    names::join_path,
    x_tidegate::{self, Extension},
};

use super::{DeployInput, Failure, part};
use crate::docker::{archive, body, support};

/// A project that may be planned.
#[derive(Clone, Debug)]
pub struct LoadedProject {
    /// The model.
    pub project: Project,
    /// What it says under `x-tidegate`.
    pub extension: Extension,
    /// A digest by service of the files and contents that it is given.
    pub files: BTreeMap<String, String>,
    /// Seccomp profiles by their paths as they are written, as Docker gets them.
    pub profiles: BTreeMap<String, String>,
    /// What the user should know.
    pub notes: Vec<String>,
    source: Source,
}

/// The sources of a project, to show places in them.
#[derive(Clone, Debug)]
struct Source {
    loaded: Box<Loaded>,
    folder: String,
}

impl LoadedProject {
    /// The failure with its attribute's path turned into file, line and column.
    pub fn locate(&self, failure: Failure) -> Failure {
        self.source.locate(failure)
    }
}

impl Source {
    fn locate(&self, failure: Failure) -> Failure {
        match self.loaded.place(&failure.place) {
            Some(place) => {
                let file = place.file.replace(&format!("{}/", self.folder), "");
                failure.at(format!("{file}:{}:{}", place.line, place.column))
            }
            None => failure,
        }
    }
}

/// Loads and checks the project as it stands in `folder`, its one place on the droplet, as that docker compose reads it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn project(
    input: &DeployInput,
    folder: &Path,
    compatibility: Compatibility,
) -> Result<LoadedProject, Vec<Failure>> {
    check_paths(input)?;
    let folder = folder.to_string_lossy().into_owned();
    let mut files = MemoryFiles::new();
    for file in &input.files {
        files.insert(&join_path(&folder, &file.path), file.content.clone());
    }
    let options = LoadOptions {
        working_directory: folder.clone(),
        project_directory: Some(folder.clone()),
        compose_files: input.compose_files.clone(),
        env_files: input.env_files.clone(),
        profiles: input.profiles.clone(),
        project_name: Some(input.app.to_string()),
        environment: input.variables.clone(),
        home: None,
        compatibility,
        ..LoadOptions::default()
    };
    let relative = |error: &LoadError| failure(error, &folder);
    let loaded =
        load(&files, &options).map_err(|errors| errors.errors.iter().map(relative).collect::<Vec<_>>())?;
    let mut extension = x_tidegate::read(&loaded.project, &loaded.files)
        .map_err(|errors| errors.errors.iter().map(relative).collect::<Vec<_>>())?;
    if let Some(failure) = other_model(input, &loaded.project) {
        return Err(vec![failure]);
    }
    let mut notes: Vec<String> = loaded.warnings.iter().map(|warning| warning.message.clone()).collect();
    let source = Source { loaded: Box::new(loaded), folder: folder.clone() };
    let located = |failures: Vec<Failure>| -> Vec<Failure> {
        failures.into_iter().map(|failure| source.locate(failure)).collect()
    };
    let mut project = source.loaded.project.clone();
    notes.extend(part::take(input, &mut project, &mut extension).map_err(located)?);
    let digests = project.services.values().map(|service| {
        let digest = given_files(&project, service, (input, &folder));
        (service.name.clone(), digest)
    });
    let files = digests.collect();
    let (profiles, mut refused) = profiles(&project, (input, &folder));
    notes.extend(support::notes(&project));
    refused.extend(unsupported(&project));
    if !refused.is_empty() {
        return Err(located(refused));
    }
    Ok(LoadedProject { project, extension, files, profiles, notes, source })
}

/// The seccomp profiles that came with the release, by their paths as they are written, and those that cannot be used.
fn profiles(
    project: &Project,
    (input, folder): (&DeployInput, &str),
) -> (BTreeMap<String, String>, Vec<Failure>) {
    let (mut profiles, mut refused) = (BTreeMap::new(), Vec::new());
    for service in project.services.values() {
        for path in service.seccomp_profiles() {
            let full = join_path(folder, path);
            let file = input.files.iter().find(|file| join_path(folder, &file.path) == full);
            let why = match file.map(|file| body::compact(&file.content)) {
                Some(Some(profile)) => {
                    profiles.insert(path.to_owned(), profile);
                    continue;
                }
                Some(None) => "the file is not valid JSON",
                None => "there is no such file in the project directory",
            };
            refused.push(
                Failure::new(format!("the seccomp profile {path} cannot be used"), why)
                    .at(format!("services.{}.security_opt", service.name))
                    .hint("put it below the project directory, so that it is deployed with the app"),
            );
        }
    }
    (profiles, refused)
}

fn check_paths(input: &DeployInput) -> Result<(), Vec<Failure>> {
    let is_bad = |path: &str| {
        path.is_empty()
            || path.starts_with('/')
            || path.contains('\0')
            || path.split('/').any(|part| part == ".." || part.is_empty())
    };
    let bad: Vec<Failure> = input
        .files
        .iter()
        .filter(|file| is_bad(&file.path))
        .map(|file| {
            Failure::new(
                format!("the file {:?} cannot be part of a release", file.path),
                "its path leaves the project directory",
            )
            .hint("paths are relative to the project directory, with `/`, without `..`")
        })
        .collect();
    if bad.is_empty() { Ok(()) } else { Err(bad) }
}

/// The caller read the files otherwise.
fn other_model(input: &DeployInput, project: &Project) -> Option<Failure> {
    // The caller reads the files as the newest docker compose does, whatever this droplet has.
    let is_comparable = project.compatibility == Compatibility::default() && !input.model_digest.is_empty();
    (is_comparable && input.model_digest != project.model_digest()).then(|| {
        Failure::new(
            "the agent reads the Compose files otherwise than the caller",
            "the digests of the two models differ, so nothing was done",
        )
        .hint("use a tidegate of the agent's version: `tidegate info` shows it")
    })
}

fn unsupported(project: &Project) -> impl Iterator<Item = Failure> {
    support::unsupported(project).into_iter().map(|found| {
        Failure::new(
            format!("`{}` is set and not supported", found.path),
            "ignoring it would run something else than the file says",
        )
        .at(found.path)
        .hint(found.hint)
    })
}

/// What the droplet's Docker is too old for: it would drop it in silence.
pub fn too_new(project: &Project, api: (usize, usize)) -> Vec<Failure> {
    let failure = |found: support::TooNew| {
        let (major, minor) = found.needs;
        let is_mac = found.path.ends_with("mac_address");
        let lost = if is_mac {
            // docker compose sends older engines one address for the whole container.
            "older ones take one for the whole container, in a field that tidegate does not send"
        } else {
            "it would be ignored"
        };
        Failure::new(
            format!("`{}` needs a newer Docker than the droplet has", found.path),
            format!("it came with API {major}.{minor}, and this one speaks {}.{}: {lost}", api.0, api.1),
        )
        .at(found.path)
        .hint(format!("install Docker {} or later on the droplet, or remove it", found.release))
    };
    support::too_new(project, api).into_iter().map(failure).collect()
}

fn failure(error: &LoadError, folder: &str) -> Failure {
    let own = format!("{folder}/");
    let strip = |text: &str| text.replace(&own, "");
    let what = if error.path.is_empty() {
        strip(&error.message)
    } else {
        format!("{}: {}", error.path, strip(&error.message))
    };
    let place = error
        .place
        .as_ref()
        .map(|place| format!("{}:{}:{}", strip(&place.file), place.line, place.column))
        .unwrap_or_default();
    Failure::new(what, format!("the Compose files are not valid ({})", error.class.name()))
        .at(place)
        .hint(error.hint.clone().unwrap_or_default())
}

/// A digest of the mounted files and seccomp profiles that came with the release, and of secrets and configs that have
/// contents.
fn given_files(project: &Project, service: &Service, (input, folder): (&DeployInput, &str)) -> String {
    let mut sources: Vec<&str> = service
        .volumes
        .iter()
        .filter(|volume| volume.kind == "bind")
        .map(|volume| volume.source.as_str())
        .collect();
    sources.extend(
        service.secrets.iter().filter_map(|r| project.secrets.get(&r.source)).map(|s| s.file.as_str()),
    );
    sources.extend(
        service.configs.iter().filter_map(|r| project.configs.get(&r.source)).map(|c| c.file.as_str()),
    );
    let profiles: Vec<String> = service.seccomp_profiles().map(|path| join_path(folder, path)).collect();
    sources.extend(profiles.iter().map(String::as_str));
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(bytes);
    };
    let mut files: Vec<_> = input.files.iter().map(|file| (join_path(folder, &file.path), file)).collect();
    files.sort_by(|left, right| left.0.cmp(&right.0));
    for (path, file) in files {
        let below = |source: &str| {
            path == source || path.strip_prefix(source).is_some_and(|rest| rest.starts_with('/'))
        };
        if sources.iter().any(|source| below(source)) {
            part(path.as_bytes());
            part(&file.mode.to_be_bytes());
            part(&file.content);
        }
    }
    for (_, target, content) in archive::contents(project, service) {
        part(target.as_bytes());
        part(content.as_bytes());
    }
    hex::encode(hasher.finalize())
}
