//! Opening connections to containers, as an input: in tests they live in a network namespace of their own.

use std::{fmt::Debug, io, net::SocketAddr};

use futures::future::BoxFuture;
use tokio::net::TcpStream;

/// Opens connections to addresses of containers.
pub trait Dial: Debug + Send + Sync {
    /// Opens one. The caller sets the deadline.
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// From this machine, whose bridges lead to the containers.
#[derive(Clone, Copy, Debug, Default)]
pub struct DirectDial;

impl Dial for DirectDial {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(TcpStream::connect(address))
    }
}
