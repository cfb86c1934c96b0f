//! Ways back: rollback, cancel, and what is kept for them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tidegate_agent::{
    apps::ReleaseNumber,
    release::{EngineError, EventKind, ReleaseEvent, ReleaseState},
};

use super::{
    fixture::{App, Fixture, ended, events, get, input, name, requests_until},
    shop,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_serves_the_release_before_and_loses_no_request() {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    fixture.release(&shop("v2")).await;
    let plan = fixture.engine.plan_rollback(&name("shop"), None).await.unwrap();
    assert!(
        plan.migration.is_none() && plan.notes.iter().any(|note| note.contains("migrations")),
        "{plan:?}"
    );

    let stop = AtomicBool::new(false);
    let (answers, happened) = std::thread::scope(|scope| {
        let load = scope.spawn(|| requests_until(&fixture.docker, "shop.example.com", &stop));
        let happened = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let begun =
                    fixture.engine.rollback(&name("shop"), (None, "key".to_owned()), "ada").await.unwrap();
                let happened = events(&fixture.engine, &name("shop")).await;
                // A repeated request finds the release that it began.
                let again =
                    fixture.engine.rollback(&name("shop"), (None, "key".to_owned()), "ada").await.unwrap();
                assert_eq!((begun.release, again.release), (ReleaseNumber::new(3), ReleaseNumber::new(3)));
                happened
            })
        });
        stop.store(true, Ordering::SeqCst);
        (load.join().unwrap(), happened)
    });
    assert_eq!(ended(&happened), ReleaseState::Released, "{happened:?}");
    let failed: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert!(failed.is_empty(), "{} of {} requests failed: {failed:?}", failed.len(), answers.len());
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v1\n".to_owned()));
    let is_output = |event: &ReleaseEvent| matches!(event.kind, EventKind::Output { .. });
    assert!(!happened.iter().any(is_output), "a rollback ran a migration: {happened:?}");

    let rows = fixture.engine.releases(&name("shop")).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.number.get(), row.state, row.returns_to)).collect();
    let first = Some(ReleaseNumber::new(1));
    assert_eq!(
        told,
        [
            (3, ReleaseState::Released, first),
            (2, ReleaseState::Superseded, None),
            (1, ReleaseState::Superseded, None)
        ]
    );
    assert!(rows.iter().all(|row| !row.images.is_empty()), "{rows:?}");
    assert_eq!(rows[1].migration.as_deref(), Some("migrated to v2"));
    assert_eq!(rows[0].actor, "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_gone_back_to_is_refused_and_nothing_changes() {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    let before = fixture.inventory().await;
    let refused = async |to: Option<u64>| {
        let to = to.map(ReleaseNumber::new);
        match fixture.engine.rollback(&name("shop"), (to, String::new()), "test").await {
            Err(EngineError::Refused(failures)) => failures[0].what.clone(),
            Err(error) => error.to_string(),
            Ok(release) => panic!("{release:?}"),
        }
    };
    assert_eq!(refused(None).await, "shop cannot go back: no release served before this one");
    assert_eq!(refused(Some(1)).await, "shop cannot go back: r1 serves already");
    assert_eq!(refused(Some(7)).await, "app shop has no release r7");
    fixture.release(&shop("v2")).await;
    fs_err::remove_dir_all(fixture.state().join("releases/shop/1")).unwrap();
    assert_eq!(refused(Some(1)).await, "r1 cannot be gone back to");
    let after = fixture.inventory().await;
    assert_eq!(
        (before.len(), get(&fixture.docker, "shop.example.com", "/").1),
        (after.len(), "v2\n".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_release_is_taken_back() {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    let before = fixture.container_names().await;
    assert_eq!(fixture.engine.cancel(&name("shop"), "nobody"), None);
    // It never gets well, so it is still at its gate when it is cancelled.
    let sick = shop("v2").compose_file(
        "sick.yaml",
        "services: { web: { healthcheck: { test: [CMD, sleep, '60'], timeout: 90s } } }",
    );
    fixture.engine.deploy(input(&sick), "test").await.unwrap();
    begins(&fixture, "gate web").await;
    assert_eq!(fixture.engine.cancel(&name("shop"), "ada asked for it"), Some(ReleaseNumber::new(2)));
    let happened = events(&fixture.engine, &name("shop")).await;
    assert_eq!(ended(&happened), ReleaseState::Undone);
    assert!(format!("{happened:?}").contains("ada asked for it"), "{happened:?}");
    assert_eq!(fixture.container_names().await, before);
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v1\n".to_owned()));
}

/// Waits until the release that runs has begun this step.
async fn begins(fixture: &Fixture, wanted: &str) {
    let begun = async {
        loop {
            let watched = fixture.engine.watch(&name("shop"), None, 0).await.unwrap();
            let mut watched = Box::pin(watched);
            while let Some(event) = futures::StreamExt::next(&mut watched).await {
                if matches!(&event.unwrap().kind, EventKind::StepStarted { step } if step == wanted) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), begun).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_or_a_migration_that_hangs_is_cancelled() {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    let before = fixture.container_names().await;
    let own = include_str!("shop.yaml");
    let job = "x-tidegate:\n  jobs: { before: [{ service: web, command: [sleep, '1000'] }] }\n";
    let hanging = [
        ("job before 1", own.replacen("x-tidegate:\n", job, 1)),
        ("migrate", own.replacen("echo migrated", "sleep 1000; echo migrated", 1)),
    ];
    for (number, (step, compose)) in (2..).zip(hanging) {
        let app = App::new("shop", &compose).variable("VERSION", "v2");
        fixture.engine.deploy(input(&app), "test").await.unwrap();
        begins(&fixture, step).await;
        assert_eq!(fixture.engine.cancel(&name("shop"), "ada"), Some(ReleaseNumber::new(number)), "{step}");
        let cancelled = Instant::now();
        let happened = events(&fixture.engine, &name("shop")).await;
        assert_eq!(ended(&happened), ReleaseState::Undone, "{step}: {happened:?}");
        // Nobody waits for what does not listen.
        assert!(cancelled.elapsed() < Duration::from_secs(30), "{step} took {:?}", cancelled.elapsed());
        assert_eq!(fixture.container_names().await, before, "{step}");
    }
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v1\n".to_owned()));
}
