//! The door of `/metrics`: plain HTTP/1.1, for reading only.
//!
//! Owns the address and what a caller may take: few connections at a time, each for one request, with a bound on its head and a
//! deadline for all of it, so that whoever reaches the address holds nothing of the agent for long. There is no login on it: who
//! reaches it, the address decides.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Format, Metrics};

/// Who comes when as many are there waits.
const CONNECTIONS: usize = 8;
/// For the head of the request.
const HEAD: Duration = Duration::from_secs(3);
/// For everything.
const DEADLINE: Duration = Duration::from_secs(10);
/// The head's size.
const HEAD_BYTES: usize = 8 * 1024;
/// Where the address cannot be had, it is tried again: a network may come up later, and who has it may go.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// When no connection can be accepted: out of file descriptors, mostly.
const PAUSE: Duration = Duration::from_millis(50);

/// Listens; none where the address cannot be had now, which is no reason for the agent not to start.
pub async fn bind(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%address, %error, "metrics cannot be served there yet: it is tried again");
            None
        }
    }
}

/// Serves there until it is stopped; where nobody listens yet, as soon as the address can be had.
pub async fn serve(
    metrics: Metrics,
    (address, listener): (SocketAddr, Option<TcpListener>),
    stop: CancellationToken,
) {
    let serve = async {
        let listener = match listener {
            Some(listener) => listener,
            None => later(address).await,
        };
        accept(metrics, listener).await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = serve => {}
    }
}

async fn later(address: SocketAddr) -> TcpListener {
    loop {
        sleep(TRY_AGAIN).await;
        if let Ok(listener) = TcpListener::bind(address).await {
            tracing::info!(%address, "metrics are served");
            return listener;
        }
    }
}

/// Connections end with this.
async fn accept(metrics: Metrics, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(place) = places.clone().acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((connection, _)) => {
                let metrics = metrics.clone();
                connections.spawn(async move {
                    // Whoever is too slow is cut off.
                    timeout(DEADLINE, converse(connection, metrics)).await.ok();
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(connection: TcpStream, metrics: Metrics) {
    let service = service_fn(|request: Request<Incoming>| {
        let metrics = metrics.clone();
        // What the request brings besides its head is not read.
        async move { Ok::<_, Infallible>(answer(&metrics, request.map(drop)).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(connection), service)
        .await;
    if let Err(error) = served {
        // Whoever reaches the address can cause these.
        tracing::debug!(%error, "a request for metrics was not answered");
    }
}

async fn answer(metrics: &Metrics, request: Request<()>) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return refusal(StatusCode::NOT_FOUND, "here is /metrics, and nothing else\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "metrics can be read, and nothing else\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let accepted = request.headers().get_all(header::ACCEPT).iter();
    let accepted: Vec<&str> = accepted.filter_map(|value| value.to_str().ok()).collect();
    let format = Format::accepted(&accepted.join(","));
    response(StatusCode::OK, format.content_type(), metrics.text(format).await.into())
}

fn refusal(status: StatusCode, why: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", Bytes::from_static(why.as_bytes()))
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
