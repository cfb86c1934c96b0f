//! The example product as it is in the repository, on its real images.

use std::path::Path;

use tidegate_agent::release::{EventKind, ReleaseState, Volumes};
use tidegate_tests::docker::Image;

use super::fixture::{self, App, Fixture, get};

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

#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_released_twice_and_keeps_its_data() {
    let fixture = Fixture::start().await;
    let registry = fixture.docker.registry().await.unwrap();
    for image in [Image::Postgres, Image::Redis, Image::ShopWeb] {
        let tag = fixture.docker.load(image).await.unwrap();
        if image == Image::ShopWeb {
            registry.push(&fixture.docker, &tag).await.unwrap();
        }
    }
    for (tag, number) in [("dev", 1), ("dev", 2)] {
        let app =
            shop(registry.prefix()).variable("TAG", tag).variable("SHOP_HOST", &format!("shop{number}.test"));
        let events = fixture.release(&app).await;
        let EventKind::Finished { state, interruptions, .. } = &events.last().unwrap().kind else { panic!() };
        assert_eq!(*state, ReleaseState::Released);
        assert!(interruptions.iter().all(|i| i.interrupted.as_secs() < 30), "{interruptions:?}");
        let (status, body) = get(&fixture.docker, &format!("shop{number}.test"), "/health");
        assert_eq!(status, 200, "{body}");
        println!("{body}");
    }
    let database = rusqlite::Connection::open(fixture.state().join("agent.db")).unwrap();
    for (table, column) in [("journal", "record"), ("release_event", "event")] {
        let query = format!("SELECT count(*) FROM {table} WHERE instr({column}, 'a-secret-of-the-test')");
        let count: i64 = database.query_row(&query, (), |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{table}");
    }
    fixture.engine.remove(&fixture::name("shop"), Volumes::Remove, "test").await.unwrap();
    assert_eq!(fixture.container_names().await, ["tidegate-ingress"]);
}
