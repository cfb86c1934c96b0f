//! Caddy's admin API on its unix socket.

use std::{path::Path, time::Duration};

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// A reload waits for nothing but itself.
const DEADLINE: Duration = Duration::from_secs(20);
const MAX_ANSWER: usize = 64 * 1024;

/// Why Caddy did not take its configuration.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody listens.
    #[error("the ingress does not answer on its admin socket")]
    Connect(#[source] std::io::Error),
    /// The conversation broke.
    #[error("the ingress broke off on its admin socket")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("the ingress did not take its configuration within {} s", DEADLINE.as_secs())]
    Deadline,
    /// It refused.
    #[error("the ingress refused its configuration ({status}): {answer}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// Its words.
        answer: String,
    },
}

/// Gives Caddy a configuration; one that it has already changes nothing.
pub(super) async fn load(socket: &Path, config: Vec<u8>) -> Result<(), AdminError> {
    match tokio::time::timeout(DEADLINE, post(socket, config)).await {
        Ok(result) => result,
        Err(_) => Err(AdminError::Deadline),
    }
}

async fn post(socket: &Path, config: Vec<u8>) -> Result<(), AdminError> {
    let stream = UnixStream::connect(socket).await.map_err(AdminError::Connect)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http_error)?;
    let driver = tokio::spawn(connection);
    // On a unix socket Caddy wants an empty Host.
    let request = Request::post("/load")
        .header(http::header::HOST, "")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(config)))
        .map_err(http_error)?;
    let answer = sender.send_request(request).await.map_err(http_error)?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(AdminError::Http)?;
    driver.abort();
    if status.is_success() {
        return Ok(());
    }
    Err(AdminError::Refused { status, answer: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
}

fn http_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> AdminError {
    AdminError::Http(error.into())
}
