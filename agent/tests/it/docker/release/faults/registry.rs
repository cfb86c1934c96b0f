//! A registry that dies: the images of one behind it, until so many bytes have come. Then it breaks every connection and
//! answers nobody, until it is told to live again.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tidegate_tests::docker::{Registry, inside};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

use super::super::{fixture::Fixture, retention};

/// How large what is new in an image is, in MiB.
const IMAGE: u32 = 4;
/// After which bytes the registry can die so that an image is in the middle of its way.
pub const MIDDLE: std::ops::Range<i64> = 100_000..4_000_000;
/// More bytes than ever come.
const FOR_EVER: i64 = i64::MAX / 2;
/// Where it listens, inside the daemon's network namespace.
const ADDRESS: &str = "127.0.0.1:5001";

/// What an image of this number is called.
pub fn name(number: u32) -> String {
    format!("{ADDRESS}/made:{number}")
}

/// The registry, inside a daemon's network namespace.
pub struct Frail {
    behind: Registry,
    /// How many bytes it has to live.
    left: Arc<AtomicI64>,
    listening: JoinHandle<()>,
}

impl Frail {
    /// Starts it beside a daemon, well.
    pub async fn start(fixture: &Fixture) -> Self {
        let behind = fixture.docker.registry().await.unwrap();
        let listener = fixture.docker.inside(|| TcpListener::bind(ADDRESS)).unwrap().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let left = Arc::new(AtomicI64::new(FOR_EVER));
        let (namespace, target) = (fixture.docker.namespace(), behind.prefix());
        let listening = tokio::spawn({
            let left = left.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    // Dropped, the connection breaks.
                    if left.load(Ordering::SeqCst) > 0 {
                        tokio::spawn(pass(client, (namespace.clone(), target), left.clone()));
                    }
                }
            }
        });
        Self { behind, left, listening }
    }

    /// Makes an image of that number, to be pulled; its id.
    pub async fn push(&self, fixture: &Fixture, number: u32) -> String {
        retention::made(fixture, &self.behind, (&number.to_string(), IMAGE)).await.1
    }

    /// Lets it die when so many bytes more have come.
    pub fn die_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// Lets it live; whether it had died.
    pub fn revive(&self) -> bool {
        self.left.swap(FOR_EVER, Ordering::SeqCst) <= 0
    }
}

impl Drop for Frail {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One connection, until either side ends it or the registry dies.
async fn pass(client: TcpStream, (namespace, target): (PathBuf, &'static str), left: Arc<AtomicI64>) {
    let Ok(server) = connect(&namespace, target) else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let unlimited = AtomicI64::new(FOR_EVER);
    tokio::select! {
        () = copy(from_client, to_server, &unlimited) => {}
        () = copy(from_server, to_client, &left) => {}
    }
}

fn connect(namespace: &Path, target: &str) -> std::io::Result<TcpStream> {
    let connected = inside(namespace, || std::net::TcpStream::connect(target));
    let stream = connected.map_err(std::io::Error::other)??;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: &AtomicI64) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut piece).await else { return };
        let bytes = i64::try_from(read).unwrap();
        if left.fetch_sub(bytes, Ordering::SeqCst) < bytes || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
