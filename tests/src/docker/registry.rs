//! A registry beside a test daemon. Owns one `docker-registry` process; must not know what is pushed to it.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use bollard::query_parameters::{PushImageOptions, TagImageOptions};
use futures::TryStreamExt;

use super::{Docker, DockerError};

/// Where it listens, inside the daemon's network namespace.
const ADDRESS: &str = "127.0.0.1:5000";
/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running registry. Dropping it ends it; what it holds goes with the daemon's scratch directory.
#[derive(Debug)]
pub struct Registry {
    process: Child,
}

impl Registry {
    pub(super) async fn start(docker: &Docker) -> Result<Self, DockerError> {
        let failed = |detail: String| DockerError::Program { program: "docker-registry", detail };
        let directory = docker.scratch().join("registry");
        fs_err::create_dir_all(&directory).map_err(DockerError::Io)?;
        let settings = format!(
            "version: 0.1\nlog: {{ level: error }}\nhttp: {{ addr: {ADDRESS} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: true }} }}\n",
            directory.display()
        );
        let file = docker.scratch().join("registry.yml");
        fs_err::write(&file, settings).map_err(DockerError::Io)?;
        let mut command = docker.command("docker-registry");
        command.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut registry = Self { process };
        let deadline = Instant::now() + PATIENCE;
        while docker.inside(|| std::net::TcpStream::connect(ADDRESS))?.is_err() {
            if let Some(status) = registry.process.try_wait().map_err(DockerError::Io)? {
                return Err(failed(format!("ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(failed(format!("does not listen on {ADDRESS} after {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(registry)
    }

    /// What stands before an image's name to mean this registry, as `${REGISTRY}` does: `127.0.0.1:5000`.
    pub const fn prefix(&self) -> &'static str {
        ADDRESS
    }

    /// Pushes the daemon's image `tag`, and gives the reference under which it is pulled.
    ///
    /// # Errors
    /// When the daemon does not have it, or the push fails.
    pub async fn push(&self, docker: &Docker, tag: &str) -> Result<String, DockerError> {
        let (repository, version) = tag.rsplit_once(':').unwrap_or((tag, "latest"));
        let repository = format!("{ADDRESS}/{repository}");
        let action = || DockerError::api(format!("push {tag}"));
        let options = TagImageOptions { repo: Some(repository.clone()), tag: Some(version.to_owned()) };
        docker.client().tag_image(tag, Some(options)).await.map_err(action())?;
        let options = PushImageOptions { tag: Some(version.to_owned()), ..PushImageOptions::default() };
        let pushed = docker.client().push_image(&repository, Some(options), None);
        let _progress: Vec<_> = pushed.try_collect().await.map_err(action())?;
        Ok(format!("{repository}:{version}"))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _status = self.process.wait();
    }
}
