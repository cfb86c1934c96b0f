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

/// Who may use a registry that asks, with bcrypt's hash of the password.
const USER: &str = "tester";
/// Characters that the two alphabets of base64 write differently, at every place.
const PASSWORD: &str = "hunter~~~???>>>2";
const HTPASSWD: &str = "tester:$2b$04$WFg5d34ogLDyLjyJF03hO.C29SvTDccEEiTFghjq8AXpjUqzz4zCe\n";

/// A running registry. Dropping it ends it; what it holds goes with the daemon's scratch directory.
#[derive(Debug)]
pub struct Registry {
    process: Child,
}

/// Whom a registry serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guests {
    Anybody,
    WhoHasTheLogin,
}

impl Registry {
    pub(super) async fn start(docker: &Docker) -> Result<Self, DockerError> {
        Self::start_for(docker, Guests::Anybody).await
    }

    /// Ends it, and starts it again over the same images, for those who have [`Registry::login`] alone.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn with_login(self, docker: &Docker) -> Result<Self, DockerError> {
        drop(self);
        Self::start_for(docker, Guests::WhoHasTheLogin).await
    }

    /// User and password of [`Registry::with_login`].
    pub const fn login(&self) -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }

    async fn start_for(docker: &Docker, guests: Guests) -> Result<Self, DockerError> {
        let failed = |detail: String| DockerError::Program { program: "docker-registry", detail };
        let directory = docker.scratch().join("registry");
        fs_err::create_dir_all(&directory).map_err(DockerError::Io)?;
        let mut settings = format!(
            "version: 0.1\nlog: {{ level: error }}\nhttp: {{ addr: {ADDRESS} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: true }} }}\n",
            directory.display()
        );
        if guests == Guests::WhoHasTheLogin {
            let users = docker.scratch().join("registry.htpasswd");
            fs_err::write(&users, HTPASSWD).map_err(DockerError::Io)?;
            settings
                .push_str(&format!("auth: {{ htpasswd: {{ realm: test, path: {} }} }}\n", users.display()));
        }
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
