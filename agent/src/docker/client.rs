//! The connection: made at the first use, with the newest API version that both sides speak.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, BollardRequest, errors::Error};
use http::HeaderValue;
use tokio::sync::OnceCell;

use super::{DockerError, Logins, Machine, former};

/// How long an ordinary call may take.
pub(super) const CALL: Duration = Duration::from_mins(1);
/// How long a call may take that makes or takes down file systems, networks and processes: on a droplet whose processors or
/// disk are busy, minutes. Giving it up would undo a release that only had to wait.
pub(super) const SETUP: Duration = Duration::from_mins(5);
/// The client's own limit; ours are shorter and name what was tried.
const CLIENT_TIMEOUT_SECS: u64 = 3600;

/// The header with the login at a registry.
const LOGIN: &str = "x-registry-auth";

/// The engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Docker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    logins: Logins,
    client: OnceCell<bollard::Docker>,
    machine: OnceCell<Machine>,
}

impl Docker {
    /// The engine behind this unix socket; it is first called when something is asked of it.
    /// Registries are asked with these logins.
    pub fn new(socket: impl Into<PathBuf>, logins: Logins) -> Self {
        Self {
            inner: Arc::new(Inner {
                socket: socket.into(),
                logins,
                client: OnceCell::new(),
                machine: OnceCell::new(),
            }),
        }
    }

    /// The logins at registries.
    pub fn logins(&self) -> &Logins {
        &self.inner.logins
    }

    pub(super) fn known_machine(&self) -> &OnceCell<Machine> {
        &self.inner.machine
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
            .map_err(|error| DockerError::new(doing, error))?
            .with_request_modifier(with_readable_login);
        let client = within(doing, CALL, client.negotiate_version()).await?;
        Ok(if former::is_former(version_of(&client)) {
            client.with_request_modifier(|request| former::in_former_places(with_readable_login(request)))
        } else {
            client
        })
    }

    /// The API version in use as (major, minor).
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn api_version(&self) -> Result<(usize, usize), DockerError> {
        Ok(version_of(self.api().await?))
    }
}

/// What the client negotiated.
fn version_of(client: &bollard::Docker) -> (usize, usize) {
    let version = client.client_version();
    (version.major_version, version.minor_version)
}

/// Docker reads a login in the alphabet of base64 that is made for URLs, the client writes it in the other one.
fn with_readable_login(mut request: BollardRequest) -> BollardRequest {
    if let Some(login) = request.headers_mut().get_mut(LOGIN)
        && let Ok(text) = login.to_str()
        && let Ok(mut readable) = HeaderValue::from_str(&text.replace('+', "-").replace('/', "_"))
    {
        readable.set_sensitive(true);
        *login = readable;
    }
    request
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
