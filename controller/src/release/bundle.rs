//! What of a project goes to a droplet: the source files, the variables they name, and the digest of the model as this
//! machine computes it. The project is loaded under the path that it has on the droplet, so that both ends mean the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use tidegate_compose::{
    FileKind, FileSource, LoadErrors, LoadOptions, Loaded, OsFiles, SourceError, referenced, x_tidegate,
};
use tidegate_proto::v1::{DeployRequest, SourceFile};

use super::git::Revision;
use crate::{
    environ::may_leave,
    fleet::{App, FILE_NAME},
    names::Name,
};

/// Where apps lie on a droplet; part of the contract with the agent, because bind paths are hashed.
const APPS: &str = "/var/lib/tidegate/apps";
/// The contract's limit for all files of a project together, with room for the rest of the message.
const MAX_BYTES: usize = 15 * 1024 * 1024;
/// More files than that are not sources any more.
const MAX_FILES: usize = 10_000;

/// A project that cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The Compose files are wrong.
    #[error("the Compose files of {app} are not right:\n{errors}")]
    Compose {
        /// The app.
        app: Name,
        /// All that is wrong.
        errors: LoadErrors,
    },
    /// A file cannot be read.
    #[error("a file of {app} cannot be sent")]
    File {
        /// The app.
        app: Name,
        /// Which, and why.
        #[source]
        source: SourceError,
    },
    /// A directory that is mounted cannot be read.
    #[error("{path} cannot be listed")]
    Directory {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file outside the project is referred to.
    #[error("{path} lies outside the project directory, so it cannot be sent")]
    Outside {
        /// Which.
        path: String,
    },
    /// A file that tidegate.toml names is not there.
    #[error("{FILE_NAME}:{place}: there is no file {path}")]
    Missing {
        /// Where it is named.
        place: crate::fleet::Place,
        /// Its name.
        path: String,
    },
    /// More than a request may hold.
    #[error("the project's files are more than {} MiB or {MAX_FILES} files together", MAX_BYTES / 1024 / 1024)]
    TooMuch,
}

impl BundleError {
    /// What to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Compose { .. } => None,
            Self::File { .. } | Self::Directory { .. } => Some("check that the file is there and readable"),
            Self::Missing { .. } => Some("paths in tidegate.toml start in its own directory"),
            Self::Outside { .. } => Some("move it below the directory of tidegate.toml"),
            Self::TooMuch => {
                Some("data belongs into volumes or images; only sources and small files are sent")
            }
        }
    }
}

/// A project, ready to be sent.
#[derive(Debug)]
pub struct Bundle {
    /// The request, without what is chosen per droplet.
    pub request: DeployRequest,
    /// The project and its warnings.
    pub loaded: Loaded,
}

/// Loads an app's project and gathers what a droplet needs of it.
///
/// # Errors
/// When the Compose files are wrong, or a file cannot be sent.
pub fn gather(
    app: (&Name, &App),
    directory: &Path,
    variables: &BTreeMap<String, String>,
    revision: &Revision,
) -> Result<Bundle, BundleError> {
    let (name, app) = app;
    let project = format!("{APPS}/{name}");
    let files = Sources::new(&project, directory);
    for file in app.compose.iter().chain(&app.env_files) {
        if files.kind(&format!("{project}/{}", slashes(&file.value))) != FileKind::File {
            return Err(BundleError::Missing { place: file.place, path: file.value.clone() });
        }
    }
    let options = options(name, app, &project, variables);
    let (loaded, references) =
        referenced(&files, &options).map_err(|errors| BundleError::Compose { app: name.clone(), errors })?;
    let mut paths: BTreeSet<String> = references.sources.clone();
    // Whole, as docker compose on the droplet needs them too; the controller's own `.env` is never among them.
    paths.extend(app.env_files.iter().map(|file| format!("{project}/{}", slashes(&file.value))));
    for path in &references.mounted {
        collect(&files, path, &mut paths)?;
    }
    // Certificates of the user's own are files that no container gets.
    let extension = x_tidegate::read(&loaded.project, &loaded.files)
        .map_err(|errors| BundleError::Compose { app: name.clone(), errors })?;
    for (_, own) in extension.certificates() {
        paths.extend([&own.certificate, &own.key].map(|path| format!("{project}/{path}")));
    }
    let request = DeployRequest {
        app: name.to_string(),
        files: read_all(name, &files, &project, &paths)?,
        compose_files: options.compose_files.clone(),
        env_files: options.env_files.clone(),
        profiles: options.profiles.clone(),
        variables: wanted(&references.variables, variables),
        model_digest: loaded.project.model_digest(),
        git_revision: revision.revision.clone(),
        git_branch: revision.branch.clone(),
        git_subject: revision.subject.clone(),
        idempotency_key: String::new(),
        together: None,
    };
    Ok(Bundle { request, loaded })
}

/// As the agent has to load it too: the same names, the same paths, no surroundings of this machine.
fn options(name: &Name, app: &App, project: &str, variables: &BTreeMap<String, String>) -> LoadOptions {
    LoadOptions {
        working_directory: project.to_owned(),
        project_directory: Some(project.to_owned()),
        compose_files: app.compose.iter().map(|file| slashes(&file.value)).collect(),
        env_files: app.env_files.iter().map(|file| slashes(&file.value)).collect(),
        profiles: app.profiles.clone(),
        project_name: Some(name.to_string()),
        environment: variables.clone(),
        home: None,
        ..LoadOptions::default()
    }
}

fn slashes(path: &str) -> String {
    path.replace('\\', "/")
}

fn wanted(
    names: &BTreeSet<String>,
    variables: &BTreeMap<String, String>,
) -> std::collections::HashMap<String, String> {
    let named = names.iter().filter(|name| may_leave(name));
    named.filter_map(|name| Some((name.clone(), variables.get(name)?.clone()))).collect()
}

/// The project's files without the controller's own `.env`, which never leaves this machine.
struct Sources {
    files: OsFiles,
    hidden: String,
}

impl Sources {
    fn new(project: &str, directory: &Path) -> Self {
        Self { files: OsFiles::new(project, directory), hidden: format!("{project}/.env") }
    }
}

impl FileSource for Sources {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        if path == self.hidden {
            let why = "it holds tidegate's own credentials and never leaves this machine; give the app a file of its own";
            return Err(SourceError::Io { path: path.to_owned(), source: std::io::Error::other(why) });
        }
        self.files.read(path)
    }

    fn kind(&self, path: &str) -> FileKind {
        if path == self.hidden { FileKind::Absent } else { self.files.kind(path) }
    }
}

/// All files below a path.
fn collect(files: &Sources, path: &str, into: &mut BTreeSet<String>) -> Result<(), BundleError> {
    if into.len() > MAX_FILES {
        return Err(BundleError::TooMuch);
    }
    match files.kind(path) {
        FileKind::Absent => Ok(()),
        FileKind::File => {
            into.insert(path.to_owned());
            Ok(())
        }
        FileKind::Directory => {
            let failed = |source| BundleError::Directory { path: path.to_owned(), source };
            for entry in fs_err::read_dir(files.files.local_path(path)).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                // A link could lead out of the project, or in circles.
                if entry.file_type().map_err(failed)?.is_symlink() {
                    continue;
                }
                collect(files, &format!("{path}/{}", entry.file_name().to_string_lossy()), into)?;
            }
            Ok(())
        }
    }
}

fn read_all(
    app: &Name,
    files: &Sources,
    project: &str,
    paths: &BTreeSet<String>,
) -> Result<Vec<SourceFile>, BundleError> {
    let mut total = 0_usize;
    let mut sources = Vec::new();
    for path in paths {
        let relative = path
            .strip_prefix(project)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| BundleError::Outside { path: path.clone() })?;
        let content = match files.read(path) {
            // An optional env file, or the `.env` that nobody wrote.
            Err(SourceError::NotFound { .. }) => continue,
            read => read.map_err(|source| BundleError::File { app: app.clone(), source })?,
        };
        total = total.saturating_add(content.len());
        if total > MAX_BYTES || sources.len() >= MAX_FILES {
            return Err(BundleError::TooMuch);
        }
        sources.push(SourceFile {
            path: relative.to_owned(),
            content,
            mode: mode_of(&files.files.local_path(path)),
        });
    }
    Ok(sources)
}

/// Permission bits; where the system has none, 0: the droplet then takes 0644.
#[cfg(unix)]
fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::metadata(path).map_or(0, |data| data.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_: &Path) -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_variables_go_and_never_the_clouds() {
        let variables = [("TAG", "1"), ("OTHER", "2"), ("DIGITALOCEAN_TOKEN", "secret")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()));
        let names = ["TAG", "DIGITALOCEAN_TOKEN", "UNSET"].map(str::to_owned);
        let sent = wanted(&names.into_iter().collect(), &variables.into_iter().collect());
        assert_eq!(sent.into_iter().collect::<Vec<_>>(), [("TAG".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn directories_are_gathered_whole_and_links_left() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(directory.path().join("conf/sub")).unwrap();
        fs_err::write(directory.path().join("conf/a"), "a").unwrap();
        fs_err::write(directory.path().join("conf/sub/b"), "b").unwrap();
        let files = Sources::new("/p", directory.path());
        fs_err::write(directory.path().join(".env"), "DIGITALOCEAN_TOKEN=secret").unwrap();
        let mut paths = BTreeSet::new();
        collect(&files, "/p/conf", &mut paths).unwrap();
        assert_eq!(paths.iter().map(String::as_str).collect::<Vec<_>>(), ["/p/conf/a", "/p/conf/sub/b"]);
        let app = "shop".parse().unwrap();
        assert_eq!(read_all(&app, &files, "/p", &paths).unwrap().len(), 2);
        // The whole project mounted: everything but the controller's own credentials.
        let mut all = BTreeSet::new();
        collect(&files, "/p", &mut all).unwrap();
        assert_eq!(all, paths);
        assert!(files.read("/p/.env").is_err());
        assert!(matches!(read_all(&app, &files, "/q", &paths), Err(BundleError::Outside { .. })));
    }
}
