//! Releases that are not well: what stops them at the gate, what takes them back after the switch, and that the old one
//! serves all the while.

use std::time::{Duration, Instant};

use bollard::query_parameters::{ImportImageOptions, RemoveImageOptionsBuilder};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tidegate_agent::release::{EventKind, ReleaseEvent, ReleaseState};

use super::fixture::{self, App, Fixture, ended, get, input, name, undone};

fn shop(version: &str) -> App {
    App::new("shop", include_str!("gate/shop.yaml"))
        .file("health", include_str!("gate/health"))
        .variable("VERSION", version)
}

fn is_released(events: &[ReleaseEvent]) -> bool {
    ended(events) == ReleaseState::Released
}

fn serving(fixture: &Fixture) -> (u16, String) {
    get(&fixture.docker, "shop.example.com", "/")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_well_is_undone_and_nobody_was_sent_to_it() {
    let fixture = Fixture::start().await;
    assert!(is_released(&fixture.release(&shop("v1")).await));
    let before = fixture.inventory().await;
    for (start, (key, value), cause, detail) in [
        ("echo no database; exit 3", ("STABLE", "500ms"), "it ended with exit code 3", "no database"),
        ("exit 0", ("STABLE", "500ms"), "it ended with exit code 0", ""),
        ("(sleep 1; kill -USR1 1) &", ("STABLE", "3s"), "it ended with exit code 5", "giving up"),
        (
            "exec dd if=/dev/zero of=/dev/null bs=300M count=1",
            ("STABLE", "500ms"),
            "it needed more than its 33554432 bytes of memory",
            "",
        ),
        (
            "touch /tmp/bad; echo connecting to redis",
            ("TIMEOUT", "3s"),
            "not well after 3 s: GET :8000/cgi-bin/health answered 503: {\"redis\": \"refused\"}",
            "connecting to redis",
        ),
    ] {
        let started = Instant::now();
        let app = shop("v2").variable("BEFORE_WEB", start).variable(key, value);
        let failure = undone(&fixture.release(&app).await);
        println!("{start}: {failure:#?} in {:?}", started.elapsed());
        assert_eq!(failure.what, "service web did not pass its gate", "{start}");
        assert_eq!(failure.cause, cause, "{start}");
        assert!(detail.is_empty() || failure.details.iter().any(|line| line == detail), "{failure:?}");
        assert_eq!(fixture.inventory().await, before, "{start}");
        assert_eq!(serving(&fixture), (200, "v1\n".to_owned()), "{start}");
    }
    // A container beside it asked for the service by its name all the while. The last one had answered.
    let (code, seen) = fixture.exec("shop-caller-1", &["cat", "/tmp/seen"]).await;
    assert!(code == 0 && seen.lines().count() > 20, "{seen}");
    assert!(seen.lines().all(|line| line == "v1"), "{seen}");

    // One that is well passes, and is what the name leads to.
    assert!(is_released(&fixture.release(&shop("v2")).await));
    assert_eq!(serving(&fixture).1, "v2\n");
    // A request to the container that was just stopped takes its time to fail.
    let started = Instant::now();
    while fixture.exec("shop-caller-1", &["tail", "-n", "1", "/tmp/seen"]).await.1 != "v2\n" {
        assert!(started.elapsed() < Duration::from_secs(20), "the name does not lead to the new container");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// With these jobs before and after, as YAML.
fn with_jobs(version: &str, before: &str, after: &str) -> App {
    let jobs = format!("x-tidegate: {{ jobs: {{ before: [{before}], after: [{after}] }}, ");
    let compose = include_str!("gate/shop.yaml").replacen("x-tidegate: { ", &jobs, 1);
    App::new("shop", &compose).file("health", include_str!("gate/health")).variable("VERSION", version)
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_once_and_a_failed_one_takes_the_release_back() {
    let fixture = Fixture::start().await;
    let job = |script: &str| format!("{{ service: web, timeout: 2s, command: [sh, -c, '{script}'] }}");
    let fine = with_jobs("v1", &job("echo checked for $$VERSION"), &job("wget -qO- http://web:8000/"));
    let plan = fixture.engine.plan(&input(&fine)).await.unwrap();
    let planned: Vec<String> = plan.changes().into_iter().map(|change| change.object).collect();
    assert!(planned.contains(&"job before in web".to_owned()), "{planned:?}");
    assert!(planned.contains(&"job after in web".to_owned()), "{planned:?}");
    let events = fixture.release(&fine).await;
    assert!(is_released(&events));
    let output = |events: &[ReleaseEvent]| {
        let line = |event: &ReleaseEvent| match &event.kind {
            EventKind::Output { step, line } => Some(format!("{step}: {line}")),
            _ => None,
        };
        events.iter().filter_map(line).collect::<Vec<_>>()
    };
    assert_eq!(output(&events), ["job before 1: checked for v1", "job after 1: v1"]);
    let before = fixture.inventory().await;

    for (app, what, cause, details) in [
        (
            with_jobs("v2", &format!("{}, {}", job("echo one"), job("echo two; exit 4")), ""),
            "job before 2 in service web failed",
            "it ended with exit code 4",
            ["two"].as_slice(),
        ),
        (
            with_jobs("v2", &job("exec sleep 100"), ""),
            "job before 1 in service web failed",
            "it did not end within 2 s and was stopped",
            &[],
        ),
        (
            with_jobs("v2", "", &job("wget -qO- http://web:8000/; exit 6")),
            "job after 1 in service web failed",
            "it ended with exit code 6",
            &["v2"],
        ),
    ] {
        let failure = undone(&fixture.release(&app).await);
        assert_eq!((failure.what.as_str(), failure.cause.as_str()), (what, cause));
        assert_eq!(failure.details, details);
        assert_eq!(fixture.inventory().await, before, "{what}");
        assert_eq!(serving(&fixture), (200, "v1\n".to_owned()), "{what}");
    }

    // A release that changes nothing else runs them, a rollback does not.
    assert_eq!(output(&fixture.release(&fine).await).len(), 2);
    let plan = fixture.engine.plan_rollback(&name("shop"), None).await.unwrap();
    assert!(plan.jobs.is_empty() && plan.notes.contains(&"jobs are not run by a rollback".to_owned()));
}

const ENDED: &str = "it ended, and Docker started it again";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_turns_bad_after_the_switch_is_taken_back() {
    let fixture = Fixture::start().await;
    assert!(is_released(&fixture.release(&shop("v1")).await));
    let before = fixture.inventory().await;
    for (turn, cause) in [
        (
            "touch /tmp/bad",
            "3 times in a row: GET :8000/cgi-bin/health answered 503: {\"redis\": \"refused\"}",
        ),
        ("kill -USR1 1", ENDED),
        // No probe asks for this: only its visitors see it.
        (
            "printf '#!/bin/sh\\necho Status: 500 no\\necho\\n' >/tmp/www/cgi-bin/order; chmod +x /tmp/www/cgi-bin/order",
            "answers since the switch were server errors (5xx)",
        ),
    ] {
        let release =
            fixture.engine.deploy(input(&shop("v2").variable("WATCH", "60s")), "test").await.unwrap();
        let events = fixture.engine.watch(&release.app, None, 0).await.unwrap().map(Result::unwrap);
        let watching =
            |event: &ReleaseEvent| matches!(&event.kind, EventKind::StepStarted { step } if step == "watch");
        assert!(events.any(|event| std::future::ready(watching(&event))).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(serving(&fixture), (200, "v2\n".to_owned()));

        let started = Instant::now();
        let status = fixture.exec("shop-web-2", &["sh", "-c", turn]).await.0;
        // What ends its own container may be killed with it.
        assert!(status == 0 || (status == 137 && turn.starts_with("kill")), "{turn}: {status}");
        let visits = if turn.contains("order") { 30 } else { 0 };
        for _ in 0..visits {
            get(&fixture.docker, "shop.example.com", "/cgi-bin/order");
        }
        while serving(&fixture) != (200, "v1\n".to_owned()) {
            assert!(started.elapsed() < Duration::from_mins(1), "the old release does not serve");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let back = started.elapsed();
        let failure = undone(&fixture::events(&fixture.engine, &release.app).await);
        println!("{turn}: back after {back:?}: {failure:#?}");
        assert!(back < Duration::from_secs(10), "{back:?}");
        assert_eq!(failure.what, "service web turned bad after the switch");
        // It is seen while Docker waits before it starts it again, or afterwards.
        let seen = if cause == ENDED {
            &[ENDED, "it keeps ending, the last time with exit code 5"][..]
        } else {
            &[cause]
        };
        assert!(seen.iter().any(|cause| failure.cause.ends_with(cause)), "{}", failure.cause);
        assert_eq!(fixture.inventory().await, before);
        assert_eq!(serving(&fixture), (200, "v1\n".to_owned()));
    }
}

/// Loads an image that is made for another architecture, and holds nothing.
async fn load_foreign(fixture: &Fixture) {
    let layer = tar::Builder::new(Vec::new()).into_inner().unwrap();
    let id = format!("sha256:{}", hex::encode(Sha256::digest(&layer)));
    let config = json!({
        "architecture": "s390x", "os": "linux", "created": "2026-01-01T00:00:00Z",
        "config": { "Cmd": ["sh"] }, "rootfs": { "type": "layers", "diff_ids": [id] }, "history": [],
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": ["foreign:1"], "Layers": ["layer.tar"] }]);
    let mut archive = tar::Builder::new(Vec::new());
    let files = [
        ("layer.tar", layer),
        ("config.json", config.to_string().into_bytes()),
        ("manifest.json", manifest.to_string().into_bytes()),
    ];
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len().try_into().unwrap());
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    let body = bollard::body_full(archive.into_inner().unwrap().into());
    let loading = fixture.docker.client().import_image(ImportImageOptions::default(), body, None);
    loading.try_collect::<Vec<_>>().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_here_is_refused_before_anything_is_stopped() {
    let fixture = Fixture::start().await;
    load_foreign(&fixture).await;
    let before = fixture.inventory().await;
    let app = |image: &str| {
        let compose = format!(
            "services:\n  web: {{ image: '{image}' }}\n  large: {{ image: probe:1, mem_limit: 9000g }}\n  none: {{ image: probe:1, network_mode: none, x-tidegate: {{ gate: {{ probes: [{{ tcp: {{ port: 1 }} }}] }} }} }}\n"
        );
        App::new("bad", &compose)
    };
    let registry = fixture.docker.registry().await.unwrap();
    let own = if cfg!(target_arch = "x86_64") { "linux/amd64" } else { "linux/arm64" };
    for image in ["foreign:1".to_owned(), format!("{}/foreign:1", registry.prefix())] {
        // The second time it is only in a registry.
        if image != "foreign:1" {
            assert_eq!(registry.push(&fixture.docker, "foreign:1").await.unwrap(), image);
            let options = RemoveImageOptionsBuilder::default().force(true).build();
            for name in ["foreign:1", &image] {
                fixture.docker.client().remove_image(name, Some(options.clone()), None).await.unwrap();
            }
        }
        let image = image.as_str();
        let failures = fixture.refused(&app(image)).await;
        let told: Vec<(&str, &str)> =
            failures.iter().map(|failure| (failure.what.as_str(), failure.cause.as_str())).collect();
        println!("{failures:#?}");
        let what = format!("the image {image} of service web does not run on this droplet");
        let why = format!("it is made for linux/s390x, and the droplet is {own}");
        assert!(told.contains(&(what.as_str(), why.as_str())), "{told:?}");
        assert!(told.iter().any(|(what, _)| *what == "service large needs a larger droplet"), "{told:?}");
        assert!(told.iter().any(|(what, _)| *what == "service none cannot be probed over a network"));
        assert!(failures.iter().all(|failure| failure.place.starts_with("compose.yaml:")), "{failures:?}");
    }
    assert_eq!(fixture.inventory().await, before);
}

/// Docker asks for the first time after a minute; the gate does not wait for that.
const ASKED_RARELY: &str = r#"
services:
  web:
    image: probe:1
    init: true
    command: [sh, -c, "sleep 1; touch /tmp/well; exec sleep 1000"]
    environment: { VERSION: "${VERSION}" }
    healthcheck: { test: ["CMD-SHELL", "test -e ${PROOF:-/tmp/well}"], interval: 1m, timeout: 5s }
    x-tidegate: { gate: { stable: 1s, timeout: 6s } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_with_a_long_interval_does_not_make_a_release_slow() {
    let fixture = Fixture::start().await;
    let app = |version: &str| App::new("rare", ASKED_RARELY).variable("VERSION", version);
    assert!(is_released(&fixture.release(&app("v1")).await));
    let before = fixture.inventory().await;
    // One that never gets well does not pass because Docker has not asked yet.
    let failure = undone(&fixture.release(&app("v2").variable("PROOF", "/tmp/none")).await);
    assert_eq!(failure.cause, "after 6 s its health check has not succeeded yet");
    assert_eq!(fixture.inventory().await, before);
}
