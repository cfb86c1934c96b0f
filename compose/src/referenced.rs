//! What a project's sources refer to: the files and the variables that another machine needs to load the same model.

use std::collections::BTreeSet;

use crate::error::LoadErrors;
use crate::load::{LoadOptions, Loaded, load};
use crate::source::FileSource;

/// Files and variable names that a project refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Source files: compose files, included and extended ones, env and label files; absolute paths.
    pub sources: BTreeSet<String>,
    /// Files and directories that containers get: bind mounts, secrets, configs and seccomp profiles below the project
    /// directory.
    pub mounted: BTreeSet<String>,
    /// Bind mounts outside the project directory, which have to exist on the droplet.
    pub outside: BTreeSet<String>,
    /// Names of variables that interpolation, `environment`, secrets and configs take from outside.
    pub variables: BTreeSet<String>,
}

/// Loads a project and tells what it refers to.
///
/// # Errors
/// When the project cannot be loaded.
pub fn referenced(files: &dyn FileSource, options: &LoadOptions) -> Result<(Loaded, References), LoadErrors> {
    let loaded = load(files, options)?;
    let references = loaded.references.clone();
    Ok((loaded, references))
}
