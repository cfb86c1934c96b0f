//! Releases forth and back under as many requests as the app carries at rest, beside the same over `docker compose up -d`;
//! and the interruption of a service that cannot run twice, as the agent tells it and as it is seen from outside.

mod generator;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use generator::{Tally, To};
use tidegate_agent::release::{EventKind, ReleaseState};
use tidegate_tests::docker::Docker;

use super::fixture::{App, Fixture, ended};

const COMPOSE: &str = include_str!("load/app.yaml");

fn app(version: &str) -> App {
    App::new("load", COMPOSE).variable("VERSION", version)
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Keeps the load on while something is done.
fn during<T>(docker: &Docker, to: To, rate: u32, work: impl FnOnce() -> T) -> (Tally, T) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| generator::run(docker, to, rate, &stop));
        std::thread::sleep(Duration::from_secs(1));
        let done = work();
        std::thread::sleep(Duration::from_secs(1));
        stop.store(true, Ordering::SeqCst);
        (load.join().unwrap(), done)
    })
}

/// The highest of some rates that the app carries at rest without an error.
fn carried(docker: &Docker, to: To) -> u32 {
    for rate in [400, 300, 200, 100, 50] {
        let (tally, ()) = during(docker, to, rate, || std::thread::sleep(Duration::from_secs(6)));
        println!("at rest, {rate}/s asked for: {tally}");
        if tally.failed.is_empty() && tally.rate() >= f64::from(rate) * 0.85 {
            return rate;
        }
    }
    panic!("the app does not carry 50 requests a second at rest");
}

async fn forth_and_back(times: usize) -> u32 {
    let fixture = Fixture::start().await;
    let to = To { pages: at(80), chat: at(80) };
    assert_eq!(released(&fixture, "v0").await, ReleaseState::Released);
    let rate = tokio::task::block_in_place(|| carried(&fixture.docker, to));
    let handle = tokio::runtime::Handle::current();
    let (tally, states) = tokio::task::block_in_place(|| {
        during(&fixture.docker, to, rate, || {
            let versions = ["v1", "v2"].iter().cycle().take(times);
            versions.map(|version| handle.block_on(released(&fixture, version))).collect::<Vec<_>>()
        })
    });
    println!("{times} releases by tidegate: {tally}");
    assert_eq!(states, vec![ReleaseState::Released; times]);
    assert!(tally.failed.is_empty(), "{tally}");
    for kind in ["on kept connections", "on new connections", "slow pages", "downloads", "conversations"] {
        assert!(tally.asked.contains_key(kind), "no {kind}: {tally}");
    }
    rate
}

async fn released(fixture: &Fixture, version: &str) -> ReleaseState {
    ended(&fixture.release(&app(version)).await)
}

/// The same load while docker compose changes the same app; only told, for it promises nothing.
async fn beside(docker_compose: PathBuf, rate: u32, times: usize) {
    let fixture = Fixture::start().await;
    let folder = tempfile::tempdir().unwrap();
    let published = COMPOSE.replacen("  web:\n", "  web:\n    ports: [\"8000:8000\"]\n", 1).replacen(
        "  chat:\n",
        "  chat:\n    ports: [\"8001:8000\"]\n",
        1,
    );
    fs_err::write(folder.path().join("compose.yaml"), published).unwrap();
    let up = |version: &str| {
        let mut command = fixture.docker.command(&docker_compose);
        command.current_dir(folder.path()).env("VERSION", version).args(["up", "-d", "--wait"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    tokio::task::block_in_place(|| {
        up("v0");
        let to = To { pages: at(8000), chat: at(8001) };
        let (tally, ()) = during(&fixture.docker, to, rate, || {
            for version in ["v1", "v2"].iter().cycle().take(times) {
                up(version);
                // As long as a release takes, that the requests are as many.
                std::thread::sleep(Duration::from_secs(8));
            }
        });
        println!("{times} times `docker compose up -d`: {tally}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_lose_no_request() {
    forth_and_back(2).await;
}

/// Minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: twenty releases; script/test --long"]
async fn twenty_releases_lose_no_request_beside_docker_compose() {
    let rate = forth_and_back(20).await;
    match std::env::var_os("TIDEGATE_DOCKER_COMPOSE_240") {
        Some(program) => beside(program.into(), rate, 20).await,
        None => println!("skipped: nothing to compare with: TIDEGATE_DOCKER_COMPOSE_240 is not set"),
    }
}

const ALONE: &str = r#"
services:
  web:
    image: probe:1
    init: true
    environment: { VERSION: "${VERSION}" }
    command: [sh, -c, "mkdir /tmp/www; echo $$VERSION >/tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www"]
    stop_grace_period: 2s
    x-tidegate: { strategy: recreate, ingress: { port: 8000 }, gate: { probes: [{ http: { path: /, port: 8000 } }], stable: 1s, timeout: 30s } }
"#;

/// The longest time without an answer until asked to stop. Several ask, as one that waits sees nothing meanwhile.
fn longest_gap(docker: &Docker, stop: &AtomicBool) -> Duration {
    let answered = || {
        let mut answers = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            if generator::answers(at(80)) {
                answers.push(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        answers
    };
    let mut all: Vec<Instant> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| docker.inside(answered).unwrap())).collect();
        asking.into_iter().flat_map(|answers| answers.join().unwrap()).collect()
    });
    all.sort();
    all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interruption_that_is_told_is_the_one_that_was_seen() {
    let fixture = Fixture::start().await;
    let alone = |version: &str| App::new("alone", ALONE).variable("VERSION", version);
    fixture.release(&alone("v1")).await;
    let stop = AtomicBool::new(false);
    let handle = tokio::runtime::Handle::current();
    let (seen, events) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let watching = scope.spawn(|| longest_gap(&fixture.docker, &stop));
            std::thread::sleep(Duration::from_millis(500));
            let events = handle.block_on(fixture.release(&alone("v2")));
            std::thread::sleep(Duration::from_millis(500));
            stop.store(true, Ordering::SeqCst);
            (watching.join().unwrap(), events)
        })
    });
    let EventKind::Finished { state: ReleaseState::Released, interruptions, .. } =
        &events.last().unwrap().kind
    else {
        panic!("{events:?}")
    };
    let told = interruptions[0].interrupted;
    println!("told {told:?}, seen {seen:?}");
    assert!(told.abs_diff(seen) < Duration::from_millis(200), "told {told:?}, seen {seen:?}");
}
