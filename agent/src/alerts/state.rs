//! How alerts fare: for whoever asks, and for health's own check of them.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{
    Alerts, AlertsError, Inner, PingState, ReceiverState,
    settings::{Kept, ReceiverName, Severity},
};
use crate::{
    health::{
        CheckId, Level, Unseen,
        observe::{Deliveries, Seen, Undelivered},
    },
    release::chain,
};

/// How alerts fare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// All receivers, in the order of the settings.
    pub receivers: Vec<(ReceiverName, Severity, ReceiverState)>,
    /// Findings of which receivers know.
    pub told: BTreeMap<CheckId, ToldCheck>,
    /// The ping.
    pub ping: PingState,
    /// SHA-256 of what was set; empty: nothing was.
    pub settings: String,
}

/// A finding of which at least one receiver knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldCheck {
    /// The worst as which it was told last.
    pub level: Level,
    /// Since when it was so bad.
    pub since: Timestamp,
    /// What is checked.
    pub what: String,
    /// When it was told last.
    pub at: Timestamp,
}

impl Alerts {
    /// How alerts fare.
    ///
    /// # Errors
    /// When the settings or the database cannot be read.
    pub async fn state(&self) -> Result<State, AlertsError> {
        let Some(kept) = self.kept().await? else { return Ok(State::default()) };
        let store = &self.inner.store;
        let mut states = store.receivers().await.map_err(AlertsError::Database)?;
        let mut told: BTreeMap<CheckId, ToldCheck> = BTreeMap::new();
        for (id, one) in store.book().await.map_err(AlertsError::Database)?.into_values().flatten() {
            let one = ToldCheck { level: one.level, since: one.since, what: one.what, at: one.at };
            let known = told.entry(id).or_insert_with(|| one.clone());
            let at = known.at.max(one.at);
            if one.level > known.level {
                *known = one;
            }
            known.at = at;
        }
        let receivers = kept.settings.receivers.iter().map(|receiver| {
            let state = states.remove(&receiver.name).unwrap_or_default();
            (receiver.name.clone(), receiver.least, state)
        });
        Ok(State {
            receivers: receivers.collect(),
            told,
            ping: store.ping().await.map_err(AlertsError::Database)?,
            settings: kept.settings.digest.clone(),
        })
    }

    async fn not_reached(&self) -> Seen<Vec<Undelivered>> {
        let Inner { store, .. } = &*self.inner;
        let unseen = |error: &(dyn std::error::Error + 'static)| Unseen(chain(error));
        let kept: Option<Arc<Kept>> = self.kept().await.map_err(|error| unseen(&error))?;
        if kept.is_none() {
            return Ok(Vec::new());
        }
        let states = store.receivers().await.map_err(|error| unseen(&error))?;
        let failing = states.into_iter().filter_map(|(receiver, state)| {
            let (since, why) = state.failing?;
            Some(Undelivered { receiver: receiver.to_string(), since, why })
        });
        Ok(failing.collect())
    }
}

impl Deliveries for Alerts {
    fn undelivered(&self) -> BoxFuture<'_, Seen<Vec<Undelivered>>> {
        Box::pin(self.not_reached())
    }
}
