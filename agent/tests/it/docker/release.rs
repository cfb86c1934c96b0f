//! Releases on a real Docker daemon: what a user is promised, and what is left when things go wrong.

mod attributes;
mod disk;
mod example;
mod faults;
pub mod fixture;
mod gate;
mod hooks;
mod images;
mod interop;
mod load;
mod networks;
mod part;
mod plan;
mod refusal;
mod retention;
mod rollback;
mod rolling;
mod timers;
mod together;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use fixture::{App, Fixture, get, requests_until};
use tidegate_agent::release::{ChangeKind, EventKind, ReleaseState, Volumes};

/// A web service, a worker, a database with a volume, and a migration.
fn shop(version: &str) -> App {
    App::new("shop", include_str!("release/shop.yaml")).variable("VERSION", version)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_release_serves_and_its_removal_leaves_nothing() {
    let fixture = Fixture::start().await;
    let before = fixture.inventory().await;
    let events = fixture.release(&shop("v1")).await;
    let EventKind::Finished { state, failure, .. } = &events.last().unwrap().kind else {
        panic!("{events:?}")
    };
    assert_eq!((*state, failure), (ReleaseState::Released, &None));
    let numbers: Vec<u64> = events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=u64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    let migrated =
        |kind: &EventKind| matches!(kind, EventKind::Output { line, .. } if line == "migrated to v1");
    assert!(events.iter().any(|event| migrated(&event.kind)), "{events:?}");
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v1\n".to_owned()));
    assert_eq!(get(&fixture.docker, "other.example.com", "/").0, 421);

    let status = fixture.engine.status(None).await.unwrap();
    let names: Vec<String> = status[0]
        .services
        .iter()
        .flat_map(|s| &s.containers)
        .map(|c| format!("{} {}", c.name, c.state.word()))
        .collect();
    assert_eq!(names, ["shop-db-1 running", "shop-web-1 running", "shop-worker-1 running"]);
    // A second look at the same sources finds nothing to do.
    let plan = fixture.engine.plan(&fixture::input(&shop("v1"))).await.unwrap();
    let kinds = plan.changes().into_iter().filter(|change| change.kind != ChangeKind::Run);
    assert!(kinds.into_iter().all(|change| change.kind == ChangeKind::Keep), "{:?}", plan.changes());

    let removed = fixture.engine.remove(&fixture::name("shop"), Volumes::Remove, "test").await.unwrap();
    assert!(removed.contains(&"container shop-web-1".to_owned()), "{removed:?}");
    fixture.without_ingress().await;
    assert_eq!(fixture.inventory().await, before);
    assert!(!fixture.state().join("apps/shop").exists());
    assert_eq!(
        fixture.engine.remove(&fixture::name("shop"), Volumes::Remove, "test").await.unwrap(),
        [""; 0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_release_loses_no_request() {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    let stop = AtomicBool::new(false);
    let (answers, events) = std::thread::scope(|scope| {
        let load = scope.spawn(|| requests_until(&fixture.docker, "shop.example.com", &stop));
        let events = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(fixture.release(&shop("v2")))
        });
        std::thread::sleep(Duration::from_millis(500));
        stop.store(true, Ordering::SeqCst);
        (load.join().unwrap(), events)
    });
    let EventKind::Finished { state, interruptions, .. } = &events.last().unwrap().kind else {
        panic!("{events:?}")
    };
    assert_eq!(*state, ReleaseState::Released, "{events:?}");
    let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert!(failed.is_empty(), "{} of {} requests failed: {failed:?}", failed.len(), answers.len());
    let first_new = answers.iter().position(|(_, body)| body == "v2\n").unwrap();
    // While both addresses are known to somebody, old and new may alternate, but the end is the new one.
    assert!(answers[..first_new].iter().all(|(_, body)| body == "v1\n"));
    assert_eq!(answers.last().unwrap().1, "v2\n");
    println!("{} requests, 0 failed; interruptions: {interruptions:?}", answers.len());

    let worker = interruptions.iter().find(|i| i.service.as_str() == "worker").unwrap();
    assert!(
        worker.interrupted > Duration::ZERO && worker.interrupted < Duration::from_secs(20),
        "{worker:?}"
    );
    let names = fixture.container_names().await;
    assert_eq!(names, ["shop-db-1", "shop-web-2", "shop-worker-2", "tidegate-ingress"]);
    fixture.release(&shop("v3")).await;
    let names = fixture.container_names().await;
    assert_eq!(names, ["shop-db-1", "shop-web-1", "shop-worker-1", "tidegate-ingress"]);
    assert_eq!(get(&fixture.docker, "shop.example.com", "/").1, "v3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_name_leads_to_the_new_container_and_restarts_are_as_written() {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    fixture.release(&shop("v2")).await;
    let (code, output) = fixture.exec("shop-worker-2", &["wget", "-qO-", "http://web:8000/"]).await;
    assert_eq!((code, output.as_str()), (0, "v2\n"));
    let web = fixture.engine.containers(&fixture::name("shop"), Some("web")).await.unwrap();
    let policy = web[0].restart.clone().unwrap().name.unwrap().to_string();
    assert_eq!(policy, "unless-stopped");
    assert_eq!(web[0].label("com.docker.compose.project"), Some("shop"));
    assert_eq!(web[0].label("com.docker.compose.version"), Some("2.40.3"));
}
