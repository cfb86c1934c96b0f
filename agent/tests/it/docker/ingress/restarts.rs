//! Docker stopped while containers run on (`--live-restore`): requests are served all the time. When Docker starts again it
//! makes its address translation anew, and for that moment refuses connections itself; these are told, not hidden.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tidegate_agent::ingress::Edge;
use tidegate_tests::docker::{LiveRestore, Options, inside};

use super::{ADDRESS, app, fixture::Fixture, give_address, released};

/// How many ask at once.
const CLIENTS: usize = 4;
/// How many requests a second make a load.
const LEAST: f64 = 20.0;

fn request() -> std::io::Result<String> {
    let mut stream = TcpStream::connect((ADDRESS, 80))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What became of requests one after the other, until told to stop.
#[derive(Default)]
struct Asked {
    served: u32,
    failed: Vec<String>,
    /// Refused by Docker while it started.
    meanwhile: u32,
}

fn ask(stop: &AtomicBool, starting: &AtomicBool) -> Asked {
    let mut asked = Asked::default();
    while !stop.load(Ordering::SeqCst) {
        let is_starting = starting.load(Ordering::SeqCst);
        match request() {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => asked.served += 1,
            Err(error) if is_starting && error.kind() == ErrorKind::ConnectionRefused => asked.meanwhile += 1,
            other => asked.failed.push(format!("{other:?}")),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    asked
}

async fn served_while_docker_is_away(away: Duration) {
    let options = Options { live_restore: LiveRestore::On, ..Options::default() };
    let mut fixture = Fixture::start_with(options, Edge::default()).await;
    give_address(&fixture.docker);
    released(&fixture, &app("shop", "v1", "{ host: shop.test, port: 8000, tls: off }")).await;
    let (stop, starting) = (AtomicBool::new(false), AtomicBool::new(false));
    let namespace = fixture.docker.namespace();
    let asked = std::thread::scope(|scope| {
        let client = || inside(&namespace, || ask(&stop, &starting)).unwrap();
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                fixture.docker.stop_daemon().unwrap();
                tokio::time::sleep(away).await;
                starting.store(true, Ordering::SeqCst);
                fixture.docker.start_daemon().await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
                starting.store(false, Ordering::SeqCst);
                // An agent that starts now finds everything as it should be.
                fixture.restarted().resume_all().await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            });
        });
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let served: u32 = asked.iter().map(|client| client.served).sum();
    let meanwhile: u32 = asked.iter().map(|client| client.meanwhile).sum();
    let failed: Vec<&String> = asked.iter().flat_map(|client| &client.failed).collect();
    println!(
        "{served} requests served while Docker was away for {away:?} and after, {} failed; \
         {meanwhile} connections refused by Docker while it started",
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(f64::from(served) > away.as_secs_f64() * LEAST, "{served}");
}

/// How long Docker stays away: a minute where time does not matter.
fn away() -> Duration {
    let is_long = std::env::var_os("TIDEGATE_LONG").is_some();
    if is_long { Duration::from_mins(1) } else { Duration::from_secs(6) }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_docker_is_stopped() {
    served_while_docker_is_away(away()).await;
}
