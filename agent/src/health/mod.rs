//! Health: how the droplet and its apps are, what is not as it should be, and since when.
//!
//! Owns the checks, their findings and their history. A look has three parts, which know nothing of each other: [`observe`]
//! looks at everything, [`judge`] (pure) makes findings of what was seen, `remember` keeps what is told and the measured
//! values. Must not know who asks: the droplet's timer does each minute, and whoever runs `tidegate health`; nor whom findings
//! are sent to.
//!
//! # Findings
//! A check is good, a warning, critical, or unknown, which is never the same as good. It becomes worse when it was worse for as
//! long as its limit says, and better when it was better for `ends_after`; a finding of a measured value ends a twentieth on the
//! good side of the limit where it began. Its id, such as `host.disk` or `app.shop.container.shop-web-1`, is for programs.

mod check;
mod figures;
pub mod judge;
pub mod observe;
mod remember;
pub mod series;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

pub use self::{
    check::{Change, Check, CheckId, Level},
    figures::{AppFigures, ContainerFigures, Figures, ServiceFigures},
    observe::Unseen,
    remember::{HealthStore, MIGRATIONS, Remembered, Row, Value, Values},
};
use self::{
    judge::{History, Judged},
    observe::{Before, Sources},
    remember::Looked,
};
use crate::{
    clock::Clock,
    config::HealthConfig,
    store::{Database, DatabaseError},
};

/// How all checks stand after a look.
#[derive(Clone, Debug)]
pub struct Report {
    /// When it was looked.
    pub at: Timestamp,
    /// All checks, by id.
    pub checks: Vec<Check>,
}

/// The droplet's health. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    sources: Sources,
    store: HealthStore,
    clock: Arc<dyn Clock>,
    config: HealthConfig,
    /// One look at a time.
    last: Mutex<Last>,
    /// Of the newest look.
    reports: watch::Sender<Option<Arc<Report>>>,
    figures: watch::Sender<Option<Arc<Figures>>>,
}

#[derive(Default)]
struct Last {
    before: Before,
    report: Option<(Instant, Arc<Report>)>,
    looks: u64,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Health {
    /// With these parts; nothing happens yet. The database has run [`MIGRATIONS`].
    pub fn new(sources: Sources, database: Database, clock: Arc<dyn Clock>, config: HealthConfig) -> Self {
        let (store, last) = (HealthStore::new(database), Mutex::default());
        let (reports, figures) = (watch::Sender::new(None), watch::Sender::new(None));
        Self { inner: Arc::new(Inner { sources, store, clock, config, last, reports, figures }) }
    }

    /// Looks at everything, and tells how it stands. Who asks again within a moment is told the same: many who ask cost
    /// the droplet what one does. What cannot be looked at is told as unknown, so there is always an answer.
    pub async fn look(&self) -> Report {
        let Inner { sources, clock, config, last, reports, figures, .. } = &*self.inner;
        let mut last = last.lock().await;
        if let Some((at, report)) = &last.report
            && at.elapsed() < moment(config.sample)
        {
            return Report::clone(report);
        }
        let begun = Instant::now();
        let now = clock.now();
        // What is remembered has whole seconds.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        // Boxed: it asks many things side by side.
        let observation = Box::pin(observe::look(sources, &mut last.before, now)).await;
        let report = Arc::new(self.judge(&observation).await);
        let ended = Instant::now();
        last.looks = last.looks.saturating_add(1);
        last.report = Some((ended, report.clone()));
        reports.send_replace(Some(report.clone()));
        let measured = Figures::new(observation, report.clone(), (last.looks, begun, ended));
        figures.send_replace(Some(Arc::new(measured)));
        Report::clone(&report)
    }

    /// What the newest look measured; none before the first one. Looks at nothing.
    pub fn figures(&self) -> Option<Arc<Figures>> {
        self.inner.figures.borrow().clone()
    }

    /// Follows what new looks tell, whoever asked for them; none before the first one.
    pub fn reports(&self) -> watch::Receiver<Option<Arc<Report>>> {
        self.inner.reports.subscribe()
    }

    /// What is remembered: changes of what is told, and measured values.
    pub fn history(&self) -> &HealthStore {
        &self.inner.store
    }

    async fn judge(&self, observation: &observe::Observation) -> Report {
        let Inner { store, config, .. } = &*self.inner;
        let at = observation.at;
        let (tracks, history, mut trouble) = match self.remembered(at).await {
            Ok((tracks, history)) => (tracks, history, None),
            Err(error) => (BTreeMap::new(), History::default(), Some(error)),
        };
        let Judged { mut checks, tracks, changes } = judge::judge(observation, (config, &history), &tracks);
        log(&changes);
        if trouble.is_none() {
            let looked = Looked { at, tracks, changes, values: series::of(observation) };
            trouble = store.remember(looked, config.sample).await.err();
        }
        checks.push(database(at, trouble.as_ref()));
        checks.sort_by(|left, right| left.id.cmp(&right.id));
        Report { at, checks }
    }

    async fn remembered(
        &self,
        now: Timestamp,
    ) -> Result<(BTreeMap<CheckId, judge::Track>, History), DatabaseError> {
        let Inner { store, config, .. } = &*self.inner;
        Ok((store.tracks().await?, store.history(now, config.restarts_within).await?))
    }
}

/// Looks that are closer together are one.
fn moment(sample: Duration) -> Duration {
    sample / 12
}

/// The one check that cannot be remembered itself.
fn database(at: Timestamp, trouble: Option<&DatabaseError>) -> Check {
    let (level, why, hint) = match trouble {
        None => (Level::Good, "can be written".to_owned(), String::new()),
        Some(error) => (
            Level::Critical,
            crate::release::chain(error),
            "without it nothing is remembered of health, and no release can begin: `tidegate exec --host -- df -h /var/lib/tidegate`"
                .to_owned(),
        ),
    };
    Check {
        id: CheckId::host("database"),
        level,
        since: at,
        what: "the agent's database".to_owned(),
        why,
        hint,
    }
}

fn log(changes: &[Change]) {
    for Change { check, before } in changes {
        let (id, before, why) = (&check.id, before.word(), &check.why);
        match check.level {
            Level::Good => tracing::info!(%id, before, why, "good again"),
            Level::Unknown => tracing::warn!(%id, before, why, "unknown"),
            Level::Warning => tracing::warn!(%id, before, why, "warning"),
            Level::Critical => tracing::error!(%id, before, why, "critical"),
        }
    }
}
