//! Where things lie below the agent's state directory.

use std::path::{Path, PathBuf};

use super::{AppName, ReleaseNumber};

/// The folders below `/var/lib/tidegate` that releases and the ingress use.
#[derive(Clone, Debug)]
pub struct AppPaths {
    state: PathBuf,
}

impl AppPaths {
    /// Below this state directory.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self { state: state.into() }
    }

    /// The state directory itself.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The app's one fixed project directory: bind paths are hashed, so it never changes.
    pub fn project(&self, app: &AppName) -> PathBuf {
        self.state.join("apps").join(app.as_str())
    }

    /// The folder of all releases of an app.
    pub fn releases(&self, app: &AppName) -> PathBuf {
        self.state.join("releases").join(app.as_str())
    }

    /// Source files and variables of one release.
    pub fn release(&self, app: &AppName, release: ReleaseNumber) -> PathBuf {
        self.releases(app).join(release.get().to_string())
    }

    /// The ingress's configuration, hosts file and data.
    pub fn ingress(&self) -> PathBuf {
        self.state.join("ingress")
    }
}
