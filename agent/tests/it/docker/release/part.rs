//! A droplet that runs a part of the app: the others of it are as if the file did not have them.

use tidegate_agent::{
    apps::ReleaseNumber,
    release::{DeployInput, MigrationHere, Part, ReleaseState},
};

use super::fixture::{App, Fixture, ended, events, get, input, name};

const SHOP: &str = "
x-tidegate:
  migrate: { service: web, command: [sh, -c, 'echo migrated'], kind: compatible }
services:
  web:
    image: probe:1
    init: true
    command: [sh, -c, 'mkdir -p /www && echo here >/www/index.html && exec httpd -f -p 8000 -h /www']
    depends_on: { db: { condition: service_started, required: false } }
    x-tidegate: { ingress: { host: shop.example.com, port: 8000, tls: off }, gate: { stable: 1s } }
  poller:
    image: probe:1
    init: true
    command: [sleep, '1000']
    networks: [back]
    x-tidegate: { gate: { stable: 1s }, place: one }
  db:
    image: probe:1
    init: true
    command: [sleep, '1000']
    volumes: ['data:/data']
    networks: [back]
    x-tidegate: { gate: { stable: 1s } }
networks: { back: {} }
volumes: { data: {} }
";

fn part(elsewhere: &[&str], migration: MigrationHere) -> DeployInput {
    let elsewhere = elsewhere.iter().map(|service| (*service).to_owned()).collect();
    DeployInput { part: Part { elsewhere, migration }, ..input(&App::new("shop", SHOP)) }
}

/// The steps that a release took.
fn steps(events: &[tidegate_agent::release::ReleaseEvent]) -> Vec<String> {
    let started = events.iter().filter_map(|event| match &event.kind {
        tidegate_agent::release::EventKind::StepStarted { step } => Some(step.clone()),
        _ => None,
    });
    started.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_of_other_droplets_go_and_come_back_and_the_data_stays() {
    let fixture = Fixture::start().await;
    let first = fixture.release_input(part(&[], MigrationHere::Run)).await;
    assert!(steps(&first).contains(&"migrate".to_owned()), "{first:?}");
    let web = fixture.engine.containers(&name("shop"), Some("web")).await.unwrap();
    assert_eq!(fixture.exec("shop-db-1", &["sh", "-c", "echo kept >/data/file"]).await.0, 0);

    let apart = part(&["db", "poller"], MigrationHere::Elsewhere);
    let plan = fixture.engine.plan(&apart).await.unwrap();
    println!("{:#?}", (plan.changes(), &plan.notes));
    assert!(plan.notes.contains(&"on other droplets (`place`): db, poller".to_owned()), "{:?}", plan.notes);
    let second = fixture.release_input(apart).await;
    assert_eq!(ended(&second), ReleaseState::Released);
    assert!(!steps(&second).contains(&"migrate".to_owned()), "{second:?}");
    assert_eq!(fixture.container_names().await, ["shop-web-1", "tidegate-ingress"]);
    let now = fixture.engine.containers(&name("shop"), Some("web")).await.unwrap();
    assert_eq!(now[0].id, web[0].id, "the hash of what stays is what it was");
    assert!(fixture.inventory().await.contains(&"volume shop_data".to_owned()));
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "here\n".to_owned()));
    // The part is the release's: it is kept, and the same once more has nothing to do.
    let kept = DeployInput::read(&fixture.state().join("releases/shop/2")).unwrap();
    assert_eq!(kept.part, part(&["db", "poller"], MigrationHere::Elsewhere).part);
    let again = fixture.engine.plan(&part(&["db", "poller"], MigrationHere::Elsewhere)).await.unwrap();
    assert!(!again.touches_containers(), "{:?}", again.changes());

    // Going back to the first one brings its part back.
    fixture.engine.rollback(&name("shop"), Some(ReleaseNumber::new(1)), "test").await.unwrap();
    assert_eq!(ended(&events(&fixture.engine, &name("shop")).await), ReleaseState::Released);
    let names = fixture.container_names().await;
    assert_eq!(names, ["shop-db-1", "shop-poller-1", "shop-web-1", "tidegate-ingress"]);
    assert_eq!(fixture.exec("shop-db-1", &["cat", "/data/file"]).await, (0, "kept\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_release_makes_nothing_of_what_is_elsewhere() {
    let fixture = Fixture::start().await;
    let events = fixture.release_input(part(&["db", "poller"], MigrationHere::Elsewhere)).await;
    assert_eq!(ended(&events), ReleaseState::Released);
    let inventory = fixture.inventory().await;
    assert!(!inventory.iter().any(|thing| thing.contains("data") || thing.contains("back")), "{inventory:?}");
    assert_eq!(fixture.container_names().await, ["shop-web-1", "tidegate-ingress"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_without_the_other_is_refused_with_its_place() {
    let fixture = Fixture::start().await;
    let before = fixture.inventory().await;
    let needs = SHOP.replace("required: false", "required: true");
    let app =
        DeployInput { part: part(&["db"], MigrationHere::Run).part, ..input(&App::new("shop", &needs)) };
    let failures = fixture.refused_input(app).await;
    assert_eq!(failures.len(), 1, "{failures:#?}");
    assert_eq!(failures[0].what, "service web needs db, which does not run on this droplet");
    assert_eq!(failures[0].place, "compose.yaml:9:19");
    assert!(failures[0].hint.contains("required: false"), "{failures:#?}");
    assert_eq!(fixture.inventory().await, before);
}
