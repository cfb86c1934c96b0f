//! A listening port as the stream of sessions that tonic serves: handshakes run beside each other, their number and that
//! of open connections is bounded, and a peer that fails costs nobody else anything.

use std::{io, pin::Pin, sync::Arc, task::{Context, Poll}, time::Duration};

use futures::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tonic::transport::server::Connected;

use super::{
    info::PeerInfo,
    server::{AcceptError, Acceptor},
    stream::ServerStream,
};
use crate::limits::{MAX_CONNECTIONS, MAX_HANDSHAKES};

/// How many at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Handshakes under way. More are not accepted meanwhile: they wait in the kernel's queue.
    pub handshakes: usize,
    /// Open connections. More are closed right after they were accepted.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { handshakes: MAX_HANDSHAKES, connections: MAX_CONNECTIONS }
    }
}

/// A session that counts as an open connection until it is dropped.
#[derive(Debug)]
pub struct Session {
    stream: ServerStream<TcpStream>,
    _open: OwnedSemaphorePermit,
}

/// Accepts until the stream is dropped. `failed` hears of each connection that became no session, for a log line.
pub fn incoming<F>(
    listener: TcpListener,
    acceptor: Acceptor,
    limits: Limits,
    failed: F,
) -> impl Stream<Item = io::Result<Session>>
where
    F: Fn(std::net::SocketAddr, AcceptError) + Send + Sync + 'static,
{
    let (sessions, ready) = mpsc::channel(1);
    tokio::spawn(accept_all(listener, acceptor, limits, sessions, Arc::new(failed)));
    futures::stream::unfold(ready, |mut ready| async move { ready.recv().await.map(|session| (Ok(session), ready)) })
}

async fn accept_all<F>(
    listener: TcpListener,
    acceptor: Acceptor,
    limits: Limits,
    sessions: mpsc::Sender<Session>,
    failed: Arc<F>,
) where
    F: Fn(std::net::SocketAddr, AcceptError) + Send + Sync + 'static,
{
    // Out of file descriptors, mostly: the pause keeps this loop from spinning until some are closed.
    const PAUSE: Duration = Duration::from_millis(50);
    let handshakes = Arc::new(Semaphore::new(limits.handshakes));
    let connections = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok(handshake) = handshakes.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sessions.closed() => return,
        };
        let Ok((tcp, remote)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(open) = connections.clone().try_acquire_owned() else {
            continue;
        };
        let (acceptor, sessions, failed) = (acceptor.clone(), sessions.clone(), failed.clone());
        tokio::spawn(async move {
            // Small frames at once: exec is interactive. A socket that refuses is no worse than a slow one.
            drop(tcp.set_nodelay(true));
            match acceptor.accept(tcp, Some(remote)).await {
                // The receiver is gone only when the server stops.
                Ok(stream) => drop(sessions.send(Session { stream, _open: open }).await),
                Err(error) => failed(remote, error),
            }
            drop(handshake);
        });
    }
}

impl Connected for Session {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Session {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Session {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
