//! What a plan changes and what it leaves alone, on real containers.

use tidegate_agent::release::{Change, ChangeKind};

use super::fixture::{App, Fixture, input};

fn app(scale: u32, rest: &str) -> App {
    let compose = format!(
        "services:
  web:
    image: probe:1
    command: [sleep, '1000']
    init: true
    scale: {scale}
    volumes: ['data:/data']
    x-tidegate: {{ gate: {{ stable: 0s }} }}
{rest}"
    );
    App::new("plan", &compose)
}

const VOLUME: &str = "volumes: { data: {} }\n";

async fn changes(fixture: &Fixture, app: &App) -> Vec<Change> {
    let plan = fixture.engine.plan(&input(app)).await.unwrap();
    plan.changes().into_iter().filter(|change| change.object != "image probe:1").collect()
}

/// Names and ids of all containers.
async fn containers(fixture: &Fixture) -> Vec<(String, String)> {
    let found = fixture.engine.containers(&super::fixture::name("plan"), None).await.unwrap();
    found.into_iter().map(|container| (container.name, container.id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_leaves_the_containers_alone_that_are_there() {
    let fixture = Fixture::start().await;
    fixture.release(&app(1, VOLUME)).await;
    let one = containers(&fixture).await;
    fixture.release(&app(3, VOLUME)).await;
    let three = containers(&fixture).await;
    assert_eq!(
        three.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["plan-web-1", "plan-web-2", "plan-web-3"]
    );
    assert_eq!(three[0], one[0]);
    let planned = changes(&fixture, &app(1, VOLUME)).await;
    let web = planned.iter().find(|change| change.object == "service web").unwrap();
    assert_eq!((web.kind, web.reason.as_str()), (ChangeKind::Remove, "it has 3 containers instead of 1"));
    fixture.release(&app(1, VOLUME)).await;
    assert_eq!(containers(&fixture).await, one);

    // One that somebody stopped is started again, and is the same.
    fixture
        .docker
        .client()
        .stop_container("plan-web-1", None::<bollard::query_parameters::StopContainerOptions>)
        .await
        .unwrap();
    fixture.release(&app(1, VOLUME)).await;
    assert_eq!(containers(&fixture).await, one);
    assert_eq!(fixture.exec("plan-web-1", &["true"]).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_the_fields_and_keeps_the_data() {
    let fixture = Fixture::start().await;
    fixture.release(&app(1, &format!("    environment: {{ A: first-value }}\n{VOLUME}"))).await;
    assert_eq!(fixture.exec("plan-web-1", &["sh", "-c", "echo kept >/data/file"]).await.0, 0);
    let next = "    environment: { A: second-value, B: '1' }\n    labels: { x: y }\n\
                volumes: { data: { labels: { changed: 'yes' } } }\n";
    let planned = changes(&fixture, &app(1, next)).await;
    println!("{planned:#?}");
    let of = |object: &str| planned.iter().find(|change| change.object == object).unwrap();
    let web = of("service web");
    assert_eq!(web.kind, ChangeKind::Recreate);
    assert!(
        web.reason.starts_with("its definition changed: environment.A, environment.B, labels.x; "),
        "{web:?}"
    );
    let volume = of("volume data");
    assert_eq!(volume.kind, ChangeKind::Keep);
    assert!(volume.reason.starts_with("its definition changed, but"), "{volume:?}");
    fixture.release(&app(1, next)).await;
    assert_eq!(fixture.exec("plan-web-2", &["cat", "/data/file"]).await, (0, "kept\n".to_owned()));
}
