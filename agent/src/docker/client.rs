//! The connection: made at the first use, with the newest API version that both sides speak.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, errors::Error};
use tokio::sync::OnceCell;

use super::DockerError;

/// How long an ordinary call may take.
pub(super) const CALL: Duration = Duration::from_mins(1);
/// The client's own limit; ours are shorter and name what was tried.
const CLIENT_TIMEOUT_SECS: u64 = 3600;

/// The engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Docker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    client: OnceCell<bollard::Docker>,
}

impl Docker {
    /// The engine behind this unix socket; it is first called when something is asked of it.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { socket: socket.into(), client: OnceCell::new() }) }
    }

    /// The engine's socket.
    pub fn socket(&self) -> &Path {
        &self.inner.socket
    }

    /// The client itself, for calls that this module has no words for.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn api(&self) -> Result<&bollard::Docker, DockerError> {
        self.inner.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<bollard::Docker, DockerError> {
        let doing = "connect to Docker";
        let path = self.inner.socket.to_string_lossy();
        let client = bollard::Docker::connect_with_unix(&path, CLIENT_TIMEOUT_SECS, API_DEFAULT_VERSION)
            .map_err(|error| DockerError::new(doing, error))?;
        within(doing, CALL, client.negotiate_version()).await
    }

    /// The API version in use as (major, minor).
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn api_version(&self) -> Result<(usize, usize), DockerError> {
        let version = self.api().await?.client_version();
        Ok((version.major_version, version.minor_version))
    }
}

/// Waits for a call, but not for ever.
pub(super) async fn within<T>(
    doing: &str,
    deadline: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, DockerError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(result) => result.map_err(|error| DockerError::new(doing, error)),
        Err(_) => Err(DockerError::Deadline { doing: doing.to_owned(), deadline }),
    }
}
