//! A disk that is short or full, on a daemon with a disk of its own: what goes, what is refused, and what is left.

use tidegate_agent::{ingress::Edge, release::ReleaseState};
use tidegate_tests::docker::{Disk, Options};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_the_release_is_undone() {
    let fixture = fixture().await;
    let app = |version: &str| {
        let service = format!(
            "services:
  web:
    image: probe:1
    environment: {{ VERSION: '{version}' }}
    command: [sleep, '1000']
    init: true
    x-tidegate: {{ gate: {{ stable: 0s }} }}
"
        );
        App::new("full", &service)
    };
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
