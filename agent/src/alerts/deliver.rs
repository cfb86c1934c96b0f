//! A task per receiver, which sends what waits for it, in order. Receivers do not wait for each other.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{task::JoinSet, time::sleep};

use super::{
    Alerts, Inner, Known,
    settings::{Kept, Receiver},
    store::Queued,
};
use crate::release::chain;

/// No wait is longer, whatever a clock that was set back says of the next try.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

impl Alerts {
    /// Sends to all receivers of the settings, whichever these are.
    pub(super) async fn deliver(&self) {
        let mut known = self.inner.known.subscribe();
        loop {
            let settings = known.borrow_and_update().clone();
            let mut tasks = JoinSet::new();
            if let Known::Set(kept) = settings {
                for receiver in kept.settings.receivers.clone() {
                    let (alerts, kept) = (self.clone(), Arc::clone(&kept));
                    tasks.spawn(async move { alerts.deliver_to(&receiver, &kept).await });
                }
            }
            if known.changed().await.is_err() {
                return;
            }
            // What is under way may arrive, and is sent again: its id tells that it is the same.
            tasks.shutdown().await;
        }
    }

    async fn deliver_to(&self, receiver: &Receiver, kept: &Kept) {
        let Inner { store, clock, queued, .. } = &*self.inner;
        let mut new = queued.subscribe();
        // The message for which the pause after its last try is over.
        let mut due = None;
        loop {
            new.mark_unchanged();
            let next = match store.next(&receiver.name, clock.now()).await {
                Ok(Some(next)) => next,
                Ok(None) => match new.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                Err(error) => {
                    tracing::error!(error = chain(&error), "what waits to be sent cannot be read");
                    sleep(self.pause_after(1)).await;
                    continue;
                }
            };
            if due != Some(next.number) {
                let pause = until(next.next_try, clock.now());
                due = Some(next.number);
                if !pause.is_zero() {
                    sleep(pause).await;
                    // It may have been given up meanwhile.
                    continue;
                }
            }
            self.try_once(receiver, kept, &next).await;
        }
    }

    /// Returns when the next try may begin.
    async fn try_once(&self, receiver: &Receiver, kept: &Kept, next: &Queued) {
        let Inner { store, clock, transports, .. } = &*self.inner;
        let name = &receiver.name;
        let Err(error) = transports.send(receiver, kept.settings.smtp.as_ref(), &next.message).await else {
            // What is not written would be sent again.
            while let Err(error) = store.delivered(name, next, clock.now()).await {
                tracing::error!(error = chain(&error), receiver = %name, "that an alert arrived is not written yet");
                sleep(self.pause_after(1)).await;
            }
            return;
        };
        let pause = self.pause_after(next.attempts.saturating_add(1));
        let pause = pause.max(error.retry_after().unwrap_or_default()).min(LONGEST_WAIT);
        let failure = chain(&error);
        tracing::warn!(receiver = %name, failure, attempts = next.attempts, "an alert was not taken");
        let now = clock.now();
        let next_try = now.checked_add(pause).unwrap_or(now);
        if let Err(error) = store.failed((name, next.number), failure, (now, next_try)).await {
            tracing::error!(error = chain(&error), receiver = %name, "that an alert was not taken is not written");
        }
        sleep(pause).await;
    }

    fn pause_after(&self, attempt: u32) -> Duration {
        self.inner.retry.pause_after(attempt).unwrap_or(LONGEST_WAIT)
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT)
}
