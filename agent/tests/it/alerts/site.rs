//! Alerts as the agent puts them together, with pauses of milliseconds; what health finds, the test says.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tidegate_agent::{
    alerts::{
        self, Alerts, ReceiverState,
        send::{ChildCommands, Deadlines, Roots, Transports},
        settings::{SettingsFile, Whose},
    },
    clock::{Clock as _, ManualClock},
    health::{Check, CheckId, Health, Level, Report},
    store::{Database, DatabaseSettings},
};
use tidegate_proto::v1::{AlertReceiver, AlertSeverity, SetAlertsRequest, alert_receiver::Kind};
use tidegate_saga::Retry;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::support::{fleet::NOW, webhook::Webhook};

pub use Level::{Critical, Good, Warning};

pub const PATIENCE: Duration = Duration::from_secs(1);

/// A droplet's alerts; they can be begun there again and again.
pub struct Site {
    pub directory: TempDir,
    pub clock: Arc<ManualClock>,
    pub roots: Roots,
    pub enrolment: String,
}

/// Alerts that run.
pub struct Running {
    pub alerts: Alerts,
    clock: Arc<ManualClock>,
    reports: watch::Sender<Option<Arc<Report>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Settings with these receivers.
pub fn request(receivers: Vec<AlertReceiver>) -> SetAlertsRequest {
    SetAlertsRequest { receivers, droplet: "shop-production-web-1".to_owned(), ..SetAlertsRequest::default() }
}

/// One that is told everything.
pub fn receiver(name: &str, kind: Kind) -> AlertReceiver {
    AlertReceiver { name: name.to_owned(), least: AlertSeverity::Warning.into(), kind: Some(kind) }
}

/// The same, by a signed webhook.
pub fn hook(name: &str, webhook: &Webhook) -> AlertReceiver {
    receiver(name, Kind::Webhook(webhook.settings()))
}

impl Site {
    pub fn new() -> Self {
        let (directory, clock) = (TempDir::new_in("/dev/shm").unwrap(), Arc::new(ManualClock::new(NOW)));
        Self { directory, clock, roots: Roots::System, enrolment: "e1".to_owned() }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// As after a start of the agent; what health finds, the test says.
    pub fn start(&self) -> Running {
        let (reports, following) = watch::channel(None);
        self.start_with(reports, following)
    }

    /// The same, with what a real health finds.
    pub fn start_over(&self, health: &Health) -> Running {
        self.start_with(watch::Sender::new(None), health.reports())
    }

    /// With what a real health finds, which knows of these alerts.
    pub fn run(&self, alerts: Alerts, health: &Health) -> Running {
        self.run_with(alerts, watch::Sender::new(None), health.reports())
    }

    fn start_with(
        &self,
        reports: watch::Sender<Option<Arc<Report>>>,
        following: watch::Receiver<Option<Arc<Report>>>,
    ) -> Running {
        self.run_with(self.alerts(), reports, following)
    }

    /// Alerts that have not begun.
    pub fn alerts(&self) -> Alerts {
        let settings = DatabaseSettings { reserve_bytes: 0, ..DatabaseSettings::default() };
        let database = Database::open(&self.path("agent.db"), alerts::MIGRATIONS, settings).unwrap();
        let deadlines = Deadlines { send: PATIENCE, command: PATIENCE, ping: PATIENCE };
        let transports =
            Transports::new((self.roots.clone(), deadlines), Arc::new(ChildCommands), self.clock.clone());
        let enrolment = self.enrolment.clone();
        let whose = move || {
            let enrolment = enrolment.clone();
            Some(Whose { fleet: "shop".to_owned(), environment: "production".to_owned(), enrolment })
        };
        Alerts::new(alerts::Parts {
            file: SettingsFile::in_directory(self.directory.path()),
            database,
            transports,
            whose: Arc::new(whose),
            clock: self.clock.clone(),
            retry: Retry::new(u32::MAX, Duration::from_millis(50), Duration::from_millis(100), || 1.0),
            ids: Arc::new(uuid::Uuid::new_v4),
        })
    }

    fn run_with(
        &self,
        alerts: Alerts,
        reports: watch::Sender<Option<Arc<Report>>>,
        following: watch::Receiver<Option<Arc<Report>>>,
    ) -> Running {
        let stop = CancellationToken::new();
        let task = {
            let (alerts, stop) = (alerts.clone(), stop.clone());
            tokio::spawn(async move { alerts.run(following, stop).await })
        };
        Running { alerts, clock: self.clock.clone(), reports, stop, task }
    }
}

impl Running {
    /// So many minutes later it stands so. Returns when the look is planned.
    pub async fn look(&self, minutes: i64, checks: &[(&str, Level)]) {
        self.clock.advance(SignedDuration::from_mins(minutes));
        self.reports.send_replace(Some(Arc::new(report(self.clock.now(), checks))));
        self.planned().await;
    }

    /// Waits until what was reported is planned.
    async fn planned(&self) {
        let now = self.clock.now();
        for _ in 0..800 {
            if self.alerts.looked().await == Some(now) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the look was not planned");
    }

    /// How a receiver fares.
    pub async fn state(&self, name: &str) -> ReceiverState {
        let state = self.alerts.state().await.unwrap();
        let found = state.receivers.into_iter().find(|(receiver, _, _)| receiver.as_str() == name);
        found.unwrap_or_else(|| panic!("no receiver {name}")).2
    }

    /// Waits until it fares so.
    pub async fn until(&self, name: &str, is: impl Fn(&ReceiverState) -> bool) -> ReceiverState {
        for _ in 0..800 {
            let state = self.state(name).await;
            if is(&state) {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it is not so: {:?}", self.state(name).await);
    }

    /// Why the last try failed, once one did.
    pub async fn failure(&self, name: &str) -> String {
        self.until(name, |state| state.failing.is_some()).await.failing.unwrap().1
    }

    /// As when the agent ends.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn report(at: Timestamp, checks: &[(&str, Level)]) -> Report {
    let check = |(id, level): &(&str, Level)| Check {
        id: CheckId::host(*id),
        level: *level,
        since: at,
        what: format!("the {id}"),
        why: format!("is {}", level.word()),
        hint: "look".to_owned(),
    };
    Report { at, checks: checks.iter().map(check).collect() }
}

/// Whether a file has it.
pub fn has(path: &Path, text: &str) -> bool {
    let content = fs_err::read(path).unwrap();
    content.windows(text.len()).any(|window| window == text.as_bytes())
}
