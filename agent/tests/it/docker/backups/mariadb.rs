//! Backups of a real MariaDB that serves: made under writes, restored on trial, put in its place, and back again.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tidegate_agent::{
    backup::{BackupId, manifest::EngineKind},
    backup_runs::{
        BackupError, BackupRuns, BackupState, Cause, FileKeys, Progress, Restore, RestoreRow, RestoreState,
        Revert, ServerError, migrations,
    },
    mysql::MysqlError,
    postgres::DatabaseName,
    release::{self, ReleaseState},
    store::{Database, DatabaseSettings},
};
use tidegate_tests::docker::Image;
use tokio::sync::mpsc;

use super::{
    super::release::fixture::{App, Fixture, ended},
    site::{Site as Asked, droplet, name, runs},
};

/// The data, and one that writes to it all the time: a row in each of two tables at once, so that no snapshot sees them differ.
const COMPOSE: &str = r#"
services:
  db:
    image: mariadb:11
    environment: { MARIADB_ROOT_PASSWORD: "it's \\ one", MARIADB_DATABASE: shop }
    volumes: ["kept:/var/lib/mysql"]
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup:
        encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
        checks: ["SELECT COUNT(*) > 0 FROM orders"]
  writer:
    image: mariadb:11
    depends_on: [db]
    stop_grace_period: 1s
    environment: { MYSQL_PWD: "it's \\ one" }
    entrypoint: [sh, -c]
    command: ['while :; do mariadb -h db -u root shop -e "START TRANSACTION; INSERT INTO orders (note) VALUES (0x6c697665); INSERT INTO paid (note) VALUES (0x6c697665); COMMIT" >/dev/null 2>&1; sleep 0.05; done']
    x-tidegate: { gate: { stable: 1s } }
volumes: { kept: {} }
"#;

const SHOP: &str = "
CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, note TEXT NOT NULL);
INSERT INTO orders (note) SELECT MD5(seq) FROM seq_1_to_5000;
INSERT INTO orders (note) VALUES ('it''s (1),(2);\\n\\\\ \"odd\"\n'), ('INSERT INTO `orders` VALUES (1);');
CREATE TABLE paid (id BIGINT AUTO_INCREMENT PRIMARY KEY, note TEXT NOT NULL);
CREATE TABLE `odd ``name` (id INT PRIMARY KEY, picture BLOB);
INSERT INTO `odd ``name` VALUES (1, 0x00FF2827), (2, NULL);
CREATE TABLE lines_of (id INT PRIMARY KEY, of BIGINT, FOREIGN KEY (of) REFERENCES orders (id));
INSERT INTO lines_of SELECT ROW_NUMBER() OVER (ORDER BY id), id FROM orders WHERE note <> 'live' ORDER BY id LIMIT 50;
CREATE TABLE empty (id INT);
";

struct Site {
    fixture: Fixture,
    runs: BackupRuns,
    database: Database,
}

impl Site {
    async fn start() -> Self {
        let fixture = Fixture::start().await;
        fixture.docker.load(Image::Mariadb).await.unwrap();
        assert_eq!(ended(&fixture.release(&App::new("shop", COMPOSE)).await), ReleaseState::Released);
        let tables = [release::migrations(), migrations()].concat();
        let file = fixture.state().join("backups.db");
        let database = Database::open(&file, &tables, DatabaseSettings::default()).unwrap();
        let runs = runs(&fixture, &database, fixture.state().join("backups"));
        let site = Self { fixture, runs, database };
        let begun = Instant::now();
        while site.try_sql("shop", "SELECT 1").await.is_err() {
            assert!(begun.elapsed() < Duration::from_mins(2), "MariaDB does not start");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        site.sql("shop", SHOP).await;
        site
    }

    async fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let client = "MYSQL_PWD=\"$MARIADB_ROOT_PASSWORD\" exec mariadb -u root --batch --raw --skip-column-names \"$0\" -e \"$1\"";
        let told = self.fixture.try_exec("shop-db-1", &["sh", "-c", client, database, sql]).await;
        match told.map_err(|error| error.to_string())? {
            (0, told) => Ok(told.trim().to_owned()),
            (_, told) => Err(told),
        }
    }

    async fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn rows(&self, table: &str, note: &str) -> u64 {
        let query = format!("SELECT COUNT(*) FROM {table} WHERE note LIKE '{note}'");
        self.sql("shop", &query).await.parse().unwrap()
    }

    /// What does not change while the writer writes.
    async fn lasting(&self, database: &str) -> String {
        let query = "SELECT SHA2(GROUP_CONCAT(id, note ORDER BY id SEPARATOR ''), 256) FROM orders WHERE note NOT IN ('live', 'late'); \
                     SELECT SHA2(GROUP_CONCAT(id, COALESCE(HEX(picture), '-') ORDER BY id), 256) FROM `odd ``name`; \
                     SELECT COUNT(*), SUM(of) FROM lines_of; SELECT COUNT(*) FROM empty";
        self.sql(database, &format!("SET SESSION group_concat_max_len = 10000000; {query}")).await
    }

    /// Whether both run, and what is written arrives.
    async fn is_alive(&self) {
        for service in ["db", "writer"] {
            let found = self.fixture.engine.containers(&name("shop"), Some(service)).await.unwrap();
            assert!(found.iter().all(tidegate_agent::docker::Container::is_running), "{service}: {found:?}");
        }
        let before = self.rows("paid", "live").await;
        let begun = Instant::now();
        while self.rows("paid", "live").await <= before {
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is written any more");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn make(&self) -> BackupId {
        self.runs.make(Asked::make(Cause::Manual), Progress::none()).await.unwrap().id
    }

    fn file(&self, id: BackupId, file: &str) -> PathBuf {
        let folder = self.fixture.state().join("backups").join(droplet().to_string()).join("shop/db");
        folder.join(id.to_string()).join(file)
    }

    async fn databases(&self) -> Vec<String> {
        let own = ["information_schema", "mysql", "performance_schema", "sys"];
        let all = self.sql("mysql", "SHOW DATABASES").await;
        all.lines().filter(|name| !own.contains(name)).map(str::to_owned).collect()
    }
}

fn latest() -> Restore {
    Restore {
        app: name("shop"),
        service: None,
        id: None,
        database: None,
        into: None,
        keys: FileKeys::default(),
        from: None,
        scrub: None,
        actor: "test".to_owned(),
    }
}

fn into(database: &str) -> Restore {
    Restore { into: Some(DatabaseName(database.to_owned())), ..latest() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_mariadb_is_proven_and_takes_the_place_of_what_serves() {
    let site = Site::start().await;
    site.is_alive().await;
    let lasting = site.lasting("shop").await;
    let row = site.runs.make(Asked::make(Cause::Manual), Progress::none()).await.unwrap();
    assert_eq!((row.state, row.engine.as_str(), row.tables), (BackupState::Stored, "mysql", 5));
    let manifest = site.runs.show(&name("shop"), row.id).await.unwrap().manifest.unwrap();
    assert_eq!(
        (manifest.engine.kind, manifest.engine.server_version.starts_with("11.")),
        (EngineKind::MySql, true)
    );
    let count = |table: &str| manifest.parts[0].tables.iter().find(|one| one.name == table).unwrap().rows;
    // Both of a transaction or none: one moment.
    assert_eq!(count("orders"), 5002 + count("paid"));
    assert_eq!((count("odd `name"), count("lines_of"), count("empty")), (2, 50, 0));
    damaged(&site, row.id).await;
    let verified = site.runs.verify(Asked::verify(None), Progress::none()).await.unwrap();
    assert_eq!(verified.state, BackupState::Verified);

    let second = site.make().await;
    site.sql("shop", "INSERT INTO orders (note) VALUES ('late'); DELETE FROM `odd ``name`; TRUNCATE paid")
        .await;
    let restored = site.runs.restore(latest(), Progress::none()).await.unwrap();
    assert_eq!((restored.state, restored.kept.len()), (RestoreState::Restored, 1));
    assert_eq!(site.databases().await, ["shop", restored.kept[0].0.as_str()]);
    site.is_alive().await;
    assert_eq!((site.lasting("shop").await, site.rows("orders", "late").await), (lasting.clone(), 0));
    let of = |table: &str| format!("(SELECT COUNT(*) FROM {table} WHERE note = 'live')");
    assert_eq!(site.sql("shop", &format!("SELECT {} - {}", of("orders"), of("paid"))).await, "0");
    assert!(site.try_sql("shop", "INSERT INTO lines_of VALUES (99, -1)").await.is_err(), "keys are kept");

    // And back: what was written after the backup is there again.
    let revert = Revert { app: name("shop"), id: restored.id, actor: "test".to_owned() };
    let back = site.runs.revert(revert, Progress::none()).await.unwrap();
    site.is_alive().await;
    assert_eq!(site.rows("orders", "late").await, 1);
    let dropped = site.runs.drop_former(&name("shop"), (back.id, "test")).await.unwrap();
    assert_eq!((dropped, site.databases().await), (back.kept, vec!["shop".to_owned()]));
    with_more_than_tables(&site, second).await;
}

/// What cannot change its place is said before anything changes; beside what serves all of it comes back.
async fn with_more_than_tables(site: &Site, id: BackupId) {
    site.sql("shop", "CREATE VIEW seen AS SELECT id FROM orders; CREATE TABLE loose (id INT) ENGINE=MyISAM")
        .await;
    site.sql("shop", "CREATE TRIGGER stamp BEFORE INSERT ON lines_of FOR EACH ROW SET NEW.of = NULL").await;
    let (sender, mut lines) = mpsc::channel(100);
    site.runs.make(Asked::make(Cause::Manual), Progress::to(sender)).await.unwrap();
    let mut told = Vec::new();
    while let Ok(line) = lines.try_recv() {
        told.push(line);
    }
    assert!(told.iter().any(|line| line.contains("loose") && line.contains("no transactions")), "{told:?}");
    let refused = site.runs.plan_restore(&Restore { id: Some(id), ..latest() }).await.unwrap_err();
    let BackupError::Restoring { source: ServerError::Mysql(MysqlError::NotOnlyTables { what, .. }), .. } =
        &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(*what, ["trigger stamp", "view seen"]);
    assert!(refused.hint().contains("--into"), "{}", refused.hint());
    let copied = site.runs.restore(into("copy"), Progress::none()).await.unwrap();
    assert_eq!((copied.kept.len(), copied.stood_still), (0, None));
    assert_eq!(site.lasting("copy").await, site.lasting("shop").await);
    site.sql("copy", "INSERT INTO lines_of VALUES (99, -1)").await;
    let stamped = "SELECT of IS NULL FROM lines_of WHERE id = 99; SELECT COUNT(*) > 0 FROM seen";
    assert_eq!(site.sql("copy", stamped).await, "1\n1");
    let refused = site.runs.restore(into("copy"), Progress::none()).await.unwrap_err();
    assert!(matches!(refused, BackupError::IntoTaken { .. }), "{refused:?}");
    site.sql("mysql", "ALTER USER root@localhost IDENTIFIED BY 'another'").await;
    let refused = site.runs.make(Asked::make(Cause::Manual), Progress::none()).await.unwrap_err();
    let is_login =
        matches!(&refused, BackupError::Server { source: ServerError::Mysql(MysqlError::Login { .. }), .. });
    assert!(is_login && refused.hint().contains("MARIADB_ROOT_PASSWORD"), "{refused:?}");
}

/// A byte that is another one, and a tail that is gone.
async fn damaged(site: &Site, id: BackupId) {
    let part = site.file(id, "database-1.sql.zst.age");
    let whole = fs_err::read(&part).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs_err::write(&part, &flipped).unwrap();
    let error = site.runs.verify(Asked::verify(None), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
    fs_err::write(&part, &whole[..middle]).unwrap();
    let error = site.runs.verify(Asked::verify(None), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::NoCopy { .. }), "{error:?}");
    fs_err::write(&part, &whole).unwrap();
}

/// Ended in the middle, again and again: each time what served before serves, or all of what was restored.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_mariadb_that_is_cut_off_anywhere_ends_whole() {
    let is_long = std::env::var_os("TIDEGATE_LONG").is_some();
    let seed = std::env::var_os("TIDEGATE_RESTORES_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("TIDEGATE_RESTORES_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // The records of a restore: its beginning, and two for each of six steps. Some milliseconds more are somewhere in a step.
    let cuts: Vec<u64> = if is_long {
        (1..=13).collect()
    } else {
        vec![random.random_range(1..=5), random.random_range(6..=12)]
    };
    let site = Site::start().await;
    site.is_alive().await;
    let lasting = site.lasting("shop").await;
    site.make().await;
    for cut in cuts {
        site.sql("shop", "INSERT INTO orders (note) VALUES ('late')").await;
        let late = site.rows("orders", "late").await;
        let wait = Duration::from_millis(random.random_range(0..800));
        cut_off(&site, (cut, wait)).await;
        let row = resumed(&site).await;
        site.is_alive().await;
        let expected = match row.state {
            RestoreState::Undone => late,
            RestoreState::Restored => 0,
            RestoreState::Running | RestoreState::Stuck => panic!("cut off at {cut} + {wait:?}: {row:?}"),
        };
        assert_eq!(site.rows("orders", "late").await, expected, "cut off at {cut} + {wait:?}: {row:?}");
        assert_eq!(site.lasting("shop").await, lasting, "cut off at {cut} + {wait:?}: {row:?}");
        assert_eq!(site.databases().await.len(), 1 + row.kept.len(), "cut off at {cut} + {wait:?}: {row:?}");
        if !row.kept.is_empty() {
            site.runs.drop_former(&name("shop"), (row.id, "test")).await.unwrap();
        }
    }

    // The names had changed, and that was not written down any more: it is done again, and changes nothing.
    site.sql("shop", "INSERT INTO orders (note) VALUES ('late')").await;
    let done = site.runs.restore(latest(), Progress::none()).await.unwrap();
    forget(&site, done.id).await;
    let again = resumed(&site).await;
    assert_eq!((again.id, again.state, &again.kept), (done.id, RestoreState::Restored, &done.kept));
    site.is_alive().await;
    assert_eq!((site.rows("orders", "late").await, site.lasting("shop").await), (0, lasting));
    assert_eq!(site.databases().await.len(), 1 + again.kept.len());
}

/// The journal of a restore as it was when its fourth step had begun.
async fn forget(site: &Site, id: BackupId) {
    let forget = move |t: &rusqlite::Transaction<'_>| {
        t.execute("DELETE FROM journal WHERE saga = ?1 AND number > 8", [format!("restore/{id}")])?;
        t.execute("UPDATE restore SET state = 'running', kept = '[]' WHERE id = ?1", [id.to_string()])
            .map(drop)
    };
    site.database.write(forget).await.unwrap();
}

/// Begins a restore and drops it some time after its journal has so many records.
async fn cut_off(site: &Site, (records, wait): (u64, Duration)) {
    let runs = site.runs.clone();
    let before = count(site).await;
    let restore = tokio::spawn(async move { runs.restore(latest(), Progress::none()).await });
    while count(site).await < before + records && !restore.is_finished() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(wait).await;
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
    let after = runs(&site.fixture, &site.database, site.fixture.state().join("backups"));
    after.resume_restores().await.unwrap();
    let begun = Instant::now();
    loop {
        let row = after.restores(&name("shop")).await.unwrap().remove(0);
        if row.state != RestoreState::Running {
            return row;
        }
        assert!(begun.elapsed() < Duration::from_mins(3), "{row:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
