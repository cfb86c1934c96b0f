//! After each new look: what is told is planned, and written with the messages.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    Alerts, Desk, Inner, Known,
    message::AlertMessage,
    ping::Pinger,
    plan::plan,
    settings::{Kept, ReceiverName},
};
use crate::{health::Report, release::chain, store::DatabaseError};

impl Alerts {
    /// Follows reports for as long as there may be another one.
    pub(super) async fn follow(&self, mut reports: watch::Receiver<Option<Arc<Report>>>) {
        let mut pinger = Pinger::default();
        // The one that is there already may be from before the settings were read.
        reports.mark_changed();
        while reports.changed().await.is_ok() {
            let Some(report) = reports.borrow_and_update().clone() else { continue };
            let mut desk = self.inner.desk.lock().await;
            let Known::Set(kept) = self.loaded(&mut desk).await else { continue };
            self.tell(&report, (&kept, &mut desk)).await;
            desk.looked = Some(report.at);
            drop(desk);
            pinger.after(self, &report, &kept);
        }
        // Nobody looks any more; what waits is sent all the same.
        std::future::pending::<()>().await;
    }

    async fn tell(&self, report: &Report, (kept, desk): (&Arc<Kept>, &mut Desk)) {
        let Inner { store, clock, ids, queued, .. } = &*self.inner;
        let before = match desk.book.take() {
            Some(book) => book,
            None => store.book().await.unwrap_or_else(|error| {
                tracing::error!(
                    error = chain(&error),
                    "what was told cannot be read: what stands is told anew"
                );
                desk.is_unwritten = true;
                super::plan::Book::new()
            }),
        };
        let now = clock.now();
        let planned = plan(report, &before, &kept.settings, now);
        if planned.book == before && planned.news.is_empty() && !desk.is_unwritten {
            desk.book = Some(before);
            return;
        }
        let about = kept.about();
        let messages: Vec<(ReceiverName, AlertMessage)> = planned
            .news
            .into_iter()
            .map(|(name, news)| (name, AlertMessage::new((ids(), report.at), &about, news)))
            .collect();
        let written = store.record(planned.book.clone(), messages.clone(), now).await;
        desk.book = Some(planned.book);
        desk.is_unwritten = written.is_err();
        match written {
            Ok(()) => queued.send_modify(|count| *count = count.wrapping_add(1)),
            Err(error) => self.send_unqueued(kept, messages, &error),
        }
    }

    /// One try for each, beside everything else.
    fn send_unqueued(
        &self,
        kept: &Arc<Kept>,
        messages: Vec<(ReceiverName, AlertMessage)>,
        error: &DatabaseError,
    ) {
        tracing::error!(error = chain(error), messages = messages.len(), "alerts are sent without a queue");
        for (name, message) in messages {
            let (kept, transports) = (Arc::clone(kept), self.inner.transports.clone());
            tokio::spawn(async move {
                let settings = &kept.settings;
                let Some(receiver) = settings.receivers.iter().find(|one| one.name == name) else { return };
                if let Err(error) = transports.send(receiver, settings.smtp.as_ref(), &message).await {
                    tracing::error!(receiver = %name, error = chain(&error), "an alert is lost");
                }
            });
        }
    }
}
