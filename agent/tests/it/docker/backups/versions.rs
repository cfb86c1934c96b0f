//! Another PostgreSQL than the one that all other tests have: backups of 15, and the way to a newer server, which is one way.

use tidegate_agent::{
    backup_runs::{BackupError, BackupState, Cause, FileKeys, Make, Origin, Progress, Restore, Verify},
    postgres::{DatabaseName, Postgres, Readiness},
};
use tidegate_tests::docker::Image;

use super::{
    super::release::fixture::App,
    site::{Site, name, service},
};

const COMPOSE: &str = "
services:
  db:
    image: postgres:17
    environment: { POSTGRES_PASSWORD: of-the-test, POSTGRES_DB: shop }
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p], databases: [shop] }
  old:
    image: postgres:15
    environment: { POSTGRES_PASSWORD: of-the-test, POSTGRES_DB: shop }
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p], databases: [shop] }
";

fn restore(to: &str) -> Restore {
    Restore {
        app: name("shop"),
        service: Some(service(to)),
        id: None,
        database: None,
        into: None,
        keys: FileKeys::default(),
        from: None,
        scrub: None,
        actor: "test".to_owned(),
    }
}

fn origin(of: &str) -> Origin {
    Origin { environment: "test".parse().unwrap(), app: name("shop"), service: Some(service(of)) }
}

async fn old(site: &Site) -> Postgres {
    let containers = site.fixture.engine.containers(&name("shop"), Some("old")).await.unwrap();
    let old = Postgres::new(site.docker(), &containers[0].name, "postgres");
    while old.is_ready().await.unwrap() != Readiness::Ready {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    old
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_15_is_backed_up_and_its_data_moves_to_a_newer_server_only() {
    let site = Site::start_with(&App::new("shop", COMPOSE), &[Image::Postgres, Image::Postgres15]).await;
    let (old, shop) = (old(&site).await, DatabaseName("shop".to_owned()));
    let sql = async |statements: &str| {
        old.value(&shop, (statements, std::time::Duration::from_mins(1))).await.unwrap()
    };
    assert!(sql("SHOW server_version").await.starts_with("15."));
    let fill = "CREATE TABLE parts (id serial PRIMARY KEY, tags text[] NOT NULL, doc jsonb);
        INSERT INTO parts (tags, doc) SELECT ARRAY[n::text, 'x'], jsonb_build_object('n', n) FROM generate_series(1, 500) n;
        CREATE VIEW heavy AS SELECT id FROM parts WHERE (doc->>'n')::int > 400";
    sql(fill).await;
    let digest = "SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM parts p";
    let before = sql(digest).await;

    let make = |of: &str| Make { service: Some(service(of)), ..Site::make(Cause::Manual) };
    let made = site.runs.make(make("old"), Progress::none()).await.unwrap();
    assert!(made.server_version.as_ref().unwrap().starts_with("15."), "{made:?}");
    assert_eq!(made.rows, 500);

    // Into the newer server, from where the agent's own key opens it, and back where it came from.
    let moved =
        Restore { from: Some(origin("old")), into: Some(DatabaseName("parts".to_owned())), ..restore("db") };
    site.runs.restore(moved, Progress::none()).await.unwrap();
    assert_eq!(site.sql("parts", digest).await, before);
    assert_eq!(site.sql("parts", "SELECT count(*) FROM heavy").await, "100");
    sql("DELETE FROM parts").await;
    site.runs.restore(restore("old"), Progress::none()).await.unwrap();
    assert_eq!(sql(digest).await, before);
    let verify = Verify { service: Some(service("old")), ..Site::verify(Some(made.id)) };
    assert_eq!(site.runs.verify(verify, Progress::none()).await.unwrap().state, BackupState::Verified);

    let newer = site.runs.make(make("db"), Progress::none()).await.unwrap();
    let refused = Restore { from: Some(origin("db")), ..restore("old") };
    let refused = site.runs.restore(refused, Progress::none()).await.unwrap_err();
    assert!(matches!(refused, BackupError::NewerServer { id, .. } if id == newer.id), "{refused:?}");
    assert!(refused.hint().contains("an image of that version or a later one"), "{refused:?}");
    assert_eq!(sql(digest).await, before);
}
