//! The server: HTTP/1.1 on a loopback listener. It owns connections, so that a fault can cut one.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::gate::Cut;
use crate::account::Account;

/// A connection may be silent for so long, before a request and in its head.
const HEADER_DEADLINE: Duration = Duration::from_secs(75);
const MOST_CONNECTIONS: usize = 512;
const GOODBYE: Duration = Duration::from_secs(5);

/// Serves the API on a listener until `stop` is done; requests that are worked on then are given a few seconds.
///
/// # Errors
/// When the listener does not lie on a loopback address.
pub async fn serve(
    account: Arc<Account>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(io::Error::other(format!(
            "{address} is not a loopback address: the sandbox serves no other"
        )));
    }
    let routes = super::router(account);
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Some((stream, peer)) = usable(accepted).await else {
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            warn!(%peer, "too many connections");
            continue;
        };
        let (routes, stopping) = (routes.clone(), stopping.clone());
        connections.spawn(async move {
            connection(stream, routes, stopping).await;
            drop(place);
        });
    }
    stopping.cancel();
    connections.close();
    if timeout(GOODBYE, connections.wait()).await.is_err() {
        warn!("some connections did not end in time");
    }
    Ok(())
}

async fn usable(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            // Mostly the limit of open files: it passes, and trying again at once would only spin.
            warn!(%error, "a connection could not be accepted");
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, routes: Router, stopping: CancellationToken) {
    let cut = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Cuttable { stream, cut: Arc::clone(&cut) });
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let (routes, cut) = (routes.clone(), Arc::clone(&cut));
        async move {
            let Ok(response) = routes.oneshot(request).await;
            if response.extensions().get::<Cut>().is_some() {
                cut.store(true, Ordering::Relaxed);
                return Err(io::Error::other("cut by a fault"));
            }
            Ok(response)
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
    let mut serving = pin!(server.serve_connection(io, service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}

/// A connection that can end in a reset: when it is cut, what is unsent is thrown away and the peer gets a RST.
struct Cuttable {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        if self.cut.load(Ordering::Relaxed)
            && let Err(error) = self.stream.set_zero_linger()
        {
            debug!(%error, "connection is closed rather than reset");
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closing in order would tell the peer of an orderly end; a cut connection is only dropped.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
