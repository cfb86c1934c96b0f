//! What comes back by itself: containers that vanished, and those that ended with the droplet; what somebody stopped does not.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bollard::query_parameters::{
    InspectContainerOptions, RemoveContainerOptionsBuilder, RemoveVolumeOptions, StopContainerOptionsBuilder,
};
use jiff::Timestamp;
use tidegate_agent::{
    audit::{self, AuditLog},
    clock::{Clock as _, SystemClock},
    comeback::{self, AppBack, AppStands, By, Comeback, ComebackSettings, Stands},
    release::{Engine, How, ReleaseState},
    store::{Database, DatabaseSettings},
};

use super::release::fixture::{App, Fixture, ended, get};

const COMPOSE: &str = r"
x-tidegate: { drain: 1s }
services:
  web:
    image: probe:1
    scale: 2
    init: true
    restart: unless-stopped
    depends_on: { db: { condition: service_healthy } }
    command: [sh, -c, 'mkdir -p /tmp/www; echo here >/tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www']
    x-tidegate: { ingress: { port: 8000 }, gate: { stable: 0s, timeout: 30s } }
  db:
    image: probe:1
    init: true
    volumes: [data:/data]
    command: [sh, -c, 'echo x >>/data/starts; exec sleep 1000']
    healthcheck: { test: [CMD, test, -s, /data/starts], interval: 500ms, retries: 9 }
    x-tidegate: { gate: { stable: 0s } }
  worker: { image: 'probe:1', init: true, command: [sleep, '1000'], x-tidegate: { gate: { stable: 0s } } }
  cron: { image: 'probe:1', init: true, restart: unless-stopped, command: [sleep, '1000'], x-tidegate: { gate: { stable: 0s } } }
  late: { image: 'probe:1', init: true, command: [sleep, '1000'], x-tidegate: { gate: { stable: 0s } } }
volumes: { data: {} }
";

/// A start of the droplet that the kernel tells.
fn boot(directory: &Path, id: &str, at: Timestamp) {
    fs_err::create_dir_all(directory.join("sys/kernel/random")).unwrap();
    fs_err::write(directory.join("sys/kernel/random/boot_id"), format!("{id}\n")).unwrap();
    fs_err::write(directory.join("stat"), format!("cpu 1 2\nbtime {}\n", at.as_second())).unwrap();
}

/// The agent is started: what came back, when all is seen.
async fn comes_back(fixture: &Fixture, engine: Engine) -> AppBack {
    let file = fixture.state().join("comeback.db");
    let migrations = [audit::MIGRATIONS, comeback::MIGRATIONS].concat();
    let database = Database::open(&file, &migrations, DatabaseSettings::default()).unwrap();
    let audit = AuditLog::new(database.clone(), Arc::new(SystemClock));
    let settings = ComebackSettings { proc: fixture.state().join("proc"), patience: Duration::from_mins(1) };
    let comeback = Comeback::new((engine, audit), database, Arc::new(SystemClock), settings);
    comeback.run().await;
    let told = comeback.after_boot().await.unwrap();
    for one in told.apps.iter().flat_map(|app| &app.containers) {
        println!("{} {}: {:?} by {:?}: {}", SystemClock.now(), one.name, one.stands, one.by, one.why);
    }
    assert!(told.agent_at.is_some());
    told.apps.into_iter().next().unwrap()
}

fn told(back: &AppBack) -> BTreeMap<&str, (Stands, By)> {
    back.containers.iter().map(|one| (one.name.as_str(), (one.stands, one.by))).collect()
}

async fn remove(fixture: &Fixture, container: &str) {
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    fixture.docker.client().remove_container(container, Some(force)).await.unwrap();
}

async fn stop(fixture: &Fixture, container: &str) {
    let soon = StopContainerOptionsBuilder::default().t(2).build();
    fixture.docker.client().stop_container(container, Some(soon)).await.unwrap();
}

/// Everything about a container that its definition decides.
async fn definition(fixture: &Fixture, container: &str) -> String {
    let found = fixture.docker.client().inspect_container(container, None::<InspectContainerOptions>).await;
    let found = found.unwrap();
    let config = bollard::models::ContainerConfig { hostname: None, ..found.config.unwrap() };
    let labels: BTreeMap<_, _> = config.labels.clone().unwrap().into_iter().collect();
    let host = found.host_config.unwrap();
    let networks = found.network_settings.unwrap().networks.unwrap();
    let addresses: BTreeMap<_, _> =
        networks.into_iter().map(|(name, endpoint)| (name, endpoint.ipam_config)).collect();
    format!(
        "{:?} {:?} {labels:?} {:?} {:?} {addresses:?}",
        config.cmd, config.env, host.restart_policy, host.binds
    )
}

async fn runs(fixture: &Fixture, container: &str) -> bool {
    let found = fixture.docker.client().inspect_container(container, None::<InspectContainerOptions>).await;
    found.is_ok_and(|found| found.state.is_some_and(|state| state.running == Some(true)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanished_is_made_again_and_what_somebody_stopped_is_left_alone() {
    let mut fixture = Fixture::start().await;
    let proc = fixture.state().join("proc");
    let started = SystemClock.now();
    boot(&proc, "first", started);
    assert_eq!(ended(&fixture.release(&App::new("back", COMPOSE)).await), ReleaseState::Released);

    vanished(&fixture).await;
    fixture = lost_power(fixture, &proc).await;
    stands_still(&fixture, &proc).await;
    without_its_volume(&fixture).await;
}

/// While the agent was away somebody removed containers and stopped one.
async fn vanished(fixture: &Fixture) {
    let before = [definition(fixture, "back-web-1").await, definition(fixture, "back-db-1").await];
    remove(fixture, "back-web-1").await;
    remove(fixture, "back-db-1").await;
    stop(fixture, "back-cron-1").await;
    let back = comes_back(fixture, fixture.restarted()).await;
    assert_eq!(
        told(&back),
        BTreeMap::from([
            ("back-cron-1", (Stands::Stopped, By::Docker)),
            ("back-db-1", (Stands::Back, By::MadeAgain)),
            ("back-late-1", (Stands::Back, By::Docker)),
            ("back-web-1", (Stands::Back, By::MadeAgain)),
            ("back-web-2", (Stands::Back, By::Docker)),
            ("back-worker-1", (Stands::Back, By::Docker)),
        ])
    );
    assert_eq!(back.stands(), AppStands::Back);
    let after = [definition(fixture, "back-web-1").await, definition(fixture, "back-db-1").await];
    assert_eq!(after, before, "they are made as they were");
    assert!(!runs(fixture, "back-cron-1").await);
    assert_eq!(fixture.exec("back-db-1", &["cat", "/data/starts"]).await.1, "x\nx\n", "its data stays");
    assert!((0..10).all(|_| get(&fixture.docker, "any.test", "/") == (200, "here\n".to_owned())));
    // Nothing is left to do for a release.
    let plan =
        fixture.engine.plan(&super::release::fixture::input(&App::new("back", COMPOSE))).await.unwrap();
    let changed: Vec<_> = plan.services.iter().filter(|one| one.reason != "nothing changed").collect();
    assert_eq!(changed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["cron"], "{changed:#?}");
}

/// The droplet loses its power after somebody stopped one more container.
async fn lost_power(mut fixture: Fixture, proc: &Path) -> Fixture {
    stop(&fixture, "back-late-1").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture.docker.kill_daemon().unwrap();
    boot(proc, "second", SystemClock.now());
    fixture.docker.start_daemon().await.unwrap();
    let back = comes_back(&fixture, fixture.restarted()).await;
    // Docker 20.10 leaves those down that it may start, later ones do not.
    let either = |(stands, by)| {
        if by == By::Docker && stands == Stands::Back { (stands, By::Started) } else { (stands, by) }
    };
    let told: BTreeMap<_, _> = told(&back).into_iter().map(|(name, is)| (name, either(is))).collect();
    assert_eq!(
        told,
        BTreeMap::from([
            ("back-cron-1", (Stands::Stopped, By::Docker)),
            ("back-db-1", (Stands::Back, By::Started)),
            ("back-late-1", (Stands::Stopped, By::Docker)),
            ("back-web-1", (Stands::Back, By::Started)),
            ("back-web-2", (Stands::Back, By::Started)),
            ("back-worker-1", (Stands::Back, By::Started)),
        ])
    );
    assert!(back.back_since().is_some());
    assert!(!runs(&fixture, "back-late-1").await && !runs(&fixture, "back-cron-1").await);
    // Started once more after the same start of the droplet, the agent has nothing to do and remembers the same.
    assert_eq!(comes_back(&fixture, fixture.restarted()).await, back);
    stop(&fixture, "back-worker-1").await;
    assert_eq!(comes_back(&fixture, fixture.restarted()).await, back);
    assert!(!runs(&fixture, "back-worker-1").await, "somebody stopped it since");
    fixture
}

/// Stopped as a whole it stays so, whatever is started, until somebody starts it or releases it.
async fn stands_still(fixture: &Fixture, proc: &Path) {
    let app = super::release::fixture::name("back");
    let before = definition(fixture, "back-web-1").await;
    let stopped = fixture.engine.stop_app(&app, "local:root").await.unwrap();
    assert_eq!(stopped, ["back-web-1", "back-web-2", "back-db-1"], "what others depend on stops last");
    assert!(fixture.engine.stop_app(&app, "local:root").await.unwrap().is_empty(), "it is stopped already");
    boot(proc, "third", SystemClock.now());
    let back = comes_back(fixture, fixture.restarted()).await;
    assert_eq!((back.stands(), back.containers.len()), (AppStands::Stopped, 0));
    assert!(!definition(fixture, "back-web-1").await.contains("UNLESS_STOPPED"), "Docker would start it");

    let mut brought = Vec::new();
    for one in fixture.engine.start_app(&app, "local:root").await.unwrap() {
        assert_eq!((one.how, one.failure), (How::Started, None));
        brought.push(one.container);
    }
    assert_eq!(brought, ["back-db-1", "back-web-1", "back-web-2"], "what others depend on starts first");
    assert_eq!(definition(fixture, "back-web-1").await, before);
    assert!(fixture.engine.stopped(&app).await.unwrap().is_none());
    assert!(fixture.engine.start_app(&app, "local:root").await.unwrap().is_empty());
    assert!(!runs(fixture, "back-cron-1").await, "somebody had stopped it before");

    fixture.engine.stop_app(&app, "local:root").await.unwrap();
    assert_eq!(ended(&fixture.release(&App::new("back", COMPOSE)).await), ReleaseState::Released);
    for service in ["web-1", "web-2", "db-1", "worker-1", "cron-1", "late-1"] {
        assert!(runs(fixture, &format!("back-{service}")).await, "{service}");
    }
    assert!(fixture.engine.stopped(&app).await.unwrap().is_none());
    assert_eq!(definition(fixture, "back-web-1").await, before);
}

/// A database is not made again without its data.
async fn without_its_volume(fixture: &Fixture) {
    remove(fixture, "back-db-1").await;
    fixture.docker.client().remove_volume("back_data", None::<RemoveVolumeOptions>).await.unwrap();
    let back = comes_back(fixture, fixture.restarted()).await;
    let db = back.containers.iter().find(|one| one.name == "back-db-1").unwrap();
    assert_eq!((db.stands, back.stands()), (Stands::NotBack, AppStands::NotBack));
    assert!(db.why.contains("volume back_data is gone"), "{db:?}");
    assert!(
        !fixture.inventory().await.iter().any(|one| one.contains("back_data") || one.contains("back-db-1"))
    );
}
