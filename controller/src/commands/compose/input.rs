//! Which project is meant: the options that docker compose has for it, and how it is loaded.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tidegate_compose::{Compatibility, Extent, LoadErrors, LoadOptions, Loaded, OsFiles, load};

use super::super::context::Context;
use crate::{failure::Failure, fleet::FILE_NAME};

/// Which project is meant.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Project")]
pub(super) struct Input {
    /// Compose file; may be given more than once, later ones are merged over earlier ones
    #[arg(id = "compose-file", short = 'f', long = "file", value_name = "FILE", global = true)]
    files: Vec<String>,
    /// File of variables instead of .env; may be given more than once, later ones win
    #[arg(long = "env-file", value_name = "FILE", global = true)]
    env_files: Vec<String>,
    /// Profile to enable; may be given more than once, `*` means all
    #[arg(id = "enabled-profile", long = "profile", value_name = "PROFILE", global = true)]
    profiles: Vec<String>,
    /// Name of the project
    #[arg(short, long, value_name = "NAME", global = true)]
    project_name: Option<String>,
    /// Directory that relative paths start in; by default that of the first Compose file
    #[arg(long, value_name = "DIR", global = true)]
    project_directory: Option<String>,
    /// The docker compose to follow
    #[arg(long, value_name = "VERSION", default_value = "2.40", global = true)]
    compat: Version,
}

/// The versions of docker compose that can be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Version {
    /// Docker Compose 2.40
    #[value(name = "2.40")]
    V2_40,
    /// Debian 13's docker-compose 2.26
    #[value(name = "2.26")]
    V2_26,
}

impl Input {
    /// `tidegate compose --file X config`: here the option of all commands stands before the words of this one. No fleet
    /// file is read by `compose`, so it can only mean this.
    pub(super) fn or_file(mut self, context: &Context) -> Self {
        let given = &context.global.file;
        if given != Path::new(FILE_NAME) {
            self.files.insert(0, slashes(given));
        }
        self
    }

    /// Loads the project. The result's inside tells whether its files are right.
    ///
    /// # Errors
    /// When nobody knows the current directory.
    pub(super) fn load(
        &self,
        context: &Context,
        (services, extent): (&[String], Extent),
    ) -> anyhow::Result<Result<Loaded, LoadErrors>> {
        let directory = working_directory(context)?;
        let working_directory = rooted(slashes(&directory));
        let files = OsFiles::new(&working_directory, &directory);
        let options = LoadOptions {
            working_directory,
            project_directory: self.project_directory.clone(),
            compose_files: self.files.clone(),
            env_files: self.env_files.clone(),
            profiles: self.profiles.clone(),
            project_name: self.project_name.clone(),
            environment: context.environ.process().clone(),
            home: context.environ.home().map(|home| slashes(&home)),
            compatibility: match self.compat {
                Version::V2_40 => Compatibility::V2_40,
                Version::V2_26 => Compatibility::V2_26,
            },
            services: services.to_vec(),
            extent,
        };
        Ok(load(&files, &options))
    }
}

/// The directory as the shell names it, when that is the one we are in: links stay as the user wrote them.
fn working_directory(context: &Context) -> anyhow::Result<PathBuf> {
    let real = std::env::current_dir()
        .map_err(|error| Failure::failed("the current directory is unknown").because(error))?;
    let named = context.environ.get("PWD").map(PathBuf::from).filter(|path| path.is_absolute());
    let same = |path: &PathBuf| fs_err::canonicalize(path).is_ok_and(|path| path == real);
    Ok(named.filter(same).unwrap_or(real))
}

/// The model's absolute paths begin with a slash; `C:/shop` becomes `/C:/shop`.
fn rooted(path: String) -> String {
    if path.starts_with('/') { path } else { format!("/{path}") }
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// What is told when the files are wrong.
pub(super) fn refused(errors: &LoadErrors) -> anyhow::Error {
    // What was asked for and is not there stands in no file.
    let placed = errors.errors.iter().any(|error| error.place.is_some());
    let head = if placed { "the Compose files are not right:\n" } else { "" };
    Failure::input(format!("{head}{errors}")).into()
}

/// Tells the warnings of a load.
pub(super) fn warn(context: &Context, loaded: &Loaded) {
    for warning in &loaded.warnings {
        context.printer.note(format!("warning: {warning}"));
    }
}
