//! Health of an engine's apps, with limits of seconds as a file sets them, and a receiver that is told what it finds.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{FutureExt as _, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tidegate_agent::{
    alerts::Alerts,
    backup_runs::{self, BackupRuns, BackupSettings, Patience},
    clock::{Clock, SystemClock},
    config::Config,
    health::{
        self, Health, Level,
        observe::{OwnCertificate, Places, Seen, Sources},
    },
    release::Engine,
    store::{Database, DatabaseSettings},
    systemd::Systemd,
};

use super::super::{backups::site::droplet, release::fixture::Fixture};
use crate::{
    alerts::site::{self as alerts, Running, hook, request},
    support::webhook::Webhook,
};

const PATIENCE: Duration = Duration::from_mins(2);
/// For one rule, so that a test says which one before it is cut off.
const PATIENCE_OF_RULE: Duration = Duration::from_secs(50);

/// Each limit is as it is usually, but for how long it is waited.
const LIMITS: &str = "
sample = '1s'
ends_after = '1s'
unknown_after = '1s'
bad_for = '1s'
cpu_percent = { for = '1s' }
memory_percent = { for = '1s' }
disk_percent = { for = '1s' }
inodes_percent = { for = '1s' }
disk_full_hours = { for = '1s' }
load_per_cpu = { for = '1s' }
clock_offset_ms = { for = '1s' }
errors_percent = { for = '1s' }
p95_ms = { warning = 500, for = '1s' }
requests = 5
restarts = { for = '0s' }
restarts_within = '20s'
out_of_memory_told = '10s'
backup_slack = '1m'
release_within = '2s'
";

/// The machine's clock, behind by as much as is said. What it says lies never ahead: Docker waits for what is to come.
#[derive(Debug, Default)]
pub struct Behind(Mutex<SignedDuration>);

impl Behind {
    pub fn by(&self, behind: SignedDuration) {
        *self.0.lock().unwrap() = behind;
    }
}

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_sub(*self.0.lock().unwrap()).unwrap()
    }
}

/// One that holds for long.
struct Certificate;

impl OwnCertificate for Certificate {
    fn not_after(&self) -> BoxFuture<'_, Seen<Timestamp>> {
        futures::future::ready(Ok(Timestamp::MAX)).boxed()
    }
}

/// What is looked at besides Docker.
pub struct Around {
    pub disks: Vec<PathBuf>,
    pub proc: PathBuf,
    pub run: PathBuf,
    pub systemd: Systemd,
}

pub struct Site {
    pub health: Health,
    pub runs: BackupRuns,
    pub clock: Arc<Behind>,
    pub alerts: Alerts,
    /// Who is told.
    pub webhook: Webhook,
    _running: Running,
    _directory: alerts::Site,
}

pub type Told = BTreeMap<String, (Level, String)>;

/// Whether a check is one of those that tests drive: all but what this machine has of its own.
fn is_ours(id: &str) -> bool {
    ["app.", "host.disk", "host.docker", "host.database"].iter().any(|ours| id.starts_with(ours))
}

impl Site {
    /// With these disks.
    pub async fn new(fixture: &Fixture, disks: &[PathBuf]) -> Self {
        let (proc, run) = (PathBuf::from("/proc"), fixture.state());
        let around = Around { disks: disks.to_vec(), proc, run, systemd: Systemd::default() };
        Self::around(&fixture.engine, &fixture.state(), around).await
    }

    pub async fn around(engine: &Engine, state: &Path, around: Around) -> Self {
        let migrations = [backup_runs::migrations(), health::MIGRATIONS.to_vec()].concat();
        let database =
            Database::open(&state.join("health.db"), &migrations, DatabaseSettings::default()).unwrap();
        let clock = Arc::<Behind>::default();
        let settings = BackupSettings {
            local: state.join("backups"),
            whose: Arc::new(|| Some(droplet())),
            patience: Patience::default(),
        };
        let runs = BackupRuns::new(engine.clone(), database.clone(), clock.clone(), settings);
        let directory = alerts::Site::new();
        let alerts = directory.alerts();
        let Around { disks, proc, run, systemd } = around;
        let sources = Sources {
            engine: engine.clone(),
            backups: runs.clone(),
            systemd: Arc::new(systemd),
            certificate: Arc::new(Certificate),
            deliveries: Arc::new(alerts.clone()),
            places: Places { disks, proc, run },
        };
        let file = format!("fleet = 'shop'\nenvironment = 'test'\n[health]\n{LIMITS}");
        let limits = Config::parse(&file, Path::new("agent.toml")).unwrap().health;
        let health = Health::new(sources, database, clock.clone(), limits);
        let running = directory.run(alerts.clone(), &health);
        let webhook = Webhook::start().await;
        alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
        Self { health, runs, clock, alerts, webhook, _running: running, _directory: directory }
    }

    /// What is told now.
    pub async fn look(&self) -> Told {
        let report = self.health.look().await;
        report.checks.into_iter().map(|check| (check.id.to_string(), (check.level, check.why))).collect()
    }

    /// Looks until it is so; what is told then, of the droplet's disks, its Docker, and the apps.
    pub async fn until(&self, mut is: impl FnMut(&Told) -> bool) -> Told {
        let begun = Instant::now();
        loop {
            let mut told = self.look().await;
            told.retain(|id, _| is_ours(id));
            if is(&told) {
                return told;
            }
            assert!(begun.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {told:#?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Looks until the receiver was told that it began; what it was told.
    pub async fn fires(&self, id: &str, level: Level) -> Value {
        self.told("firing", id, |item| item["level"] == level.word()).await
    }

    /// Looks until the receiver was told that it ended.
    pub async fn resolves(&self, id: &str) {
        self.told("resolved", id, |_| true).await;
    }

    async fn told(&self, part: &str, id: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let told = self.look().await;
            // What was found is on its way.
            tokio::time::sleep(Duration::from_millis(300)).await;
            if let Some(item) = self.webhook.items(part, id).into_iter().find(|item| is(item)) {
                return item;
            }
            assert!(begun.elapsed() < PATIENCE_OF_RULE, "nobody was told that {id} is {part}: {told:#?}");
        }
    }

    /// The worst that it was.
    pub async fn worst(&self, id: &str) -> Level {
        let changes = self.changes().await;
        let levels = changes.into_iter().filter_map(|(changed, level)| (changed == id).then_some(level));
        levels.max().unwrap_or(Level::Good)
    }

    /// What changed, and to what.
    pub async fn changes(&self) -> Vec<(String, Level)> {
        let changes = self.health.history().changes_after(0, 1000).await.unwrap();
        changes.into_iter().map(|one| (one.change.check.id.to_string(), one.change.check.level)).collect()
    }
}
