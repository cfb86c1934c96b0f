//! The example product as it is in the repository, on its real images.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bollard::query_parameters::TagImageOptionsBuilder;
use tidegate_agent::release::{EventKind, ReleaseState, Volumes};
use tidegate_tests::docker::Image;

use super::fixture::{self, App, Fixture, get, requests_until};

fn shop(registry: &str) -> App {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deployment/example"));
    let read = |name: &str| fs_err::read_to_string(folder.join(name)).unwrap();
    App::new("shop", &read("compose.yaml"))
        .compose_file("compose.production.yaml", &read("compose.production.yaml"))
        .file("redis.conf", &read("redis.conf"))
        .variable("REGISTRY", registry)
        .variable("SHOP_TLS", "off")
        .variable("POSTGRES_PASSWORD", "a-secret-of-the-test")
}

/// Back to the first release, under requests to the host that both have; how long that took, and how many were answered
/// with which status.
fn rolled_back(fixture: &Fixture) -> (Duration, BTreeMap<u16, usize>) {
    let stop = AtomicBool::new(false);
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let load = scope.spawn(|| requests_until(&fixture.docker, "shop.test", &stop));
            let begun = Instant::now();
            let app = fixture::name("shop");
            handle.block_on(fixture.engine.rollback(&app, (None, String::new()), "test")).unwrap();
            let events = handle.block_on(fixture::events(&fixture.engine, &app));
            let took = begun.elapsed();
            assert_eq!(fixture::ended(&events), ReleaseState::Released, "{events:?}");
            stop.store(true, Ordering::SeqCst);
            let mut counts = BTreeMap::new();
            for (status, _) in load.join().unwrap() {
                *counts.entry(status).or_default() += 1;
            }
            (took, counts)
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_released_twice_and_keeps_its_data() {
    let fixture = Fixture::start().await;
    let registry = fixture.docker.registry().await.unwrap();
    for image in [Image::Postgres, Image::Redis, Image::ShopWeb] {
        let tag = fixture.docker.load(image).await.unwrap();
        if image == Image::ShopWeb {
            registry.push(&fixture.docker, &tag).await.unwrap();
            let next = TagImageOptionsBuilder::default().repo("shop/web").tag("next").build();
            fixture.docker.client().tag_image(&tag, Some(next)).await.unwrap();
            registry.push(&fixture.docker, "shop/web:next").await.unwrap();
        }
    }
    let mut released_in = Duration::ZERO;
    for tag in ["dev", "next"] {
        let app = shop(registry.prefix()).variable("TAG", tag).variable("SHOP_HOST", "shop.test");
        let events = fixture.release(&app).await;
        let EventKind::Finished { state, interruptions, took, .. } = &events.last().unwrap().kind else {
            panic!()
        };
        assert_eq!(*state, ReleaseState::Released);
        released_in = *took;
        assert!(interruptions.iter().all(|i| i.interrupted.as_secs() < 30), "{interruptions:?}");
        let (status, body) = get(&fixture.docker, "shop.test", "/health");
        assert_eq!(status, 200, "{body}");
        println!("{body}");
    }
    // Alone on a quiet machine (a long run) it has to be quick; beside other tests it is compared with the release it takes back.
    let is_long = std::env::var_os("TIDEGATE_LONG").is_some();
    let most = if is_long { Duration::from_secs(15) } else { released_in };
    let (took, answers) = rolled_back(&fixture);
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [200], "{answers:?}");
    println!("back in {took:?} under {answers:?} requests");
    assert!(took <= most, "{took:?}, and not more than {most:?}");
    let database = rusqlite::Connection::open(fixture.state().join("agent.db")).unwrap();
    for (table, column) in [("journal", "record"), ("release_event", "event")] {
        let query = format!("SELECT count(*) FROM {table} WHERE instr({column}, 'a-secret-of-the-test')");
        let count: i64 = database.query_row(&query, (), |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{table}");
    }
    fixture.engine.remove(&fixture::name("shop"), Volumes::Remove, "test").await.unwrap();
    assert_eq!(fixture.container_names().await, ["tidegate-ingress"]);
}
