//! Droplets: what makes one, when it is seen, when it is gone.

use jiff::Timestamp;

use crate::account::state::{Droplet, State};

/// Forgets droplets that are destroyed and that nobody may see any more.
pub fn purge(state: &mut State, now: Timestamp) {
    let linger = state.settings.lags.delete_visible.max(state.settings.lags.member);
    state
        .droplets
        .retain(|_, droplet| !droplet.destroyed || !is_past(droplet.deleted_at, linger, now));
}

/// Whether a droplet answers on its own path.
pub fn is_found(state: &State, droplet: &Droplet, now: Timestamp) -> bool {
    is_past(Some(droplet.created_at), droplet.hidden.not_found, now) && !is_gone(state, droplet, now)
}

/// Whether a droplet is in lists.
pub fn is_listed(state: &State, droplet: &Droplet, now: Timestamp) -> bool {
    is_past(Some(droplet.created_at), droplet.hidden.not_listed, now) && !is_gone(state, droplet, now)
}

fn is_gone(state: &State, droplet: &Droplet, now: Timestamp) -> bool {
    is_past(droplet.deleted_at, state.settings.lags.delete_visible, now)
}

/// Whether `start` lies at least `lag` back.
fn is_past(start: Option<Timestamp>, lag: std::time::Duration, now: Timestamp) -> bool {
    start.is_some_and(|start| start.saturating_add(lag).is_ok_and(|end| end <= now))
}
