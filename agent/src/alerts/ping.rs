//! The dead man's switch: an address that is asked for after each look, while nothing is critical. Whoever listens there tells
//! when that ends.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::{Alerts, settings::Kept};
use crate::{
    health::{Level, Report},
    release::chain,
};

/// However often it is looked.
const SHORTEST: Duration = Duration::from_secs(30);

/// When it was asked last, and that asking. What hangs is over long before the next one.
#[derive(Default)]
pub(super) struct Pinger {
    last: Option<(Instant, AbortOnDropHandle<()>)>,
}

impl Pinger {
    pub(super) fn after(&mut self, alerts: &Alerts, report: &Report, kept: &Arc<Kept>) {
        let is_critical = report.checks.iter().any(|check| check.level == Level::Critical);
        let is_soon = self.last.as_ref().is_some_and(|(at, _)| at.elapsed() < SHORTEST);
        if is_critical || is_soon || kept.settings.ping.is_none() {
            return;
        }
        let (alerts, kept) = (alerts.clone(), Arc::clone(kept));
        let asking = tokio::spawn(async move { alerts.ping(&kept).await });
        self.last = Some((Instant::now(), AbortOnDropHandle::new(asking)));
    }
}

impl Alerts {
    async fn ping(&self, kept: &Kept) {
        let Some(ping) = &kept.settings.ping else { return };
        let failure = self.inner.transports.ping(ping).await.err().map(|error| chain(&error));
        if let Some(failure) = &failure {
            tracing::warn!(failure, "the ping was not answered");
        }
        if let Err(error) = self.inner.store.pinged(self.inner.clock.now(), failure).await {
            tracing::warn!(error = chain(&error), "how the ping ended is not remembered");
        }
    }
}
