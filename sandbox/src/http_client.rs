//! One HTTP/1 request over a stream that is already connected: what the sandbox needs to talk to its registry and to its own
//! daemon. No TLS, no redirects, no pools.

use std::{io, time::Duration};

use axum::body::{Body, Bytes};
use http::{Request, Response, StatusCode, header::HOST};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

/// Answers are small documents.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// The exchange.
    #[error("the connection broke off")]
    Exchange(#[source] hyper::Error),
    /// The answer's body.
    #[error("the answer could not be read: {0}")]
    Body(String),
    /// The request could not be made from its parts.
    #[error("the request is not valid")]
    Request(#[source] http::Error),
    /// Nothing came in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer says no.
    #[error("{what} was answered by {status}: {said}")]
    Refused {
        /// What was asked.
        what: String,
        /// The code.
        status: StatusCode,
        /// The body's beginning.
        said: String,
    },
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// When there is no whole answer within `patience`. Any status is an answer.
pub async fn send<S>(
    stream: S,
    mut request: Request<Body>,
    patience: Duration,
) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, http::HeaderValue::from_static("localhost"));
    }
    let exchange = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(HttpError::Exchange)?;
        let connection = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
        let (parts, body) = sender.send_request(request).await.map_err(HttpError::Exchange)?.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| HttpError::Body(error.to_string()))?
            .to_bytes();
        drop(connection);
        Ok(Response::from_parts(parts, body))
    };
    timeout(patience, exchange).await.unwrap_or(Err(HttpError::TimedOut(patience)))
}

/// An answer that was not expected, as an error.
pub fn refused(what: &str, answer: &Response<Bytes>) -> HttpError {
    HttpError::Refused {
        what: what.to_owned(),
        status: answer.status(),
        said: String::from_utf8_lossy(answer.body()).chars().take(300).collect(),
    }
}
