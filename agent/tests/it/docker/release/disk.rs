//! A disk that is short or full, on a daemon with a disk of its own: what goes, what is refused, and what is left.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use futures::StreamExt as _;
use tidegate_agent::{ingress::Edge, release::ReleaseState};
use tidegate_tests::docker::{Disk, LiveRestore, Options};

use super::{
    fixture::{App, Fixture, ended, undone},
    retention::{app, pushed, tags},
};

const MB: u64 = 1_000_000;
/// What a pull has to leave free.
const RESERVE: u64 = 512 * 1024 * 1024;

async fn fixture() -> Fixture {
    let options = Options { disk: Disk::Own { bytes: 4000 * MB }, ..Options::default() };
    Fixture::start_with(options, Edge::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_old_releases_go_before_a_pull_when_the_disk_is_short() {
    let fixture = fixture().await;
    let registry = fixture.docker.registry().await.unwrap();
    for tag in ["1", "2", "3", "4"] {
        let image = pushed(&fixture, &registry, (tag, 20)).await;
        assert_eq!(ended(&fixture.release(&app(&image, "releases: 9")).await), ReleaseState::Released);
    }
    let next = pushed(&fixture, &registry, ("5", 5)).await;
    // One of the old images is enough.
    fixture.docker.leave_on_disk(RESERVE - 4 * MB).unwrap();
    let plan = fixture.engine.plan(&super::fixture::input(&app(&next, "releases: 9"))).await.unwrap();
    let told =
        |note: &String| note.starts_with("the droplet's disk is short: images of old releases, up to 4");
    assert!(plan.notes.iter().any(told), "{:?}", plan.notes);
    let events = fixture.release(&app(&next, "releases: 9")).await;
    assert_eq!(ended(&events), ReleaseState::Released);
    assert_eq!(tags(&fixture).await, ["2", "3", "4", "5"]);
    let shown = format!("{events:?}");
    assert!(shown.contains("1 image; removed of old releases: 127.0.0.1:5000/made:1"), "{shown}");
    // What serves and the release to go back to stay, and then there is nothing left to remove.
    let more = pushed(&fixture, &registry, ("6", 1)).await;
    fixture.docker.leave_on_disk(RESERVE - 60 * MB).unwrap();
    let failure = fixture.refused(&app(&more, "releases: 9")).await.remove(0);
    assert_eq!(failure.what, "the droplet's disk is full");
    assert!(
        failure.cause.contains(&format!("on the disk of {}", fixture.docker.data().display())),
        "{failure:?}"
    );
    assert_eq!(tags(&fixture).await, ["2", "3", "4", "5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_would_fill_the_disk_is_ended_and_leaves_nothing() {
    let fixture = fixture().await;
    let registry = fixture.docker.registry().await.unwrap();
    let first = pushed(&fixture, &registry, ("1", 1)).await;
    assert_eq!(ended(&fixture.release(&app(&first, "releases: 5")).await), ReleaseState::Released);
    let before = fixture.inventory().await;
    let large = pushed(&fixture, &registry, ("2", 150)).await;
    fixture.docker.leave_on_disk(RESERVE + 40 * MB).unwrap();
    let failure = undone(&fixture.release(&app(&large, "releases: 5")).await);
    assert_eq!(failure.what, format!("the image {large} does not fit on the droplet's disk"));
    assert!(
        failure.cause.contains(&format!("on the disk of {}", fixture.docker.data().display())),
        "{failure:?}"
    );
    assert!(failure.hint.contains("docker system df"), "{failure:?}");
    assert_eq!((fixture.inventory().await, tags(&fixture).await), (before, vec!["1".to_owned()]));
    assert_eq!(fixture.exec("kept-web-1", &["true"]).await.0, 0);
}

/// An app that does nothing, and has to do so for so long.
fn sleeper(name: &str, version: &str, stable: &str) -> App {
    let service = format!(
        "services:
  web:
    image: probe:1
    environment: {{ VERSION: '{version}' }}
    command: [sleep, '1000']
    init: true
    x-tidegate: {{ gate: {{ stable: {stable} }} }}
"
    );
    App::new(name, &service)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_the_release_is_undone() {
    let fixture = fixture().await;
    let app = |version: &str| sleeper("full", version, "0s");
    fixture.release(&app("1")).await;
    let before = fixture.inventory().await;
    // Its image is here, so nothing has to be pulled and no reserve is asked for.
    fixture.docker.leave_on_disk(0).unwrap();
    let failure = undone(&fixture.release(&app("2")).await);
    println!("{failure:#?}");
    assert!(failure.what.ends_with(": the disk of Docker is full"), "{failure:?}");
    assert!(failure.cause.contains("no space left on device"), "{failure:?}");
    assert!(failure.hint.contains("docker system df"), "{failure:?}");
    assert_eq!(fixture.inventory().await, before);
    fixture.docker.leave_on_disk(1000 * MB).unwrap();
    assert_eq!(fixture.exec("full-web-1", &["true"]).await.0, 0);
    assert_eq!(ended(&fixture.release(&app("2")).await), ReleaseState::Released);
}

/// Docker starts a container also where it cannot write that down: it would list it as stopped for ever, and leave it so
/// when it is started again itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_again_after_a_full_disk_is_known_to_run() {
    let options =
        Options { disk: Disk::Own { bytes: 4000 * MB }, live_restore: LiveRestore::On, ..Options::default() };
    let mut fixture = Fixture::start_with(options, Edge::default()).await;
    let app = |command: &str| {
        let service = format!(
            "services:
  poller:
    image: probe:1
    command: {command}
    init: true
    restart: unless-stopped
    x-tidegate: {{ strategy: recreate, gate: {{ stable: 300ms }} }}
"
        );
        App::new("books", &service)
    };
    assert_eq!(ended(&fixture.release(&app("[sleep, '1000']")).await), ReleaseState::Released);
    let old = fixture.engine.containers(&super::fixture::name("books"), None).await.unwrap().remove(0);
    let ends_at_once = app("[sh, -c, 'exit 3']");
    let (events, ()) = tokio::join!(fixture.release(&ends_at_once), full_while_it_starts(&fixture, &old.id));
    assert!(undone(&events).what.contains("did not pass its gate"));
    assert!(fixture.docker.log().contains("failed to store container"), "the disk was not full in time");
    assert_eq!(listed(&fixture, &old.id).await, "running");
    // As after a loss of power.
    let process = fixture.docker.client().inspect_container(&old.id, None).await.unwrap();
    let process = process.state.and_then(|state| state.pid).and_then(|pid| i32::try_from(pid).ok());
    let process = process.and_then(rustix::process::Pid::from_raw).unwrap();
    fixture.docker.kill_daemon().unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    fixture.docker.start_daemon().await.unwrap();
    let began = Instant::now();
    while listed(&fixture, &old.id).await != "running" {
        assert!(began.elapsed().as_secs() < 30, "{}", listed(&fixture, &old.id).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Fills Docker's disk when a container joins its network, which is before its process starts, for some seconds.
async fn full_while_it_starts(fixture: &Fixture, container: &str) {
    let filters = HashMap::from([("type", vec!["network"]), ("event", vec!["connect"])]);
    let options = EventsOptionsBuilder::default().filters(&filters).build();
    let mut events = fixture.docker.client().events(Some(options));
    let joins = async {
        while let Some(event) = events.next().await {
            let attributes = event.unwrap().actor.and_then(|actor| actor.attributes).unwrap_or_default();
            if attributes.get("container").is_some_and(|joined| joined == container) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), joins).await.unwrap();
    fixture.docker.leave_on_disk(0).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    fixture.docker.leave_on_disk(1000 * MB).unwrap();
}

/// What Docker's list says of a container.
async fn listed(fixture: &Fixture, id: &str) -> String {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let all = fixture.docker.client().list_containers(Some(options)).await.unwrap();
    let found = all.into_iter().find(|container| container.id.as_deref() == Some(id)).unwrap();
    found.state.unwrap().to_string()
}

/// Where not even the agent's own journal can be written a release stands still, and goes on when there is room: nobody has
/// to start the agent again for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_cannot_be_written_down_waits_for_room() {
    let fixture = Fixture::as_on_a_droplet(4000 * MB, &[]).await;
    let app = |version: &str| sleeper("still", version, "3s");
    assert_eq!(ended(&fixture.release(&app("1")).await), ReleaseState::Released);
    let release = fixture.engine.deploy(super::fixture::input(&app("2")), "test").await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Whatever is given up is taken by others.
    let filled = Instant::now();
    while filled.elapsed() < Duration::from_secs(8) {
        fixture.docker.leave_on_disk(0).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let row = fixture.engine.releases(&release.app).await.unwrap().remove(0);
    assert_eq!((row.number, row.state), (release.release, ReleaseState::Running));
    let again = fixture.engine.deploy(super::fixture::input(&app("3")), "test").await.unwrap_err();
    assert!(again.to_string().contains("under way"), "{again}");
    fixture.docker.resize_disk(4000 * MB).unwrap();
    let state = ended(&super::fixture::events(&fixture.engine, &release.app).await);
    assert!(matches!(state, ReleaseState::Released | ReleaseState::Undone), "{state:?}");
    assert_eq!(ended(&fixture.release(&app("3")).await), ReleaseState::Released);
}
