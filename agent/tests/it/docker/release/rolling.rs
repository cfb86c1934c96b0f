//! Replicas replaced one after the other, under load, forth and back.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tidegate_agent::release::ReleaseState;

use super::fixture::{App, Fixture, ended, requests_until};

const COMPOSE: &str = r#"
x-tidegate: { drain: 2s }
services:
  web:
    image: probe:1
    scale: 2
    environment: { VERSION: "${VERSION}" }
    command:
      - sh
      - -c
      - |
        mkdir -p /tmp/www
        echo $$VERSION >/tmp/www/index.html
        trap 'exit 0' TERM
        httpd -f -p 8000 -h /tmp/www &
        wait
    healthcheck: { test: [CMD, wget, -qO-, "http://127.0.0.1:8000/${PAGE:-}"], interval: 500ms, timeout: 5s, retries: 3 }
    x-tidegate: { strategy: rolling, ingress: { port: 8000 }, gate: { stable: 500ms, timeout: 30s } }
"#;

fn app(version: &str) -> App {
    App::new("crew", COMPOSE).variable("VERSION", version)
}

/// Releases it under load; how it ended, and what was answered.
fn under_load(fixture: &Fixture, app: &App) -> (ReleaseState, BTreeSet<(u16, String)>, usize) {
    let stop = AtomicBool::new(false);
    let (answers, events) = std::thread::scope(|scope| {
        let load = scope.spawn(|| requests_until(&fixture.docker, "any.test", &stop));
        let events =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(fixture.release(app)));
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::SeqCst);
        (load.join().unwrap(), events)
    });
    let count = answers.len();
    (ended(&events), answers.into_iter().collect(), count)
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_go_one_by_one_and_no_request_is_lost() {
    let fixture = Fixture::start().await;
    assert_eq!(ended(&fixture.release(&app("v1")).await), ReleaseState::Released);
    let (v1, v2) = ((200, "v1\n".to_owned()), (200, "v2\n".to_owned()));

    let (state, answers, count) = under_load(&fixture, &app("v2"));
    assert_eq!((state, answers), (ReleaseState::Released, [v1, v2.clone()].into()));
    println!("{count} requests, none failed");
    assert_eq!(fixture.container_names().await, ["crew-web-3", "crew-web-4", "tidegate-ingress"]);

    let sick = app("v3").variable("PAGE", "missing");
    let (state, answers, _) = under_load(&fixture, &sick);
    assert_eq!((state, answers), (ReleaseState::Undone, [v2].into()));
    assert_eq!(fixture.container_names().await, ["crew-web-3", "crew-web-4", "tidegate-ingress"]);
}
