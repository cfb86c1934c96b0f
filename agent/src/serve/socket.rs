//! The unix socket for local commands, without TLS, for root alone.
//!
//! Owns who gets in: the file's mode keeps others out, and the peer's user id is asked from the kernel besides. Must not
//! know what the commands do.

use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use fs_err as fs;
use futures::{Stream, stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
};
use tonic::transport::server::Connected;
use tracing::warn;

use crate::api::authorise::LocalRoot;

/// Name of the socket in the runtime directory.
pub const SOCKET: &str = "agent.sock";

/// Listens; a socket that a dead agent left is replaced.
pub(super) fn bind(runtime: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;

    fs::create_dir_all(runtime)?;
    fs::set_permissions(runtime, PermissionsExt::from_mode(0o700))?;
    let path = runtime.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Connections of root.
pub(super) fn sessions(listener: UnixListener) -> impl Stream<Item = io::Result<LocalSession>> {
    stream::unfold(listener, |listener| async move {
        loop {
            match accept(&listener).await {
                Ok(Some(session)) => return Some((Ok(session), listener)),
                Ok(None) => {}
                Err(error) => {
                    warn!(%error, "a local connection could not be accepted");
                    // Out of file descriptors, mostly: without a pause this would spin.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    })
}

async fn accept(listener: &UnixListener) -> io::Result<Option<LocalSession>> {
    let (stream, _) = listener.accept().await?;
    let peer = stream.peer_cred()?.uid();
    // The agent's own user is root, except where a test runs without.
    if peer == 0 || peer == rustix::process::getuid().as_raw() {
        return Ok(Some(LocalSession(stream)));
    }
    warn!(uid = peer, "a local connection was refused: it is not root's");
    Ok(None)
}

/// A connection of root.
#[derive(Debug)]
pub(super) struct LocalSession(UnixStream);

impl Connected for LocalSession {
    type ConnectInfo = LocalRoot;

    fn connect_info(&self) -> LocalRoot {
        LocalRoot
    }
}

impl AsyncRead for LocalSession {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for LocalSession {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
