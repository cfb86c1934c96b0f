//! Health of an engine's apps, with limits of seconds.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use tidegate_agent::{
    backup_runs,
    clock::SystemClock,
    config::{HealthConfig, Limit},
    health::{
        self, Health, Level,
        observe::{Deliveries, OwnCertificate, Places, Seen, Sources, Undelivered},
    },
    host::HostFacts,
    store::{Database, DatabaseSettings},
    systemd::Systemd,
};

use super::super::{backups::site::runs, release::fixture::Fixture};

const PATIENCE: Duration = Duration::from_mins(2);

/// One that holds for long.
struct Certificate;

impl OwnCertificate for Certificate {
    fn not_after(&self) -> BoxFuture<'_, Seen<Timestamp>> {
        futures::future::ready(Ok(Timestamp::MAX)).boxed()
    }
}

/// Nobody is told, so nobody is away.
struct Nobody;

impl Deliveries for Nobody {
    fn undelivered(&self) -> BoxFuture<'_, Seen<Vec<Undelivered>>> {
        futures::future::ready(Ok(Vec::new())).boxed()
    }
}

pub struct Site {
    pub health: Health,
}

pub type Told = BTreeMap<String, (Level, String)>;

fn config() -> HealthConfig {
    let second = Duration::from_secs(1);
    let at_once = |limit: Limit| Limit { hold: Duration::ZERO, ..limit };
    let default = HealthConfig::default();
    HealthConfig {
        sample: second,
        ends_after: second,
        unknown_after: second,
        bad_for: second,
        disk_percent: Limit { hold: second, ..default.disk_percent },
        errors_percent: Limit { hold: second, ..default.errors_percent },
        requests: 5,
        restarts: at_once(default.restarts),
        restarts_within: Duration::from_secs(20),
        out_of_memory_told: 10 * second,
        ..default
    }
}

impl Site {
    pub fn new(fixture: &Fixture, disks: &[PathBuf]) -> Self {
        let file = fixture.state().join("health.db");
        let migrations = [backup_runs::migrations(), health::MIGRATIONS.to_vec()].concat();
        let database = Database::open(&file, &migrations, DatabaseSettings::default()).unwrap();
        let sources = Sources {
            engine: fixture.engine.clone(),
            backups: runs(fixture, &database, fixture.state().join("backups")),
            systemd: Arc::<Systemd>::default(),
            certificate: Arc::new(Certificate),
            deliveries: Arc::new(Nobody),
            host: HostFacts::new(&fixture.state()),
            places: Places { disks: disks.to_vec(), proc: "/proc".into(), run: fixture.state() },
        };
        Self { health: Health::new(sources, database, Arc::new(SystemClock), config()) }
    }

    /// Looks until it is so; what is told then, of the droplet's disks, its Docker, and the apps.
    pub async fn until(&self, mut is: impl FnMut(&Told) -> bool) -> Told {
        let begun = Instant::now();
        loop {
            let report = self.health.look().await;
            let ours = report.checks.into_iter().filter(|check| {
                let id = check.id.to_string();
                ["app.", "host.disk", "host.docker", "host.database"].iter().any(|ours| id.starts_with(ours))
            });
            let told: Told = ours.map(|check| (check.id.to_string(), (check.level, check.why))).collect();
            if is(&told) {
                return told;
            }
            assert!(begun.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {told:#?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// What changed, and to what.
    pub async fn changes(&self) -> Vec<(String, Level)> {
        let changes = self.health.history().changes_after(0, 1000).await.unwrap();
        changes.into_iter().map(|one| (one.change.check.id.to_string(), one.change.check.level)).collect()
    }
}
