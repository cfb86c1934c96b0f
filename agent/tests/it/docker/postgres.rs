//! A real PostgreSQL in a container: snapshots, dumps and restores, and what becomes of them when something goes wrong.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder},
};
use tidegate_agent::{
    docker::{Docker as Engine, Logins},
    postgres::{DatabaseName, Postgres, PostgresError, Readiness, Scratch, ScratchSettings, TableRows},
    scratch::{SCRATCH_LABEL, remove_leftovers},
};
use tidegate_tests::docker::{Docker, Image};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

const PATIENCE: Duration = Duration::from_mins(1);
/// Tables of many forms: odd names, a partitioned one, one without rows, one that refers to another, large values.
const TABLES: &str = r#"
CREATE SCHEMA "odd schema";
CREATE TABLE "odd schema"."it's | odd" (id serial PRIMARY KEY, text text);
INSERT INTO "odd schema"."it's | odd" (text) SELECT repeat(md5(n::text), 500) FROM generate_series(1, 300) n;
CREATE TABLE empty (id int);
CREATE TABLE orders (id bigserial PRIMARY KEY, note text NOT NULL);
INSERT INTO orders (note) SELECT md5(n::text) FROM generate_series(1, 5000) n;
CREATE TABLE lines (id bigserial PRIMARY KEY, of bigint REFERENCES orders, at date NOT NULL DEFAULT '2026-01-01');
INSERT INTO lines (of) SELECT n FROM generate_series(1, 5000) n;
CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO parts SELECT n, '2026-05-05' FROM generate_series(1, 70) n;
CREATE VIEW seen AS SELECT * FROM orders;
CREATE TABLE alembic_version (version_num varchar(32));
INSERT INTO alembic_version VALUES ('0009');
CREATE ROLE reader LOGIN PASSWORD 'a-secret';
GRANT SELECT ON orders TO reader
"#;

struct World {
    docker: Docker,
    postgres: Postgres,
}

fn name(text: &str) -> DatabaseName {
    DatabaseName(text.to_owned())
}

impl World {
    async fn start() -> Self {
        let docker = Docker::start().await.unwrap();
        let image = docker.load(Image::Postgres).await.unwrap();
        let body = ContainerCreateBody {
            image: Some(image),
            env: Some(vec!["POSTGRES_PASSWORD=of-the-test".into(), "POSTGRES_DB=shop".into()]),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name("shop-db-1").build();
        docker.client().create_container(Some(options), body).await.unwrap();
        docker.client().start_container("shop-db-1", None::<StartContainerOptions>).await.unwrap();
        let engine = Engine::new(docker.socket(), Logins::new("none.json"));
        let world = Self { postgres: Postgres::new(engine, "shop-db-1", "postgres"), docker };
        world.is_ready().await;
        world.sql(TABLES).await;
        world
    }

    /// The image's first start ends with a restart: only over TCP it is known to be the last one.
    async fn is_ready(&self) {
        let begun = std::time::Instant::now();
        while self.postgres.is_ready().await.unwrap() != Readiness::Ready {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not start");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn sql(&self, statements: &str) -> String {
        self.postgres.value(&name("shop"), (statements, PATIENCE)).await.unwrap()
    }
}

fn rows(tables: &[TableRows], name: &str) -> Option<u64> {
    tables.iter().find(|table| table.name == name).map(|table| table.rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_is_one_moment_and_comes_back_whole() {
    let world = World::start().await;
    let postgres = &world.postgres;
    let versions = postgres.versions().await.unwrap();
    assert!(versions.tool.starts_with("pg_dump (PostgreSQL) "), "{versions:?}");
    assert_eq!(postgres.databases().await.unwrap(), [name("postgres"), name("shop")]);
    assert!(postgres.size(&name("shop")).await.unwrap() > 1_000_000);

    let mut snapshot = postgres.snapshot(&name("shop")).await.unwrap();
    // What is written after the snapshot is neither counted nor dumped.
    world.sql("INSERT INTO orders (note) SELECT 'late' FROM generate_series(1, 100)").await;
    assert_eq!(snapshot.revision().await.unwrap().unwrap().revision, "0009");
    let counted = snapshot.rows(PATIENCE).await.unwrap();
    let mut dump = Vec::new();
    postgres.dump(&snapshot).await.unwrap().read_to_end(&mut dump).await.unwrap();
    snapshot.close().await.unwrap();
    assert_eq!(rows(&counted, "orders"), Some(5000), "{counted:?}");
    assert_eq!(rows(&counted, "it's | odd"), Some(300));
    assert_eq!(rows(&counted, "parts_2026"), Some(70));
    assert_eq!((rows(&counted, "parts"), rows(&counted, "seen")), (None, None), "their rows are elsewhere");

    let mut globals = String::new();
    postgres.dump_globals().await.unwrap().read_to_string(&mut globals).await.unwrap();
    assert!(globals.contains("CREATE ROLE reader"), "{globals}");
    postgres.restore_globals((globals.as_bytes(), PATIENCE)).await.unwrap();

    let copy = name("a 'copy' of host=shop");
    postgres.create_database(&copy).await.unwrap();
    postgres.restore(&copy, (dump.as_slice(), PATIENCE)).await.unwrap();
    assert_eq!(postgres.rows(&copy, PATIENCE).await.unwrap(), counted);
    let checksum = "SELECT md5(string_agg(o.note, ',' ORDER BY o.id)) FROM orders o WHERE o.note <> 'late'";
    let copied = postgres.value(&copy, (checksum, PATIENCE)).await.unwrap();
    assert_eq!(copied, world.sql(checksum).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_and_never_looks_whole() {
    let world = World::start().await;
    let postgres = &world.postgres;

    let nowhere = postgres.rows(&name("shpo"), PATIENCE).await.unwrap_err();
    assert!(matches!(nowhere, PostgresError::SessionEnded { .. }), "{nowhere:?}");
    assert!(nowhere.to_string().contains(r#"database "shpo" does not exist"#), "{nowhere}");
    let nobody =
        Postgres::new(Engine::new(world.docker.socket(), Logins::new("none.json")), "shop-db-1", "nobody");
    let refused = nobody.databases().await.unwrap_err().to_string();
    assert!(refused.contains(r#"role "nobody" does not exist"#), "{refused}");
    let slow = postgres.value(&name("shop"), ("SELECT pg_sleep(60)", Duration::from_secs(1))).await;
    assert!(matches!(slow, Err(PostgresError::Deadline(_))), "{slow:?}");

    let snapshot = postgres.snapshot(&name("shop")).await.unwrap();
    let mut dump = Vec::new();
    postgres.dump(&snapshot).await.unwrap().read_to_end(&mut dump).await.unwrap();
    snapshot.close().await.unwrap();
    postgres.create_database(&name("half")).await.unwrap();
    let half = dump.get(..dump.len() / 2).unwrap();
    let cut = postgres.restore(&name("half"), (half, PATIENCE)).await.unwrap_err();
    assert!(matches!(cut, PostgresError::Program { .. }), "{cut:?}");
    let again = postgres.restore(&name("half"), (dump.as_slice(), PATIENCE)).await.unwrap_err();
    assert!(again.to_string().contains("already exists"), "{again}");
    postgres.create_database(&name("broken")).await.unwrap();
    let broken = postgres.restore(&name("broken"), (Breaks(half), PATIENCE)).await.unwrap_err();
    assert!(matches!(broken, PostgresError::Source(_)), "{broken:?}");

    // The snapshot's session ends with its server, and so does the dump, with an error.
    let snapshot = postgres.snapshot(&name("shop")).await.unwrap();
    let mut dumping = postgres.dump(&snapshot).await.unwrap();
    dumping.read_exact(&mut [0; 5]).await.unwrap();
    let options = StopContainerOptionsBuilder::default().t(0).build();
    world.docker.client().stop_container("shop-db-1", Some(options)).await.unwrap();
    let mut rest = Vec::new();
    let ended = dumping.read_to_end(&mut rest).await;
    assert!(ended.is_err(), "{} bytes and a good end", rest.len());
}

/// Reads these bytes and fails then.
struct Breaks<'a>(&'a [u8]);

impl AsyncRead for Breaks<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(io::Error::other("the bucket is gone")));
        }
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_server_takes_a_dump_and_leaves_nothing() {
    let world = World::start().await;
    let engine = Engine::new(world.docker.socket(), Logins::new("none.json"));
    let image = engine.container("shop-db-1").await.unwrap().unwrap().image_id;
    let settings = ScratchSettings {
        name: "tidegate-scratch-1".to_owned(),
        purpose: "verify shop/db".to_owned(),
        image,
        user: "postgres".to_owned(),
        memory: 256 * 1024 * 1024,
        milli_cpus: 1000,
        start: PATIENCE,
    };
    let volumes = engine.volumes().await.unwrap().len();
    let mut snapshot = world.postgres.snapshot(&name("shop")).await.unwrap();
    let counted = snapshot.rows(PATIENCE).await.unwrap();
    let dump = world.postgres.dump(&snapshot).await.unwrap();
    let globals = world.postgres.dump_globals().await.unwrap();

    let scratch = Scratch::start(&engine, &settings).await.unwrap();
    scratch.postgres().restore_globals((globals, PATIENCE)).await.unwrap();
    scratch.postgres().create_database(&name("shop")).await.unwrap();
    scratch.postgres().restore(&name("shop"), (dump, PATIENCE)).await.unwrap();
    assert_eq!(scratch.postgres().rows(&name("shop"), PATIENCE).await.unwrap(), counted);
    let routes = "SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL";
    assert_eq!(scratch.postgres().value(&name("shop"), (routes, PATIENCE)).await.unwrap(), "0");
    scratch.remove().await.unwrap();

    // One that cannot start says why and is gone; one that a dead agent left goes at the next start.
    let hopeless = ScratchSettings { memory: 6 * 1024 * 1024, ..settings.clone() };
    let error = Scratch::start(&engine, &hopeless).await.map(drop).unwrap_err();
    println!("{error}");
    assert!(engine.containers(&[SCRATCH_LABEL.to_owned()]).await.unwrap().is_empty());
    std::mem::forget(Scratch::start(&engine, &settings).await.unwrap());
    assert_eq!(remove_leftovers(&engine).await.unwrap(), 1);
    assert!(engine.containers(&[SCRATCH_LABEL.to_owned()]).await.unwrap().is_empty());
    assert_eq!(engine.volumes().await.unwrap().len(), volumes, "anonymous volumes");
}
