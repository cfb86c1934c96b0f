//! Backups of a real Valkey and a real Redis that serve: made under writes, read on trial, put in their place, and back again.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tidegate_agent::{
    backup::{BackupId, Manifest, manifest::EngineKind},
    backup_runs::{
        BackupError, BackupRuns, BackupState, Cause, FileKeys, Progress, Restore, RestoreRow, RestoreState,
        Revert, ServerError, migrations,
    },
    redis::RedisError,
    release::{self, ReleaseState},
    store::{Database, DatabaseSettings},
};
use tidegate_tests::docker::Image;

use super::{
    super::release::fixture::{App, Fixture, ended},
    site::{Site as Asked, droplet, name, runs},
};

/// The data, and one that writes to it all the time: both counters in one step, so that no snapshot sees them differ.
const COMPOSE: &str = r#"
services:
  cache:
    image: IMAGE
    stop_grace_period: 5s
    environment: { SECRET: "of the test" }
    command: COMMAND
    volumes: ["kept:/data"]
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { engine: redis, encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p] }
  writer:
    image: IMAGE
    depends_on: [cache]
    stop_grace_period: 1s
    environment: { REDISCLI_AUTH: "PASSWORD" }
    entrypoint: [sh, -c]
    command: ['while :; do printf "MULTI\nINCR one\nINCR two\nEXEC\n" | TOOL -h cache >/dev/null 2>&1; sleep 0.05; done']
    x-tidegate: { gate: { stable: 1s } }
volumes: { kept: {} }
"#;

/// Of every kind of value, in two databases; one of them ends before anybody looks again.
const SEED: &str = "
SET text 'a text'
RPUSH list a b c
SADD set a b c
ZADD sorted 1 a 2 b
HSET hash a 1 b 2
XADD stream 1-1 a b
SET short 1 EX 5
SET long 1 EX 100000
SELECT 7
";

struct Site {
    fixture: Fixture,
    runs: BackupRuns,
    database: Database,
    cli: Vec<&'static str>,
}

fn app(image: &str, command: &str, (cli, password): (&str, &str)) -> App {
    let compose = COMPOSE.replace("IMAGE", image).replace("COMMAND", command).replace("TOOL", cli);
    App::new("shop", &compose.replace("PASSWORD", password))
}

impl Site {
    async fn valkey() -> Self {
        let command =
            r#"[sh, -c, 'exec valkey-server --requirepass "$$SECRET" --repl-diskless-sync-delay 0']"#;
        let app = app("valkey:8", command, ("valkey-cli", "of the test"));
        Self::start(Image::Valkey, &app, vec!["valkey-cli", "--no-auth-warning", "-a", "of the test"]).await
    }

    async fn redis() -> Self {
        let command = "[redis-server, --appendonly, 'yes', --repl-diskless-sync-delay, '0']";
        Self::start(Image::Redis, &app("redis:8", command, ("redis-cli", "")), vec!["redis-cli"]).await
    }

    async fn start(image: Image, app: &App, cli: Vec<&'static str>) -> Self {
        let fixture = Fixture::start().await;
        fixture.docker.load(image).await.unwrap();
        assert_eq!(ended(&fixture.release(app).await), ReleaseState::Released);
        let tables = [release::migrations(), migrations()].concat();
        let file = fixture.state().join("backups.db");
        let database = Database::open(&file, &tables, DatabaseSettings::default()).unwrap();
        let runs = runs(&fixture, &database, fixture.state().join("backups"));
        let site = Self { fixture, runs, database, cli };
        let more: Vec<String> = (1..=70).map(|number| format!("SET {number} {number}\n")).collect();
        let more = more.concat();
        site.ask(&["sh", "-c", &format!("printf '%s' \"$0\" | {}", site.shell()), &format!("{SEED}{more}")])
            .await;
        site
    }

    fn shell(&self) -> String {
        let words: Vec<String> = self.cli.iter().map(|word| format!("'{word}'")).collect();
        words.join(" ")
    }

    async fn ask(&self, command: &[&str]) -> String {
        let (code, told) = self.fixture.exec("shop-cache-1", command).await;
        assert_eq!(code, 0, "{command:?}: {told}");
        told.trim().to_owned()
    }

    async fn redis_says(&self, command: &[&str]) -> String {
        self.ask(&[&self.cli[..], command].concat()).await
    }

    async fn counter(&self, name: &str) -> u64 {
        self.redis_says(&["GET", name]).await.parse().unwrap()
    }

    /// What does not change while the writer writes.
    async fn lasting(&self) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::new();
        for (key, command) in [
            ("text", "GET text"),
            ("list", "LRANGE list 0 -1"),
            ("set", "SMEMBERS set"),
            ("sorted", "ZRANGE sorted 0 -1 WITHSCORES"),
            ("hash", "HGETALL hash"),
            ("stream", "XRANGE stream - +"),
            ("long", "GET long"),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            all.insert(key, self.redis_says(&words).await);
        }
        all.insert("7", self.redis_says(&["-n", "7", "DBSIZE"]).await);
        all
    }

    /// Whether both run, and what is written arrives.
    async fn is_alive(&self) {
        for service in ["cache", "writer"] {
            let found = self.fixture.engine.containers(&name("shop"), Some(service)).await.unwrap();
            assert!(found.iter().all(tidegate_agent::docker::Container::is_running), "{service}: {found:?}");
        }
        let before = self.counter("one").await;
        let begun = Instant::now();
        while self.counter("one").await <= before {
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is written any more");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn make(&self) -> BackupId {
        self.runs.make(Asked::make(Cause::Manual), Progress::none()).await.unwrap().id
    }

    fn file(&self, id: BackupId, file: &str) -> PathBuf {
        let folder = self.fixture.state().join("backups").join(droplet().to_string()).join("shop/cache");
        folder.join(id.to_string()).join(file)
    }

    /// What is in the data directory.
    async fn files(&self) -> Vec<String> {
        let told = self.ask(&["ls", "-A", "/data"]).await;
        let mut files: Vec<String> = told.split_whitespace().map(str::to_owned).collect();
        files.sort();
        files
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

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_valkey_is_proven_and_takes_the_place_of_what_serves() {
    let site = Site::valkey().await;
    site.is_alive().await;
    let lasting = site.lasting().await;
    let row = site.runs.make(Asked::make(Cause::Manual), Progress::none()).await.unwrap();
    assert_eq!((row.state, row.engine.as_str(), row.tables), (BackupState::Stored, "redis", 2));
    // Ten with the counters and the one that ends soon, and the other database.
    assert_eq!(row.rows, 10 + 70);
    let manifest = site.runs.show(&name("shop"), row.id).await.unwrap().manifest.unwrap();
    assert_eq!(manifest.engine.kind, EngineKind::Redis);
    assert!(manifest.engine.tool_version.starts_with("valkey-cli 8."), "{:?}", manifest.engine);
    damaged(&site, (row.id, &manifest)).await;

    // The key that ended meanwhile is in the backup, and counts.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(site.redis_says(&["EXISTS", "short"]).await, "0");
    let verified = site.runs.verify(Asked::verify(None), Progress::none()).await.unwrap();
    assert_eq!(verified.state, BackupState::Verified);

    let second = site.make().await;
    site.redis_says(&["SET", "late", "1"]).await;
    site.redis_says(&["DEL", "hash", "text"]).await;
    for wanted in [
        Restore { database: Some(tidegate_agent::postgres::DatabaseName("0".to_owned())), ..latest() },
        Restore { into: Some(tidegate_agent::postgres::DatabaseName("copy".to_owned())), ..latest() },
    ] {
        let refused = site.runs.plan_restore(&wanted).await.unwrap_err();
        assert!(matches!(refused, BackupError::NoDatabases { .. }), "{refused}");
    }
    let written = site.counter("one").await;
    let restored = site.runs.restore(latest(), Progress::none()).await.unwrap();
    assert_eq!((restored.state, restored.kept.len()), (RestoreState::Restored, 1));
    assert!(restored.stood_still.unwrap() > Duration::ZERO);
    site.is_alive().await;
    assert_eq!(
        (site.lasting().await, site.redis_says(&["EXISTS", "late"]).await),
        (lasting.clone(), "0".to_owned())
    );
    let (one, two) = (site.counter("one").await, site.counter("two").await);
    assert!(two - one <= 1 && one > 0, "{one} and {two}");

    // And back: what was written after the backup is there again.
    let revert = Revert { app: name("shop"), id: restored.id, actor: "test".to_owned() };
    let back = site.runs.revert(revert, Progress::none()).await.unwrap();
    site.is_alive().await;
    assert_eq!(site.redis_says(&["EXISTS", "late"]).await, "1");
    assert!(site.counter("one").await >= written, "no write was lost");
    let dropped = site.runs.drop_former(&name("shop"), (back.id, "test")).await.unwrap();
    assert_eq!((dropped, site.files().await), (back.kept, vec!["dump.rdb".to_owned()]));
    assert!(site.runs.show(&name("shop"), second).await.is_ok());

    // Who does not let us in is told so, with the way out.
    site.redis_says(&["CONFIG", "SET", "requirepass", "another"]).await;
    let refused = site.runs.make(Asked::make(Cause::Manual), Progress::none()).await.unwrap_err();
    let is_login =
        matches!(&refused, BackupError::Server { source: ServerError::Redis(RedisError::Login { .. }), .. });
    assert!(is_login && refused.hint().contains("REDISCLI_AUTH"), "{refused:?}");
}

/// A byte that is another one, and a manifest that tells of more than there is.
async fn damaged(site: &Site, (id, manifest): (BackupId, &Manifest)) {
    let (part, told) = (site.file(id, "snapshot.rdb.zst.age"), site.file(id, "manifest"));
    let whole = fs_err::read(&part).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs_err::write(&part, &flipped).unwrap();
    let error = site.runs.verify(Asked::verify(None), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
    fs_err::write(&part, &whole).unwrap();

    let mut more = manifest.clone();
    more.parts[0].tables[1].rows += 1;
    fs_err::write(&told, more.write().unwrap()).unwrap();
    let error = site.runs.verify(Asked::verify(None), Progress::none()).await.unwrap_err();
    let BackupError::Differs { differences, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*differences, ["db7.keys has 70 rows, 71 were backed up"]);
    let error = site.runs.restore(latest(), Progress::none()).await.unwrap_err();
    assert!(matches!(error, BackupError::Undone(_)), "{error:?}");
    assert_eq!(site.files().await.iter().filter(|file| file.starts_with(".tidegate")).count(), 0);
    fs_err::write(&told, manifest.write().unwrap()).unwrap();
}

/// Ended in the middle, again and again: each time what served before serves, or all of what was restored. The server appends
/// to a log, which it prefers to a snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_redis_that_is_cut_off_anywhere_ends_whole() {
    let is_long = std::env::var_os("TIDEGATE_LONG").is_some();
    let seed = std::env::var_os("TIDEGATE_RESTORES_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("TIDEGATE_RESTORES_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // The records of a restore: its beginning, and two for each of six steps. A few milliseconds more are somewhere in a step.
    let cuts: Vec<u64> = if is_long {
        (1..=13).collect()
    } else {
        vec![random.random_range(1..=5), random.random_range(6..=12)]
    };
    let site = Site::redis().await;
    site.is_alive().await;
    let lasting = site.lasting().await;
    site.make().await;
    for cut in cuts {
        site.redis_says(&["SET", "late", "1"]).await;
        let wait = Duration::from_millis(random.random_range(0..1500));
        cut_off(&site, (cut, wait)).await;
        let row = resumed(&site).await;
        site.is_alive().await;
        let late = match row.state {
            RestoreState::Undone => "1",
            RestoreState::Restored => "0",
            RestoreState::Running | RestoreState::Stuck => panic!("cut off at {cut} + {wait:?}: {row:?}"),
        };
        assert_eq!(site.redis_says(&["EXISTS", "late"]).await, late, "cut off at {cut} + {wait:?}: {row:?}");
        assert_eq!(site.lasting().await, lasting, "cut off at {cut} + {wait:?}: {row:?}");
        let left: Vec<String> = site.files().await;
        let beside = left.iter().filter(|file| file.starts_with(".tidegate")).count();
        assert_eq!(beside, row.kept.len(), "cut off at {cut} + {wait:?}: {left:?}");
        if !row.kept.is_empty() {
            site.runs.drop_former(&name("shop"), (row.id, "test")).await.unwrap();
        }
    }

    // The names had changed, and that was not written down any more: it is done again, and changes nothing.
    site.redis_says(&["SET", "late", "1"]).await;
    let done = site.runs.restore(latest(), Progress::none()).await.unwrap();
    forget(&site, done.id).await;
    let again = resumed(&site).await;
    assert_eq!((again.id, again.state, &again.kept), (done.id, RestoreState::Restored, &done.kept));
    site.is_alive().await;
    assert_eq!((site.redis_says(&["EXISTS", "late"]).await, site.lasting().await), ("0".to_owned(), lasting));
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
