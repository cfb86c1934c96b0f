//! Raw streams of Docker's API: the conversation with a command, and a container's log.
//!
//! Owns one HTTP connection per stream, and Docker's framing of output and error. Must not know sessions, apps, or any
//! other part of Docker's API. bollard has streams too, but its decoder takes a terminal's output for a frame when that
//! starts with the bytes 0, 1 or 2, and then waits for ever; and it keeps a line without end in memory.

mod frame;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::TryStreamExt;
use http::{Request, Response, StatusCode, header, request};
use http_body_util::{BodyDataStream, BodyExt, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncRead, net::UnixStream, time::timeout};
use tokio_util::io::StreamReader;

#[cfg(test)]
pub(crate) use frame::frame;
pub use frame::{Channel, Framing, Header, read_header};

/// How long Docker may take to answer; under heavy load that is seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_ERROR: usize = 64 * 1024;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Docker's socket does not answer.
    #[error("Docker does not answer on {}", .path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("the conversation with Docker broke off")]
    Http(#[source] hyper::Error),
    /// The path of the request is not one.
    #[error("not a request for Docker")]
    Request(#[source] http::Error),
    /// Docker took too long.
    #[error("Docker did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout,
    /// Docker said no.
    #[error("Docker answered {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Docker's words.
        message: String,
    },
}

/// The stream, both ways.
pub type Duplex = TokioIo<Upgraded>;

/// Docker's API: its socket and the version that was agreed on.
#[derive(Debug, Clone)]
pub struct DockerStreams {
    docker: bollard::Docker,
    socket: PathBuf,
}

impl DockerStreams {
    /// `docker` and `socket` have to lead to the same daemon.
    pub fn new(docker: bollard::Docker, socket: PathBuf) -> Self {
        Self { docker, socket }
    }

    /// Posts `body` to `path` and takes the connection over ("hijacking").
    ///
    /// # Errors
    /// When Docker does not answer in time, or says no.
    pub async fn upgrade(&self, path: &str, body: &serde_json::Value) -> Result<Duplex, StreamError> {
        let request = Request::post(self.versioned(path))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "tcp");
        let response = self.send(request, body.to_string()).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(response).await);
        }
        hyper::upgrade::on(response).await.map(TokioIo::new).map_err(StreamError::Http)
    }

    /// Reads what Docker answers on `path`, for as long as it answers.
    ///
    /// # Errors
    /// When Docker does not answer in time, or says no.
    pub async fn read(&self, path: &str) -> Result<impl AsyncRead + Send + Unpin + 'static, StreamError> {
        let response = self.send(Request::get(self.versioned(path)), String::new()).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let body = BodyDataStream::new(response.into_body()).map_err(io::Error::other);
        Ok(StreamReader::new(body))
    }

    fn versioned(&self, path: &str) -> String {
        let version = self.docker.client_version();
        format!("/v{}.{}{path}", version.major_version, version.minor_version)
    }

    async fn send(&self, request: request::Builder, body: String) -> Result<Response<Incoming>, StreamError> {
        let request = request
            .header(header::HOST, "docker")
            .body(Full::new(Bytes::from(body)))
            .map_err(StreamError::Request)?;
        timeout(ANSWER_TIMEOUT, exchange(&self.socket, request)).await.unwrap_or(Err(StreamError::Timeout))
    }
}

async fn exchange(socket: &Path, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, StreamError> {
    let connection = UnixStream::connect(socket)
        .await
        .map_err(|source| StreamError::Connect { path: socket.to_owned(), source })?;
    let (mut sender, driver) =
        hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(StreamError::Http)?;
    // Ends with the connection; a task of its own, since the stream outlives this call.
    tokio::spawn(driver.with_upgrades());
    sender.send_request(request).await.map_err(StreamError::Http)
}

async fn refused(response: Response<Incoming>) -> StreamError {
    let status = response.status();
    let body = timeout(ANSWER_TIMEOUT, Limited::new(response.into_body(), LONGEST_ERROR).collect()).await;
    let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    StreamError::Refused { status, message: docker_message(&body) }
}

fn docker_message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Message {
        message: String,
    }
    match serde_json::from_slice::<Message>(body) {
        Ok(Message { message }) => message,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    }
}
