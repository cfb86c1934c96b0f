//! Breaking migrations of a PostgreSQL that an app writes to: the old data with the old code, or the new with the new.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tidegate_agent::{
    backup_runs::{BackupState, Cause},
    docker::Container,
    ingress::Maintenance,
    release::{
        BackTo, BackupFirst, DataOfThen, DeployInput, Engine, EngineError, EventKind, ReleaseEvent,
        ReleaseState,
    },
};

use super::{
    super::release::fixture::{App, ended, events, input, undone},
    site::{Site, name, runs_of},
};

/// The database, one that writes a row after the other and tells each when it is there, and a page before them.
const COMPOSE: &str = r#"
services:
  db:
    image: postgres:17
    environment: { POSTGRES_PASSWORD: of-the-test, POSTGRES_DB: shop }
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p] }
  writer:
    image: postgres:17
    depends_on: [db]
    stop_grace_period: 1s
    environment: { PGHOST: db, PGUSER: postgres, PGPASSWORD: of-the-test, PGDATABASE: shop }
    entrypoint: [sh, -c]
    command: ['WRITER']
    x-tidegate: { gate: { stable: 2s, timeout: 20s } }
  counter:
    image: probe:1
    depends_on: [writer]
    stop_grace_period: 1s
    command: [sleep, infinity]
    x-tidegate: { gate: { stable: 1s } }
  web:
    image: probe:1
    stop_grace_period: 1s
    environment: { DATABASE_URL: "postgres://shop@db:5432/shop", WEB }
    command: [sh, -c, 'mkdir -p /www && echo open >/www/index.html && exec httpd -f -p 8000 -h /www']
    x-tidegate: { ingress: { host: shop.test, port: 8000, tls: off }, gate: { stable: 1s } }
"#;

/// Writes the next row when the one before is there, and goes on where it was when it is started again.
const OLD: &str = r#"n=$(cat /tmp/n || echo 0); n=${n:-0}; while :; do psql -qc "INSERT INTO orders (note) VALUES (''live $((n + 1))'')" && n=$((n + 1)) && echo $n >/tmp/n && echo wrote $n; sleep 0.3; done"#;
const NEW: &str = r#"while :; do psql -qc "INSERT INTO orders (text) VALUES (''next'')"; sleep 0.3; done"#;
/// Writes to the new schema, and does not stay.
const SICK: &str = r#"psql -qc "INSERT INTO orders (text) VALUES (''sick'')"; exit 5"#;

const MIGRATE: &str = r#"psql -v ON_ERROR_STOP=1 -qc "ALTER TABLE orders RENAME COLUMN note TO text""#;

fn compose(writer: &str, migration: Option<&str>) -> String {
    let compose = COMPOSE.replace("WRITER", &writer.replace('$', "$$"));
    let Some(migration) = migration else { return compose.replace("WEB", "OLD: '1'") };
    let migrate = format!(
        "x-tidegate:\n  migrate: {{ service: writer, command: ['{migration}'], kind: breaking, timeout: 1m }}\n"
    );
    format!("{migrate}{}", compose.replace("WEB", "NEW: '1'"))
}

fn app(writer: &str, migration: Option<&str>) -> App {
    App::new("shop", &compose(writer, migration))
}

/// The old release, with its writer at work.
async fn start() -> Site {
    let site = Site::start_app(&app(OLD, None)).await;
    site.fixture.engine.keep_data_with(site.runs.for_releases());
    has_rows(&site, "note", "live%").await;
    site
}

async fn rows(site: &Site, (column, like): (&str, &str)) -> u64 {
    let query = format!("SELECT count(*) FROM orders WHERE {column} LIKE '{like}'");
    site.sql("shop", &query).await.parse().unwrap()
}

async fn has_rows(site: &Site, column: &str, like: &str) {
    let before = rows(site, (column, like)).await;
    for _ in 0..40 {
        if rows(site, (column, like)).await > before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("nothing is written any more");
}

async fn columns(site: &Site) -> String {
    let query = "SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'orders'";
    site.sql("shop", query).await
}

/// Databases beside those of the app.
async fn copies(site: &Site) -> Vec<String> {
    let all = site.postgres().await.database_names().await.unwrap();
    all.into_iter()
        .map(|name| name.0)
        .filter(|name| name.contains("_before_") || name.contains("_undone_"))
        .collect()
}

/// What every end has to be like: all containers run and come back by themselves, visitors are served, no copy is left.
async fn is_whole(site: &Site, engine: &Engine) {
    for service in ["db", "writer", "counter", "web"] {
        let found = engine.containers(&name("shop"), Some(service)).await.unwrap();
        assert_eq!(found.len(), 1, "{service}: {found:?}");
        assert!(found.iter().all(Container::is_running), "{service}: {found:?}");
    }
    let maintenance = engine.ingress().maintenance(&name("shop")).await.unwrap();
    assert_eq!(maintenance, Maintenance::Off);
    assert_eq!(copies(site).await, [""; 0]);
}

/// The old schema with the old code, which goes on where it was; and everything is there that it ever told to be.
async fn is_old(site: &Site) {
    assert_eq!(columns(site).await, "id,note");
    has_rows(site, "note", "live%").await;
    let told = site.docker().last_lines("shop-writer-1", 100_000).await.unwrap();
    let told: u64 = told.iter().filter_map(|line| line.rsplit("wrote ").next()?.parse().ok()).max().unwrap();
    let missing = format!(
        "SELECT count(*) FROM generate_series(1, {told}) n WHERE NOT EXISTS (SELECT FROM orders WHERE note = 'live ' || n)"
    );
    assert_eq!(site.sql("shop", &missing).await, "0", "of {told} rows");
}

async fn is_new(site: &Site) {
    assert_eq!(columns(site).await, "id,text");
    has_rows(site, "text", "next").await;
    // What the old code wrote is there, whole. One that is stopped before it knows that a row is there writes it again.
    let holes =
        "SELECT max(substr(text, 6)::int) - count(DISTINCT text) FROM orders WHERE text LIKE 'live %'";
    assert_eq!(site.sql("shop", holes).await, "0");
}

fn summary<'e>(events: &'e [ReleaseEvent], wanted: &str) -> &'e str {
    let of = |event: &'e ReleaseEvent| match &event.kind {
        EventKind::StepFinished { step, summary, .. } if step == wanted => Some(summary.as_str()),
        _ => None,
    };
    events.iter().find_map(of).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_stands_still_for_a_breaking_migration_and_nothing_is_lost() {
    let site = start().await;
    let engine = &site.fixture.engine;

    // A migration that fails, and one whose code is sick: what was written before is there, and the old code goes on.
    let failing = format!("{MIGRATE} && exit 3");
    let events = site.fixture.release(&app(NEW, Some(&failing))).await;
    assert!(undone(&events).what.contains("migration"), "{:?}", undone(&events));
    is_whole(&site, engine).await;
    is_old(&site).await;
    let events = site.fixture.release(&app(SICK, Some(MIGRATE))).await;
    assert!(undone(&events).what.contains("writer"), "{:?}", undone(&events));
    is_whole(&site, engine).await;
    is_old(&site).await;
    assert_eq!(rows(&site, ("note", "sick")).await, 0);

    let wanted = DeployInput { backup_first: BackupFirst::Yes, ..input(&app(NEW, Some(MIGRATE))) };
    let events = site.fixture.release_input(wanted).await;
    assert_eq!(ended(&events), ReleaseState::Released);
    // Who needs whom is stopped first.
    assert_eq!(summary(&events, "quiesce"), "shop-counter-1, shop-writer-1, shop-web-1");
    assert!(
        summary(&events, "copy db")
            .starts_with("it's | \"odd\"_before_r4, postgres_before_r4, shop_before_r4, ")
    );
    is_whole(&site, engine).await;
    is_new(&site).await;
    let refused = engine.rollback(&name("shop"), None, "test").await.unwrap_err();
    let EngineError::Refused(failures) = refused else { panic!("{refused}") };
    assert_eq!(
        failures[0].cause,
        "r4 ran a breaking migration: the code of r1 does not know the schema of now"
    );
    // With the data of before there is a way back; what served is kept, and can be put back.
    let back = BackTo { data: DataOfThen::Comes, ..BackTo::default() };
    let release = engine.rollback(&name("shop"), back, "test").await.unwrap();
    let events = self::events(engine, &release.app).await;
    assert_eq!(ended(&events), ReleaseState::Released);
    let kept = "it's | \"odd\"_before_r5, shop_before_r5";
    assert_eq!(summary(&events, "retain db"), kept);
    assert_eq!(copies(&site).await.join(", "), kept);
    let restored = site.runs.restores(&name("shop")).await.unwrap().remove(0);
    assert_eq!(restored.kept.len(), 2);
    site.runs.drop_former(&name("shop"), (restored.id, "test")).await.unwrap();
    is_whole(&site, engine).await;
    assert_eq!(columns(&site).await, "id,note");
    has_rows(&site, "note", "live%").await;
    let listing = site.runs.list(&name("shop"), None).await.unwrap();
    let made: Vec<_> = listing.backups.iter().map(|one| (one.row.cause, one.row.state)).collect();
    assert_eq!(made, [(Cause::Release, BackupState::Stored); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaking_migration_without_a_way_back_is_refused() {
    let site = start().await;
    let serving = site.fixture.inventory().await;
    let refused = async |text: &str| {
        let failures = site.fixture.refused(&App::new("shop", text)).await;
        let [failure] = &failures[..] else { panic!("{failures:?}") };
        assert_eq!(failure.what, "the migration is of kind `breaking`");
        assert_eq!(failure.place, "compose.yaml:2:121");
        failure.cause.clone()
    };
    let text = compose(NEW, Some(MIGRATE));
    let backup =
        "      backup: { encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p] }\n";
    assert_eq!(
        refused(&text.replace(backup, "")).await,
        "no database of the app that it uses is backed up, so there would be no way back"
    );
    assert_eq!(
        refused(&text.replace("POSTGRES_DB: shop }", "POSTGRES_DB: shop, MORE: '1' }")).await,
        "db itself would be changed by the same release"
    );
    assert_eq!(site.fixture.inventory().await, serving);
    is_old(&site).await;
}

/// Killed in the middle, on the way there and on the way back with the data of then: the old data with the old code, or the new
/// with the new; and nobody waits before a page.
#[tokio::test(flavor = "multi_thread")]
async fn a_breaking_migration_that_is_cut_off_anywhere_ends_whole() {
    let is_long = std::env::var_os("TIDEGATE_LONG").is_some();
    let seed = std::env::var_os("TIDEGATE_BREAKING_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("TIDEGATE_BREAKING_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // The records of such a release: its beginning, and two for each of its steps.
    let cuts: Vec<u64> =
        if is_long { (1..=RECORDS).collect() } else { vec![random.random_range(5..=RECORDS - 6)] };
    let site = start().await;
    let mut ends = BTreeMap::new();
    for cut in cuts {
        let engine = cut_off(&site, (Way::There, cut)).await;
        let end = ended(&events(&engine, &name("shop")).await);
        is_whole(&site, &engine).await;
        match end {
            ReleaseState::Undone => is_old(&site).await,
            ReleaseState::Released => {
                is_new(&site).await;
                let back =
                    if is_long { cut % BACK_RECORDS + 1 } else { random.random_range(3..=BACK_RECORDS) };
                let end = back_again(&site, back).await;
                ends.insert((Way::Back, back), end);
            }
            other => panic!("cut off at {cut}: {other:?}"),
        }
        ends.insert((Way::There, cut), end);
    }
    println!("{ends:?}");
}

/// Back to the code and the data of before, cut off in the middle; how that ended.
async fn back_again(site: &Site, cut: u64) -> ReleaseState {
    let engine = cut_off(site, (Way::Back, cut)).await;
    let end = ended(&events(&engine, &name("shop")).await);
    match end {
        ReleaseState::Undone => {
            is_whole(site, &engine).await;
            is_new(site).await;
            let wanted = BackTo { data: DataOfThen::Comes, ..BackTo::default() };
            let release = engine.rollback(&name("shop"), wanted, "test").await.unwrap();
            assert_eq!(ended(&events(&engine, &release.app).await), ReleaseState::Released);
        }
        ReleaseState::Released => {}
        other => panic!("cut off at {cut} of the way back: {other:?}"),
    }
    let restored = site.runs.restores(&name("shop")).await.unwrap().remove(0);
    assert_eq!(
        copies(site).await.len(),
        restored.kept.len(),
        "cut off at {cut} of the way back: {restored:?}"
    );
    site.runs.drop_former(&name("shop"), (restored.id, "test")).await.unwrap();
    is_whole(site, &engine).await;
    assert_eq!(columns(site).await, "id,note");
    assert_eq!(rows(site, ("note", "next")).await, 0);
    has_rows(site, "note", "live%").await;
    end
}

/// Prepare, create, quiesce, backup, copy, migrate, two services, a switch, two more, commit, open, discard, prune.
const RECORDS: u64 = 29;
/// Of the way back, at least.
const BACK_RECORDS: u64 = 20;

/// What is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// A breaking release.
    There,
    /// A rollback with its data.
    Back,
}

/// Begins a breaking release, or the way back, in an agent of its own, ends that as soon as its journal has so many records of
/// it, and begins anew.
async fn cut_off(site: &Site, (way, records): (Way, u64)) -> Engine {
    let journal = site.fixture.state().join("agent.db");
    let count = move || {
        let connection = rusqlite::Connection::open(&journal).unwrap();
        let count: i64 = connection.query_row("SELECT count(*) FROM journal", (), |row| row.get(0)).unwrap();
        u64::try_from(count).unwrap()
    };
    let before = count();
    let engine = site.fixture.restarted();
    let runs = runs_of(&engine, &site.database, site.local());
    engine.keep_data_with(runs.for_releases());
    let agent = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let deployed = {
        let engine = engine.clone();
        agent.spawn(async move {
            let back = BackTo { data: DataOfThen::Comes, ..BackTo::default() };
            match way {
                Way::There => engine.deploy(input(&app(NEW, Some(MIGRATE))), "test").await.map(drop),
                Way::Back => engine.rollback(&name("shop"), back, "test").await.map(drop),
            }
        })
    };
    deployed.await.unwrap().unwrap();
    let begun = std::time::Instant::now();
    while count() < before + records && begun.elapsed() < Duration::from_mins(2) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    agent.shutdown_background();
    drop((engine, runs));
    let engine = site.fixture.restarted();
    // As long as the release runs; a test's process ends with it.
    let runs = Box::leak(Box::new(runs_of(&engine, &site.database, site.local())));
    engine.keep_data_with(runs.for_releases());
    engine.resume_all().await.unwrap();
    engine
}
