//! A served app with a PostgreSQL, and backup runs over it.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tidegate_agent::{
    apps::ServiceName,
    backup::{BackupId, layout::DropletFolder},
    backup_runs::{
        BackupRow, BackupRuns, BackupSettings, Cause, FileKeys, Make, Patience, Progress, Verify, migrations,
    },
    clock::{Clock as _, SystemClock},
    docker::{Docker as Engine, Logins},
    postgres::{DatabaseName, Postgres, Readiness},
    release::{self, ReleaseState},
    scratch::SCRATCH_LABEL,
    store::{Database, DatabaseSettings},
};
use tidegate_tests::docker::Image;

pub use super::super::release::fixture::name;
use super::super::release::fixture::{App, Fixture, ended};

const PATIENCE: Duration = Duration::from_mins(2);
/// Three tables of 5001 and of 300 rows, with a role that owns nothing and one that may read.
const SHOP: &str = "
CREATE TABLE orders (id bigserial PRIMARY KEY, note text NOT NULL);
INSERT INTO orders (note) SELECT md5(n::text) FROM generate_series(1, 5000) n;
CREATE TABLE empty (id int);
CREATE TABLE alembic_version (version_num varchar(32));
INSERT INTO alembic_version VALUES ('0009');
CREATE ROLE reader LOGIN PASSWORD 'a-secret';
GRANT SELECT ON orders TO reader
";
const ODD: &str = r#"
CREATE TABLE "it's | odd" (id serial PRIMARY KEY, text text);
INSERT INTO "it's | odd" (text) SELECT repeat(md5(n::text), 500) FROM generate_series(1, 301) n
"#;
pub const ODD_NAME: &str = r#"it's | "odd""#;

pub struct Site {
    pub fixture: Fixture,
    pub runs: BackupRuns,
    pub database: Database,
}

pub fn service(name: &str) -> ServiceName {
    ServiceName::new(name)
}

pub fn id_of<T>((id, _): &(BackupId, T)) -> BackupId {
    *id
}

/// The app, with these keys of its backup beside `encrypt_to`.
pub fn app(backup: &str) -> App {
    let compose = "
services:
  db:
    image: postgres:17
    environment: { POSTGRES_PASSWORD: of-the-test, POSTGRES_DB: shop }
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { encrypt_to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p], BACKUP }
";
    App::new("shop", &compose.replace("BACKUP", backup))
}

pub fn droplet() -> DropletFolder {
    DropletFolder {
        fleet: "shop".parse().unwrap(),
        environment: "test".parse().unwrap(),
        droplet: "7".parse().unwrap(),
        enrolment: "e1".parse().unwrap(),
    }
}

impl Site {
    pub async fn start(backup: &str) -> Self {
        Self::start_app(&app(backup)).await
    }

    pub async fn start_app(app: &App) -> Self {
        Self::start_with(app, &[Image::Postgres]).await
    }

    pub async fn start_with(app: &App, images: &[Image]) -> Self {
        let fixture = Fixture::start().await;
        for image in images {
            fixture.docker.load(*image).await.unwrap();
        }
        assert_eq!(ended(&fixture.release(app).await), ReleaseState::Released);
        let file = fixture.state().join("backups.db");
        let database = Database::open(
            &file,
            &[release::migrations(), migrations()].concat(),
            DatabaseSettings::default(),
        )
        .unwrap();
        let local = fixture.state().join("backups");
        let runs = runs(&fixture, &database, local);
        let site = Self { fixture, runs, database };
        let begun = std::time::Instant::now();
        // The image's first start ends with a restart: only over TCP it is known to be the last one.
        while site.postgres().await.is_ready().await.unwrap() != Readiness::Ready {
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL does not start");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        site.sql("shop", SHOP).await;
        site.postgres().await.create_database(&DatabaseName(ODD_NAME.to_owned())).await.unwrap();
        site.sql(ODD_NAME, ODD).await;
        site
    }

    /// Without the second database: its rows are not what a check asks for.
    pub async fn without_odd(&self) {
        self.sql("shop", r#"DROP DATABASE "it's | ""odd""""#).await;
    }

    pub fn local(&self) -> PathBuf {
        self.fixture.state().join("backups")
    }

    pub fn docker(&self) -> Engine {
        Engine::new(self.fixture.docker.socket(), Logins::new("none.json"))
    }

    pub async fn postgres(&self) -> Postgres {
        let containers = self.fixture.engine.containers(&name("shop"), Some("db")).await.unwrap();
        Postgres::new(self.docker(), &containers[0].name, "postgres")
    }

    pub async fn sql(&self, database: &str, statements: &str) -> String {
        let database = DatabaseName(database.to_owned());
        self.postgres().await.value(&database, (statements, PATIENCE)).await.unwrap()
    }

    /// Waits until nobody but who asks has a session with the server.
    pub async fn has_no_sessions(&self) {
        let others =
            "SELECT string_agg(application_name || ' ' || coalesce(state, ''), ', ') FROM pg_stat_activity
                      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let begun = std::time::Instant::now();
        loop {
            let others = self.sql("shop", others).await;
            if others.is_empty() {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "sessions are left: {others}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub fn make(cause: Cause) -> Make {
        Make { app: name("shop"), service: None, cause, actor: "test".to_owned() }
    }

    pub fn verify(id: Option<BackupId>) -> Verify {
        Verify { app: name("shop"), service: None, id, keys: FileKeys::default(), actor: "test".to_owned() }
    }

    pub async fn make_one(&self, cause: Cause) -> BackupId {
        self.runs.make(Self::make(cause), Progress::none()).await.unwrap().id
    }

    pub async fn row(&self, id: BackupId) -> BackupRow {
        self.runs.show(&name("shop"), id).await.unwrap().row
    }

    /// The newest first.
    pub async fn ids(&self) -> Vec<BackupId> {
        let listing = self.runs.list(&name("shop"), None).await.unwrap();
        listing.backups.iter().map(|listed| listed.row.id).collect()
    }

    pub async fn scratches(&self) -> Vec<String> {
        let left = self.docker().containers(&[SCRATCH_LABEL.to_owned()]).await.unwrap();
        left.into_iter().map(|container| container.name).collect()
    }

    fn folder(&self) -> PathBuf {
        self.local().join(droplet().to_string()).join("shop/db")
    }

    pub fn file(&self, id: BackupId, file: &str) -> PathBuf {
        self.folder().join(id.to_string()).join(file)
    }

    /// All files of all backups.
    pub fn files(&self) -> Vec<PathBuf> {
        let Ok(folders) = fs_err::read_dir(self.folder()) else { return Vec::new() };
        let files = folders.flat_map(|folder| fs_err::read_dir(folder.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }

    /// What is left of a run that ended so long ago.
    pub fn orphan(&self, id: &str, ago: Duration) {
        let file = self.file(id.parse().unwrap(), "database-1.dump.zst.age");
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, "half").unwrap();
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.set_modified(SystemTime::from(SystemClock.now()).checked_sub(ago).unwrap()).unwrap();
    }
}

pub fn runs(fixture: &Fixture, database: &Database, local: PathBuf) -> BackupRuns {
    runs_of(&fixture.engine, database, local)
}

pub fn runs_of(engine: &release::Engine, database: &Database, local: PathBuf) -> BackupRuns {
    let settings =
        BackupSettings { local, whose: Arc::new(|| Some(droplet())), patience: Patience::default() };
    BackupRuns::new(engine.clone(), database.clone(), Arc::new(SystemClock), settings)
}
