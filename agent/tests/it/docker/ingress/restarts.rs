//! Docker stopped while containers run on (`--live-restore`): requests are served all the time. When Docker starts again it
//! makes its address translation anew, and for that moment refuses connections itself; these are told, not hidden.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tidegate_agent::ingress::Edge;
use tidegate_tests::docker::{LiveRestore, Options};

use super::{ADDRESS, app, fixture::Fixture, give_address, released};

fn request() -> std::io::Result<String> {
    let mut stream = TcpStream::connect((ADDRESS, 80))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

async fn served_while_docker_is_away(away: Duration) {
    let options = Options { live_restore: LiveRestore::On, ..Options::default() };
    let mut fixture = Fixture::start_with(options, Edge::default()).await;
    give_address(&fixture.docker);
    released(&fixture, &app("shop", "v1", "{ host: shop.test, port: 8000, tls: off }")).await;
    let (stop, starting) = (AtomicBool::new(false), AtomicBool::new(false));
    let namespace = fixture.docker.namespace();
    let (served, failed, meanwhile) = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut served, mut failed, mut meanwhile) = (0, Vec::new(), 0);
            tidegate_tests::docker::inside(&namespace, || {
                while !stop.load(Ordering::SeqCst) {
                    let is_starting = starting.load(Ordering::SeqCst);
                    match request() {
                        Ok(answer) if answer.starts_with("HTTP/1.1 200") => served += 1,
                        Err(error) if is_starting && error.kind() == ErrorKind::ConnectionRefused => {
                            meanwhile += 1;
                        }
                        other => failed.push(format!("{other:?}")),
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            })
            .unwrap();
            (served, failed, meanwhile)
        });
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
        load.join().unwrap()
    });
    println!(
        "{served} requests served while Docker was away for {away:?} and after, {} failed; \
         {meanwhile} connections refused by Docker while it started",
        failed.len()
    );
    assert_eq!(failed, [""; 0]);
    assert!(served > 100, "{served}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_docker_is_stopped() {
    served_while_docker_is_away(Duration::from_secs(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes over a minute: set TIDEGATE_LONG=1"]
async fn nobody_notices_that_docker_is_stopped_for_a_minute() {
    if std::env::var_os("TIDEGATE_LONG").is_some() {
        served_while_docker_is_away(Duration::from_mins(1)).await;
    }
}
