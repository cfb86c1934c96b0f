//! Droplets: when one is seen, when it is gone, and what a fault has in store for it. Making them is in [`create`]; what is
//! done to one that exists in [`super::power`].

mod create;

use std::time::Duration;

use jiff::Timestamp;

use super::{Env, Refusal, actions, is_past, tags};
use crate::account::{
    settings::WhilePending,
    state::{ActionKind, ActionStatus, Droplet, State},
};

pub use self::create::{CreateRequest, create};

/// What a fault does to a create.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishap {
    /// Hides the droplet for so long, instead of the usual lags.
    pub hidden: Option<Duration>,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of something that was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    #[default]
    Done,
    /// Its action stays in progress for ever.
    Stuck,
    /// It is lost: the droplet is never seen again, its action ends in error.
    Vanishes,
}

/// A droplet's name is a host name.
///
/// # Errors
/// When it is empty, too long, or holds other characters.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
    if name.is_empty() {
        return Err(Refusal::unprocessable("Name can't be blank"));
    }
    let well_formed =
        name.chars().all(allowed) && !name.starts_with(['.', '-']) && !name.ends_with(['.', '-']);
    if !well_formed || name.len() > 255 {
        return Err(Refusal::unprocessable(
            "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)",
        ));
    }
    Ok(())
}

/// Droplets that nobody has asked to delete.
pub fn alive(state: &State) -> impl Iterator<Item = &Droplet> {
    state.droplets.values().filter(|droplet| droplet.deleted_at.is_none())
}

/// The droplet of this id, if it may be seen.
///
/// # Errors
/// When there is none, not yet, or no longer.
pub fn find(state: &State, id: u64, now: Timestamp) -> Result<&Droplet, Refusal> {
    let droplet = state.droplets.get(&id).ok_or(Refusal::NotFound)?;
    let appeared = is_past(Some(droplet.created_at), droplet.hidden.not_found, now);
    if appeared && !is_gone(state, droplet, now) { Ok(droplet) } else { Err(Refusal::NotFound) }
}

/// Droplets in lists, oldest first.
pub fn listed(state: &State, now: Timestamp) -> impl Iterator<Item = &Droplet> {
    state.droplets.values().filter(move |droplet| {
        is_past(Some(droplet.created_at), droplet.hidden.not_listed, now) && !is_gone(state, droplet, now)
    })
}

/// Whether a droplet's addresses are known by now.
pub fn shows_address(state: &State, droplet: &Droplet, now: Timestamp) -> bool {
    is_past(droplet.running_since, state.settings.lags.address, now)
}

fn is_gone(state: &State, droplet: &Droplet, now: Timestamp) -> bool {
    is_past(droplet.deleted_at, state.settings.lags.delete_visible, now)
}

/// Asks for a droplet's deletion. It is still seen for a while.
///
/// # Errors
/// When it is not there, or busy and the settings refuse that.
pub fn delete(state: &mut State, env: &Env<'_>, id: u64) -> Result<(), Refusal> {
    find(state, id, env.now)?;
    delete_known(state, env, id)
}

fn delete_known(state: &mut State, env: &Env<'_>, id: u64) -> Result<(), Refusal> {
    let busy = actions::pending(state, id).is_some();
    let droplet = state.droplets.get_mut(&id).ok_or(Refusal::NotFound)?;
    if droplet.deleted_at.is_some() || (busy && state.settings.delete_while_pending == WhilePending::Refuse) {
        return Err(Refusal::unprocessable("Droplet already has a pending event."));
    }
    droplet.deleted_at = Some(env.now);
    let droplet = droplet.clone();
    for action in state.actions.values_mut().filter(|action| action.droplet_id == id && action.stuck) {
        action.status = ActionStatus::Errored;
        action.completed_at = Some(env.now);
    }
    for firewall in state.firewalls.values_mut() {
        firewall.droplet_ids.retain(|attached| *attached != id);
    }
    actions::begin(state, env, &droplet, ActionKind::Destroy);
    Ok(())
}

/// Asks for the deletion of every droplet that carries a tag.
///
/// # Errors
/// When there is no such tag, or one of them is busy.
pub fn delete_tagged(state: &mut State, env: &Env<'_>, tag: &str) -> Result<(), Refusal> {
    let tag = tags::find(state, tag)?.name.clone();
    let tagged: Vec<u64> = alive(state)
        .filter(|droplet| droplet.tags.contains(&tag))
        .map(|droplet| droplet.machine.droplet_id)
        .collect();
    tagged.into_iter().try_for_each(|id| delete_known(state, env, id))
}

/// Forgets droplets that are destroyed and that nobody may see any more.
pub fn purge(state: &mut State, now: Timestamp) {
    let linger = state.settings.lags.delete_visible.max(state.settings.lags.member);
    state.droplets.retain(|_, droplet| !droplet.destroyed || !is_past(droplet.deleted_at, linger, now));
}

#[cfg(test)]
#[path = "droplets_tests.rs"]
mod tests;
