//! Restores in earnest, into a PostgreSQL that an app writes to.

use std::{collections::BTreeMap, time::Duration};

use age::secrecy::ExposeSecret as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tidegate_agent::{
    backup::{
        BackupId, PartName,
        seal::{FileKey, Header},
    },
    backup_runs::{
        BackupError, BackupState, Cause, FileKeys, Progress, Restore, RestoreRow, RestoreState, Revert,
    },
    docker::Container,
    ingress::Maintenance,
    postgres::DatabaseName,
    release::{BackupFirst, DeployInput, EventKind, ReleaseState},
};
use tokio::sync::mpsc;

use super::{
    super::release::fixture::{App, ended, input},
    site::{ODD_NAME, Site, name, runs},
};

/// The database, one that writes to it all the time, and a page before it. The backups are sealed to RECIPIENT.
const COMPOSE: &str = r#"
services:
  db:
    image: postgres:17
    environment: { POSTGRES_PASSWORD: of-the-test, POSTGRES_DB: shop }
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { encrypt_to: [RECIPIENT], checks: ["SELECT true"] }
  writer:
    image: postgres:17
    depends_on: [db]
    stop_grace_period: 1s
    environment: { PGHOST: db, PGUSER: postgres, PGPASSWORD: of-the-test, PGDATABASE: shop }
    entrypoint: [sh, -c]
    command: ['while :; do while :; do echo "INSERT INTO orders (note) VALUES (''live'');"; sleep 0.1; done | psql -qv ON_ERROR_STOP=1; sleep 0.5; done']
    x-tidegate: { gate: { stable: 1s } }
  web:
    image: probe:1
    stop_grace_period: 1s
    environment: { DATABASE_URL: "postgres://shop@db:5432/shop" }
    command: [sh, -c, 'mkdir -p /www && echo open >/www/index.html && exec httpd -f -p 8000 -h /www']
    x-tidegate: { ingress: { host: shop.test, port: 8000, tls: off }, gate: { stable: 1s } }
"#;

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn app(recipient: &str) -> App {
    App::new("shop", &COMPOSE.replace("RECIPIENT", recipient))
}

fn database(name: &str) -> DatabaseName {
    DatabaseName(name.to_owned())
}

fn latest() -> Restore {
    Restore {
        app: name("shop"),
        service: None,
        id: None,
        database: Some(database("shop")),
        into: None,
        keys: FileKeys::default(),
        from: None,
        scrub: None,
        actor: "test".to_owned(),
    }
}

/// What tells one state of the database from another: rows that were there from the beginning, and what was written later.
async fn rows(site: &Site, note: &str) -> u64 {
    let query = format!("SELECT count(*) FROM orders WHERE note LIKE '{note}'");
    site.sql("shop", &query).await.parse().unwrap()
}

async fn names(site: &Site) -> Vec<String> {
    let all = site.postgres().await.database_names().await.unwrap();
    let apart = ["postgres", "template0", "template1", ODD_NAME];
    all.into_iter().map(|name| name.0).filter(|name| !apart.contains(&name.as_str())).collect()
}

/// Whether the app is as it should be: its containers run, visitors are served, and what it writes arrives.
async fn is_alive(site: &Site) {
    for service in ["db", "writer", "web"] {
        let found = site.fixture.engine.containers(&name("shop"), Some(service)).await.unwrap();
        assert!(found.iter().all(Container::is_running), "{service}: {found:?}");
    }
    let maintenance = site.fixture.engine.ingress().maintenance(&name("shop")).await.unwrap();
    assert_eq!(maintenance, Maintenance::Off);
    let before = rows(site, "live").await;
    for _ in 0..40 {
        if rows(site, "live").await > before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("nothing is written any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_takes_the_place_of_what_serves_and_goes_back_again() {
    let identity = age::x25519::Identity::generate();
    let site = Site::start_app(&app(&identity.to_public().to_string())).await;
    site.sql("postgres", "ALTER DATABASE shop SET work_mem = '5MB'").await;
    site.sql("postgres", "ALTER DATABASE shop SET search_path = public, pg_catalog").await;
    site.sql("postgres", "COMMENT ON DATABASE shop IS 'it''s ours'").await;
    site.sql("postgres", "REVOKE ALL ON DATABASE shop FROM PUBLIC").await;
    is_alive(&site).await;
    let backup = site.make_one(Cause::Manual).await;
    let told = site.runs.show(&name("shop"), backup).await.unwrap().manifest.unwrap();
    let orders = |part: &tidegate_agent::backup::Part| {
        part.tables.iter().find(|table| table.name == "orders").map(|table| table.rows)
    };
    let orders = told.parts.iter().find_map(orders).unwrap();
    site.runs.verify(Site::verify(None), Progress::none()).await.unwrap();

    // What goes wrong after it.
    site.sql("shop", "INSERT INTO orders (note) VALUES ('late'); DROP TABLE empty").await;
    site.sql("shop", "REVOKE ALL ON orders FROM reader; DROP ROLE reader").await;

    // The agent's key went with the verification: who holds the recipient's opens it, and that key stays with them.
    let refused = site.runs.restore(latest(), Progress::none()).await.unwrap_err();
    assert!(matches!(refused, BackupError::NoKey { .. }), "{refused:?}");
    let plan = site.runs.plan_restore(&latest()).await.unwrap();
    let stops: Vec<&str> = plan.writers().iter().map(|writer| writer.service.as_str()).collect();
    assert_eq!(stops.iter().filter(|service| ["web", "writer"].contains(service)).count(), 2, "{stops:?}");
    assert_eq!((stops.len(), names(&site).await), (2, vec!["shop".to_owned()]));

    let (sender, mut lines) = mpsc::channel(100);
    let wanted = Restore { keys: keys(&site, backup, &identity).await, ..latest() };
    let restored = site.runs.restore(wanted, Progress::to(sender)).await.unwrap();
    let mut said = Vec::new();
    while let Ok(line) = lines.try_recv() {
        said.push(line);
    }
    assert!(said.iter().any(|line| line.starts_with("stopping ")), "{said:?}");
    assert_eq!((restored.state, restored.failure.as_ref()), (RestoreState::Restored, None));
    assert!(restored.stood_still.unwrap() > Duration::ZERO && restored.kept_until.is_some());
    let [former] = restored.kept.as_slice() else { panic!("{restored:?}") };
    assert_eq!(names(&site).await, ["shop", former.0.as_str()]);
    is_alive(&site).await;
    assert_eq!((rows(&site, "late").await, rows(&site, "________________________________").await), (0, 5000));
    let since = rows(&site, "%").await;
    assert!(since >= orders, "{since} rows, {orders} were backed up");
    assert_eq!(site.sql("shop", "SELECT count(*) FROM empty").await, "0");
    let reads = "SELECT has_table_privilege('reader', 'orders', 'SELECT')";
    assert_eq!(site.sql("shop", reads).await, "t");
    let setup = "SELECT current_setting('work_mem'), current_setting('search_path'), \
                 (SELECT shobj_description(oid, 'pg_database') || datacl::text FROM pg_database WHERE datname = 'shop')";
    let setup = site.sql("shop", setup).await;
    assert_eq!(setup, "5MB|public, pg_catalog|it's ours{postgres=CTc/postgres}");
    let closed = site.postgres().await.value(former, ("SELECT 1", Duration::from_mins(1))).await;
    assert!(closed.unwrap_err().to_string().contains("not currently accepting connections"));

    // And back: what was written after the backup is there, what was written since is kept in its turn.
    let revert = Revert { app: name("shop"), id: restored.id, actor: "test".to_owned() };
    let back = site.runs.revert(revert.clone(), Progress::none()).await.unwrap();
    assert_eq!((back.state, back.kept.len()), (RestoreState::Restored, 1));
    is_alive(&site).await;
    assert_eq!(rows(&site, "late").await, 1);
    let gone = site.runs.revert(revert, Progress::none()).await.unwrap_err();
    assert!(matches!(gone, BackupError::NothingKept { .. }), "{gone:?}");
    let dropped = site.runs.drop_former(&name("shop"), (back.id, "test")).await.unwrap();
    assert_eq!((dropped, names(&site).await), (back.kept, vec!["shop".to_owned()]));
    let listed = site.runs.restores(&name("shop")).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.kept.len()).collect::<Vec<_>>(), [0, 0]);

    beside(&site, (backup, &identity)).await;
}

/// Under another name nobody notices; what does not fit is refused, and nothing is changed.
async fn beside(site: &Site, (backup, identity): (BackupId, &age::x25519::Identity)) {
    let into = |into: &str| Restore { into: Some(database(into)), ..latest() };
    let wanted = Restore { keys: keys(site, backup, identity).await, ..into("copy") };
    let copied = site.runs.restore(wanted, Progress::none()).await.unwrap();
    assert_eq!((copied.kept.len(), copied.stood_still), (0, None));
    assert_eq!(site.sql("copy", "SELECT count(*) FROM orders WHERE note = 'late'").await, "0");
    for (wanted, what) in [
        (into("copy"), "there is a database copy already"),
        (into(""), "is no name for a database"),
        (Restore { database: None, ..into("all") }, "several databases cannot all be restored as all"),
        (Restore { database: Some(database("nobody")), ..latest() }, "has no database nobody"),
    ] {
        let refused = site.runs.restore(wanted, Progress::none()).await.unwrap_err();
        assert!(refused.to_string().contains(what) && !refused.hint().is_empty(), "{refused}");
    }
}

/// The file keys of a backup, as who holds the key of a recipient unwraps them.
async fn keys(site: &Site, backup: BackupId, identity: &age::x25519::Identity) -> FileKeys {
    assert!(identity.to_string().expose_secret().starts_with("AGE-SECRET-KEY-"));
    keys_of(site.runs.headers(&name("shop"), (backup, None)).await.unwrap(), identity)
}

pub fn keys_of(headers: Vec<(PartName, Vec<u8>)>, identity: &age::x25519::Identity) -> FileKeys {
    headers.into_iter().fold(FileKeys::default(), |keys, (part, header)| {
        let key: FileKey = Header::of(&header).unwrap().unwrap_with(identity).unwrap();
        keys.with(part, key)
    })
}

/// Ended in the middle, again and again: each time what served before serves, or all of what was restored.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_cut_off_anywhere_ends_whole() {
    let is_long = std::env::var_os("TIDEGATE_LONG").is_some();
    let seed = std::env::var_os("TIDEGATE_RESTORES_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("TIDEGATE_RESTORES_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // The records of a restore: its beginning, and two for each of six steps.
    let cuts: Vec<u64> = if is_long {
        (1..=13).collect()
    } else {
        vec![random.random_range(1..=5), random.random_range(6..=12)]
    };
    let site = Site::start_app(&app(RECIPIENT)).await;
    is_alive(&site).await;
    site.make_one(Cause::Manual).await;
    let mut ends = BTreeMap::new();
    for cut in cuts {
        site.sql("shop", "INSERT INTO orders (note) VALUES ('late')").await;
        let late = rows(&site, "late").await;
        cut_off(&site, cut).await;
        let row = resumed(&site).await;
        is_alive(&site).await;
        let expected = match row.state {
            RestoreState::Undone => late,
            RestoreState::Restored => 0,
            RestoreState::Running | RestoreState::Stuck => panic!("cut off at {cut}: {row:?}"),
        };
        assert_eq!(rows(&site, "late").await, expected, "cut off at {cut}: {row:?}");
        let left: Vec<String> = names(&site).await;
        assert!(left.iter().all(|name| !name.contains("_restoring_")), "cut off at {cut}: {left:?}");
        assert_eq!(left.len(), 1 + row.kept.len(), "cut off at {cut}: {left:?}");
        if !row.kept.is_empty() {
            site.runs.drop_former(&name("shop"), (row.id, "test")).await.unwrap();
        }
        ends.insert(cut, row.state);
    }
    // Without its data a restore is taken back; once its data was there and found well, it goes on.
    assert!(ends.iter().all(|(cut, state)| (*cut > 2) == (*state == RestoreState::Restored)), "{ends:?}");
}

/// Begins a restore and drops it as soon as its journal has so many records.
async fn cut_off(site: &Site, records: u64) {
    let runs = site.runs.clone();
    let before = count(site).await;
    let restore = tokio::spawn(async move { runs.restore(latest(), Progress::none()).await });
    while count(site).await < before + records && !restore.is_finished() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    restore.abort();
    if let Ok(Err(error)) = restore.await {
        panic!("{error:?}");
    }
}

async fn count(site: &Site) -> u64 {
    let count = |connection: &rusqlite::Connection| {
        connection.query_row("SELECT count(*) FROM journal WHERE saga LIKE 'restore/%'", (), |row| row.get(0))
    };
    let count: i64 = site.database.read(count).await.unwrap();
    u64::try_from(count).unwrap()
}

/// What became of the latest restore after a start of the agent.
async fn resumed(site: &Site) -> RestoreRow {
    let after = runs(&site.fixture, &site.database, site.local());
    after.resume_restores().await.unwrap();
    let begun = std::time::Instant::now();
    loop {
        let row = after.restores(&name("shop")).await.unwrap().remove(0);
        if row.state != RestoreState::Running {
            return row;
        }
        assert!(begun.elapsed() < Duration::from_mins(3), "{row:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_wants_a_backup_first_changes_nothing_without_one() {
    let app = |more: &str| App::new("shop", &format!("{COMPOSE}{more}").replace("RECIPIENT", RECIPIENT));
    let site = Site::start_app(&app("")).await;
    site.fixture.engine.keep_data_with(site.runs.for_releases());
    let web = "    labels: { changed: 'yes' }\n";
    let with_backup = |app: &App| DeployInput { backup_first: BackupFirst::Yes, ..input(app) };
    let events = site.fixture.release_input(with_backup(&app(web))).await;
    assert_eq!(ended(&events), ReleaseState::Released);
    let listing = site.runs.list(&name("shop"), None).await.unwrap();
    let causes: Vec<_> = listing.backups.iter().map(|one| (one.row.cause, one.row.state)).collect();
    assert_eq!(causes, [(Cause::Release, BackupState::Stored)]);
    let steps = events.iter().filter_map(|event| match &event.kind {
        EventKind::StepFinished { step, summary, .. } => Some((step.as_str(), summary.clone())),
        _ => None,
    });
    let steps: Vec<_> = steps.collect();
    let backup = steps.iter().position(|(step, _)| *step == "backup db").unwrap();
    assert!(backup < steps.iter().position(|(step, _)| *step == "create").unwrap(), "{steps:?}");
    assert!(steps[backup].1.starts_with(&listing.backups[0].row.id.to_string()), "{steps:?}");

    // Where no backup can be made the release ends before it touched anything.
    let serving = site.fixture.inventory().await;
    let db = site.fixture.engine.containers(&name("shop"), Some("db")).await.unwrap();
    site.docker().stop(&db[0]).await.unwrap();
    let events = site.fixture.release_input(with_backup(&app("    labels: { changed: 'again' }\n"))).await;
    assert_eq!(ended(&events), ReleaseState::Undone);
    let Some(EventKind::Finished { failure: Some(failure), .. }) = events.last().map(|event| &event.kind)
    else {
        panic!("{events:?}")
    };
    assert!(failure.what.contains("does not run"), "{failure:?}");
    assert_eq!(site.fixture.inventory().await, serving);
    let none = App::new("other", "services: { web: { image: probe:1, command: [sleep, infinity] } }");
    let refused = site.fixture.refused_input(with_backup(&none)).await;
    assert_eq!(refused[0].what, "no service of the release that serves asks for backups");
}
