//! Backups that another droplet made come back here: by the key of a person, scrubbed, and never deleted.

use std::sync::Arc;

use secrecy::SecretString;
use tidegate_agent::{
    backup::{BackupId, layout::DropletFolder},
    backup_runs::{
        BackupError, BackupRuns, BackupSettings, Cause, FileKeys, Make, Origin, Patience, Progress, Prune,
        PruneMode, Restore, RestoreState, migrations,
    },
    clock::SystemClock,
    postgres::DatabaseName,
    release,
    store::{Database, DatabaseSettings},
};

use super::{
    super::release::fixture::App,
    restores::keys_of,
    site::{Site, droplet, name},
};

const COMPOSE: &str = "
services:
  db:
    image: postgres:17
    environment: { POSTGRES_PASSWORD: of-the-test, POSTGRES_DB: shop }
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { encrypt_to: [RECIPIENT], databases: [shop], keep: { last: 1 }, checks: ['SELECT count(*) > 0 FROM orders'] }
";

/// Another droplet's agent: it knows nothing of the first, and reaches the same destination.
fn staging(site: &Site) -> BackupRuns {
    let file = site.fixture.state().join("staging.db");
    let all = [release::migrations(), migrations()].concat();
    let database = Database::open(&file, &all, DatabaseSettings::default()).unwrap();
    let whose = || {
        let environment = "staging".parse().unwrap();
        Some(DropletFolder { environment, droplet: "9".parse().unwrap(), ..droplet() })
    };
    let settings =
        BackupSettings { local: site.local(), whose: Arc::new(whose), patience: Patience::default() };
    BackupRuns::new(site.fixture.engine.clone(), database, Arc::new(SystemClock), settings)
}

fn origin(environment: &str) -> Origin {
    Origin { environment: environment.parse().unwrap(), app: name("shop"), service: None }
}

fn restore(keys: FileKeys, scrub: Option<&str>) -> Restore {
    Restore {
        app: name("shop"),
        service: None,
        id: None,
        database: None,
        into: None,
        keys,
        from: Some(origin("test")),
        scrub: scrub.map(SecretString::from),
        actor: "test".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_droplet_backed_up_comes_back_scrubbed() {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let site = Site::start_app(&App::new("shop", &COMPOSE.replace("RECIPIENT", &recipient))).await;
    let theirs = site.make_one(Cause::Manual).await;
    let staging = staging(&site);
    site.sql("shop", "INSERT INTO orders (note) VALUES ('of staging')").await;
    let keys = async || {
        let headers = staging.headers(&name("shop"), (theirs, Some(&origin("test")))).await;
        keys_of(headers.unwrap(), &identity)
    };

    assert!(staging.list(&name("shop"), None).await.unwrap().backups.is_empty());
    let seen = staging.list_elsewhere(&name("shop"), &origin("test")).await.unwrap().backups;
    let made_on = seen[0].made_on.as_ref().unwrap();
    assert_eq!((seen.len(), seen[0].row.id, made_on.droplet.get()), (1, theirs, 7));
    refused(&staging, keys().await).await;

    let failed =
        staging.restore(restore(keys().await, Some("SELECT 1; UPDATE nobody SET x = 1")), Progress::none());
    let failed = failed.await.unwrap_err().failure();
    assert!(failed.what.contains("the statements that scrub failed"), "{failed:?}");
    assert!(failed.cause.contains("\"nobody\" does not exist"), "{failed:?}");
    assert_eq!((notes(&site, "of staging").await.as_str(), databases(&site).await), ("1", 1));

    let scrub = "UPDATE orders SET note = 'scrubbed'; DELETE FROM orders WHERE id > 4000";
    let plan = staging.plan_restore(&restore(FileKeys::default(), Some(scrub))).await.unwrap();
    assert_eq!((plan.made_on.unwrap().droplet.get(), plan.databases.len()), (7, 1));
    let done = staging.restore(restore(keys().await, Some(scrub)), Progress::none()).await.unwrap();
    assert_eq!(done.state, RestoreState::Restored);
    assert_eq!((notes(&site, "scrubbed").await.as_str(), notes(&site, "%").await.as_str()), ("4000", "4000"));

    // A backup of its own, and a rotation that keeps one: the other droplet's is not its to count or to delete.
    let make = Make { app: name("shop"), service: None, cause: Cause::Manual, actor: "test".to_owned() };
    staging.make(make, Progress::none()).await.unwrap();
    let prune = Prune { app: name("shop"), service: None, mode: PruneMode::Delete };
    assert!(staging.prune(prune).await.unwrap()[0].goes.is_empty());
    assert_eq!(site.ids().await, [theirs]);
}

async fn refused(staging: &BackupRuns, keys: FileKeys) {
    let without = staging.restore(restore(FileKeys::default(), None), Progress::none()).await.unwrap_err();
    assert!(
        matches!(without, BackupError::NoKey { .. }) && without.hint().contains("--identity"),
        "{without}"
    );
    let nowhere = Restore { from: Some(origin("nowhere")), ..restore(keys, None) };
    let nowhere = staging.restore(nowhere, Progress::none()).await.unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        "no backup of nowhere/shop/db is where this droplet's backups of the app are"
    );
    let id: BackupId = "20200101T030000Z-00000001".parse().unwrap();
    let gone = Restore { id: Some(id), ..restore(FileKeys::default(), None) };
    let gone = staging.restore(gone, Progress::none()).await.unwrap_err().to_string();
    assert!(gone.starts_with("no backup 20200101T030000Z-00000001 of test/shop/db"), "{gone}");
}

async fn notes(site: &Site, like: &str) -> String {
    site.sql("shop", &format!("SELECT count(*) FROM orders WHERE note LIKE '{like}'")).await
}

/// How many of the name, and of names that a restore makes, there are.
async fn databases(site: &Site) -> usize {
    let all: std::collections::BTreeSet<DatabaseName> = site.postgres().await.database_names().await.unwrap();
    all.iter().filter(|database| database.0.starts_with("shop")).count()
}
