//! Which docker compose an app is shared with: that of the containers that stand, else the one installed on the droplet,
//! else the newest that is known. Names, labels and hashes are a statement about one version of it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use tidegate_compose::{Compatibility, labels};

/// Where packages and people put docker compose, the first one wins, as for Docker's own command line.
pub const DOCKER_COMPOSE: &[&str] = &[
    "/root/.docker/cli-plugins/docker-compose",
    "/usr/local/lib/docker/cli-plugins/docker-compose",
    "/usr/local/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
    "/usr/libexec/docker/cli-plugins/docker-compose",
];

/// How long it may take to tell its version.
const ANSWER: Duration = Duration::from_secs(10);

/// The version of the latest of these containers that says one we know. Pure.
pub(super) fn standing<'l>(versions: impl Iterator<Item = &'l str>) -> Option<Compatibility> {
    let mut known: Vec<(&str, Compatibility)> =
        versions.filter_map(|version| Some((version, Compatibility::of_version(version)?))).collect();
    known.sort_by_key(|(version, _)| numbers(version));
    known.last().map(|(_, compatibility)| *compatibility)
}

/// The label of a container, network or volume that says the version.
pub(super) const LABEL: &str = labels::VERSION;

fn numbers(version: &str) -> Vec<u32> {
    version.trim_start_matches('v').split('.').map_while(|part| part.parse().ok()).collect()
}

/// The docker compose that is installed on the droplet.
#[derive(Debug)]
pub(super) struct Installed {
    programs: Vec<PathBuf>,
    asked: Mutex<Option<(Program, Option<Compatibility>)>>,
}

/// A program as it stood when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Program {
    path: PathBuf,
    changed: SystemTime,
    bytes: u64,
}

impl Installed {
    pub(super) fn new(programs: Vec<PathBuf>) -> Self {
        Self { programs, asked: Mutex::default() }
    }

    /// Its version, if there is one that we know. It is asked once, and again when the program has changed.
    pub(super) async fn version(&self) -> Option<Compatibility> {
        let program = self.programs.iter().find_map(|path| found(path))?;
        // What is kept is replaced whole, so a panic elsewhere leaves it sound.
        let kept = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some((_, version)) = kept.filter(|(of, _)| *of == program) {
            return version;
        }
        let version = ask(&program.path).await;
        *self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((program, version));
        version
    }
}

fn found(path: &Path) -> Option<Program> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(Program { path: path.to_owned(), changed: metadata.modified().ok()?, bytes: metadata.len() })
}

/// One that does not answer, or not in time, is as good as none.
async fn ask(path: &Path) -> Option<Compatibility> {
    let mut command = tokio::process::Command::new(path);
    command.args(["version", "--short"]).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let answer = tokio::time::timeout(ANSWER, command.output()).await;
    let version =
        answer.ok()?.ok().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())?;
    let known = Compatibility::of_version(&version);
    tracing::debug!(program = %path.display(), version, known = known.is_some(), "docker compose is installed");
    known
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_latest_version_that_stands_counts() {
        let of = |versions: &[&'static str]| standing(versions.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["1.29.2"]), None);
        assert_eq!(of(&["2.26.1", "2.26.1"]), Some(Compatibility::V2_26));
        assert_eq!(of(&["2.40.3", "2.26.1"]), Some(Compatibility::V2_40));
    }

    #[tokio::test]
    async fn the_installed_program_is_asked_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker-compose");
        let installed = Installed::new(vec![folder.path().join("missing"), program.clone()]);
        assert_eq!(installed.version().await, None);
        for (text, version) in
            [("2.26.1-4", Some(Compatibility::V2_26)), ("v2.40.3", Some(Compatibility::V2_40)), ("9", None)]
        {
            fs_err::write(&program, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
            fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(installed.version().await, version, "{text}");
        }
    }
}
