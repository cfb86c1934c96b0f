//! A network whose definition changed: refused, or made anew with everything on it; taken back with all that stopped.

use bollard::{models::ContainerCreateBody, query_parameters::CreateContainerOptionsBuilder};
use tidegate_agent::release::{ChangeKind, DeployInput, Interrupt, ReleaseState};

use super::fixture::{App, Fixture, ended, get, input, name, undone};

/// A site that asks its database by name, one service on another network, and one that is gone later.
fn app(version: &str, networks: &str) -> App {
    let compose = format!(
        "services:
  web:
    image: probe:1
    init: true
    environment: {{ VERSION: {version} }}
    command: [sh, -c, 'mkdir -p /www && echo $$VERSION >/www/index.html && exec httpd -f -p 8000 -h /www']
    healthcheck: {{ test: [CMD, sh, -c, 'wget -qO- http://127.0.0.1:8000/ && test $$VERSION != sick'], interval: 1s, retries: 2 }}
    depends_on: [db]
    x-tidegate: {{ ingress: {{ host: shop.example.com, port: 8000, tls: off }}, gate: {{ stable: 1s, timeout: 20s }} }}
  db:
    image: probe:1
    init: true
    command: [sleep, '1000']
    volumes: ['data:/data']
    x-tidegate: {{ gate: {{ stable: 1s }} }}
  apart:
    image: probe:1
    init: true
    command: [sleep, '1000']
    networks: [other]
    x-tidegate: {{ gate: {{ stable: 1s }} }}
networks:
  other: {{}}
  default: {{ {networks} }}
volumes: {{ data: {{}} }}
"
    );
    App::new("shop", &compose)
}

const BEFORE: &str = "ipam: { config: [{ subnet: 10.201.1.0/24 }] }";
const AFTER: &str = "ipam: { config: [{ subnet: 10.201.2.0/24 }] }";

fn allowed(app: &App) -> DeployInput {
    DeployInput { interrupt: Interrupt::Allowed, ..input(app) }
}

async fn subnet(fixture: &Fixture) -> String {
    let networks =
        fixture.docker.client().list_networks(None::<bollard::query_parameters::ListNetworksOptions>);
    let networks = networks.await.unwrap();
    let own: Vec<_> =
        networks.into_iter().filter(|network| network.name.as_deref() == Some("shop_default")).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    own[0].ipam.clone().unwrap().config.unwrap()[0].subnet.clone().unwrap()
}

/// Names, ids and whether they run, of all containers of the app.
async fn containers(fixture: &Fixture) -> Vec<(String, String, bool)> {
    let found = fixture.engine.containers(&name("shop"), None).await.unwrap();
    found.into_iter().map(|one| (one.name.clone(), one.id.clone(), one.is_running())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_network_needs_a_word_and_takes_everything_on_it_along() {
    let fixture = Fixture::start().await;
    fixture.release(&app("v1", BEFORE)).await;
    let (before, old) = (fixture.inventory().await, containers(&fixture).await);
    let failure = fixture.refused(&app("v1", AFTER)).await.remove(0);
    assert_eq!(failure.what, "the definition of network shop_default changed");
    assert!(failure.cause.ends_with("every container on it with it (db, web)"), "{failure:?}");
    assert!(failure.hint.starts_with("`--interrupt` agrees that db, web stop together"), "{failure:?}");
    assert!(failure.place.starts_with("compose.yaml:"), "{failure:?}");
    assert_eq!((fixture.inventory().await, containers(&fixture).await), (before, old.clone()));

    let plan = fixture.engine.plan(&allowed(&app("v1", AFTER))).await.unwrap();
    let network = plan.changes().into_iter().find(|change| change.object == "network default").unwrap();
    assert_eq!(network.kind, ChangeKind::Recreate);
    assert_eq!(network.reason, "its definition changed; db, web stop together for it");
    assert_eq!(fixture.exec("shop-db-1", &["sh", "-c", "echo kept >/data/file"]).await.0, 0);
    assert_eq!(ended(&fixture.release_input(allowed(&app("v1", AFTER))).await), ReleaseState::Released);
    assert_eq!(subnet(&fixture).await, "10.201.2.0/24");
    let new = containers(&fixture).await;
    assert_eq!(
        new.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(),
        ["shop-apart-1", "shop-db-2", "shop-web-2"]
    );
    assert_eq!(new[0], old[0], "what is on another network stays");
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v1\n".to_owned()));
    let (code, page) = fixture.exec("shop-db-2", &["wget", "-qO-", "http://web:8000/"]).await;
    assert_eq!((code, page.as_str()), (0, "v1\n"));
    assert_eq!(fixture.exec("shop-db-2", &["cat", "/data/file"]).await, (0, "kept\n".to_owned()));
    // Nothing is left to do.
    let plan = fixture.engine.plan(&input(&app("v1", AFTER))).await.unwrap();
    assert!(!plan.touches_containers(), "{:?}", plan.changes());
    // Back over the change needs the word again.
    let refused = fixture.engine.plan_rollback(&name("shop"), None).await.unwrap_err();
    assert!(format!("{refused:?}").contains("the definition of network shop_default changed"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_on_its_new_network_brings_the_old_one_back() {
    let fixture = Fixture::start().await;
    fixture.release(&app("v1", BEFORE)).await;
    let (before, old) = (fixture.inventory().await, containers(&fixture).await);
    let failure = undone(&fixture.release_input(allowed(&app("sick", AFTER))).await);
    assert_eq!(failure.what, "service web did not pass its gate");
    assert_eq!((fixture.inventory().await, containers(&fixture).await), (before, old));
    assert_eq!(subnet(&fixture).await, "10.201.1.0/24");
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v1\n".to_owned()));
    let (code, page) = fixture.exec("shop-db-1", &["wget", "-qO-", "http://web:8000/"]).await;
    assert_eq!((code, page.as_str()), (0, "v1\n"));
    // The same plan once more, and well.
    assert_eq!(ended(&fixture.release_input(allowed(&app("v2", AFTER))).await), ReleaseState::Released);
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v2\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_on_the_network_is_named_before_anything_stops() {
    let fixture = Fixture::start().await;
    fixture.release(&app("v1", BEFORE)).await;
    let client = fixture.docker.client();
    let host =
        bollard::models::HostConfig { network_mode: Some("shop_default".to_owned()), ..Default::default() };
    let body = ContainerCreateBody {
        image: Some("probe:1".to_owned()),
        cmd: Some(vec!["sleep".to_owned(), "1000".to_owned()]),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default().name("stranger").build();
    client.create_container(Some(options), body).await.unwrap();
    client
        .start_container("stranger", None::<bollard::query_parameters::StartContainerOptions>)
        .await
        .unwrap();
    let started = async || {
        let web = client
            .inspect_container("shop-web-1", None::<bollard::query_parameters::InspectContainerOptions>);
        web.await.unwrap().state.unwrap().started_at
    };
    let (before, since) = (fixture.inventory().await, started().await);
    let failure = undone(&fixture.release_input(allowed(&app("v1", AFTER))).await);
    assert_eq!(failure.what, "the network shop_default cannot be made anew");
    assert_eq!(failure.cause, "stranger is on it and is not replaced by this release");
    assert_eq!((fixture.inventory().await, started().await), (before, since));
}
