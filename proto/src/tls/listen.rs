//! A listening port as the stream of sessions that tonic serves: handshakes run beside each other, their number and that
//! of open connections is bounded, and a peer that fails costs nobody else anything.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tonic::transport::server::Connected;

use super::{
    addresses::PerAddress,
    info::PeerInfo,
    server::{AcceptError, Acceptor},
    stream::ServerStream,
};
use crate::limits::{MAX_CONNECTIONS, MAX_HANDSHAKES, MAX_HANDSHAKES_PER_ADDRESS};

/// How many at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Handshakes under way. More are not accepted meanwhile: they wait in the kernel's queue.
    pub handshakes: usize,
    /// Handshakes under way from one address. More are closed right after they were accepted.
    pub handshakes_per_address: usize,
    /// Open connections. More are closed right after they were accepted.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes: MAX_HANDSHAKES,
            handshakes_per_address: MAX_HANDSHAKES_PER_ADDRESS,
            connections: MAX_CONNECTIONS,
        }
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
    F: Fn(SocketAddr, AcceptError) + Send + Sync + 'static,
{
    let (sessions, ready) = mpsc::channel(1);
    let port = Port {
        acceptor,
        handshakes: Arc::new(Semaphore::new(limits.handshakes)),
        connections: Arc::new(Semaphore::new(limits.connections)),
        addresses: PerAddress::new(limits.handshakes_per_address),
        sessions,
        failed: Arc::new(failed),
    };
    tokio::spawn(port.accept_all(listener));
    futures::stream::unfold(ready, |mut ready| async move {
        ready.recv().await.map(|session| (Ok(session), ready))
    })
}

struct Port<F> {
    acceptor: Acceptor,
    handshakes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    addresses: PerAddress,
    sessions: mpsc::Sender<Session>,
    failed: Arc<F>,
}

impl<F> Port<F>
where
    F: Fn(SocketAddr, AcceptError) + Send + Sync + 'static,
{
    async fn accept_all(self, listener: TcpListener) {
        // Out of file descriptors, mostly: the pause keeps this loop from spinning until some are closed.
        const PAUSE: Duration = Duration::from_millis(50);
        loop {
            let Ok(handshake) = self.handshakes.clone().acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.sessions.closed() => return,
            };
            match accepted {
                Ok((tcp, remote)) => self.begin(tcp, remote, handshake),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Shakes hands beside the loop; over a limit, the connection is dropped here.
    fn begin(&self, tcp: TcpStream, remote: SocketAddr, handshake: OwnedSemaphorePermit) {
        let failed = self.failed.clone();
        let open = self.connections.clone().try_acquire_owned().ok();
        let (Some(open), Some(counted)) = (open, self.addresses.enter(remote.ip())) else {
            failed(remote, AcceptError::Busy);
            return;
        };
        let (acceptor, sessions) = (self.acceptor.clone(), self.sessions.clone());
        tokio::spawn(async move {
            // Small frames at once: exec is interactive. A socket that refuses is no worse than a slow one.
            drop(tcp.set_nodelay(true));
            let accepted = acceptor.accept(tcp, Some(remote)).await;
            drop((handshake, counted));
            match accepted {
                // The receiver is gone only when the server stops.
                Ok(stream) => drop(sessions.send(Session { stream, _open: open }).await),
                Err(error) => failed(remote, error),
            }
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
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
