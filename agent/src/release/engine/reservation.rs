//! One release per app at a time: who has an app, and what is under way for it.

use std::sync::Arc;

use jiff::Timestamp;
use tidegate_saga::Cancel;
use tokio::sync::watch;

use super::Inner;
use crate::{
    apps::{AppName, ReleaseNumber},
    release::together::Standing,
};

/// What is under way for an app.
#[derive(Clone, Debug)]
pub(in crate::release) struct Live {
    /// None while it is being admitted, or removed.
    pub(in crate::release) release: Option<ReleaseNumber>,
    pub(in crate::release) what: &'static str,
    pub(in crate::release) actor: String,
    pub(in crate::release) since: Timestamp,
    pub(in crate::release) changed: watch::Sender<u64>,
    pub(in crate::release) cancel: Cancel,
    pub(in crate::release) standing: Standing,
}

/// An app that nobody else may change as long as this lives.
pub(in crate::release) struct Reservation {
    pub(in crate::release) inner: Arc<Inner>,
    pub(in crate::release) app: AppName,
    pub(in crate::release) live: Live,
}

impl Reservation {
    pub(super) fn began(&self, release: ReleaseNumber) {
        if let Some(live) = self.inner.live().get_mut(&self.app) {
            live.release = Some(release);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.inner.live().remove(&self.app);
        // Whoever watches looks once more and sees that it is over.
        self.live.changed.send_modify(|count| *count = count.wrapping_add(1));
        self.inner.ended.send_modify(|count| *count = count.wrapping_add(1));
    }
}
