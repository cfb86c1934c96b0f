//! Cloud firewalls: who they apply to, and how long a change is pending. Rules are checked in [`rules`]. The sandbox
//! keeps the books only: no packet is dropped because of a firewall here.

pub mod rules;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use self::rules::RulesRequest;
use super::{Env, Refusal, droplets, is_past, tags};
use crate::account::state::{Firewall, FirewallChange, State};

const MOST_DROPLETS: usize = 10;
const MOST_TAGS: usize = 5;

/// What a request for a whole firewall says; what is left out is empty.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct FirewallRequest {
    /// Name.
    pub name: Option<String>,
    /// Droplets.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub droplet_ids: Vec<u64>,
    /// Tags.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub tags: Vec<String>,
    /// Rules.
    #[serde(flatten)]
    pub rules: RulesRequest,
}

/// A list that may be `null`.
///
/// # Errors
/// When it is neither.
pub fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Makes a firewall.
///
/// # Errors
/// When the name is not acceptable or taken, a rule is malformed, or a droplet or tag does not exist.
pub fn create(state: &mut State, env: &mut Env<'_>, request: FirewallRequest) -> Result<Firewall, Refusal> {
    let id = env.uuid(state);
    let firewall = checked(state, env, request, id, env.now)?;
    state.firewalls.insert(firewall.id.clone(), firewall.clone());
    Ok(firewall)
}

/// Replaces a firewall as a whole; what the request leaves out is gone.
///
/// # Errors
/// As [`create`], or when there is none of this id.
pub fn replace(
    state: &mut State,
    env: &Env<'_>,
    id: &str,
    request: FirewallRequest,
) -> Result<Firewall, Refusal> {
    let current = find(state, id)?.clone();
    let mut firewall = checked(state, env, request, current.id, current.created_at)?;
    firewall.changes = current.changes;
    state.firewalls.insert(id.to_owned(), firewall.clone());
    Ok(firewall)
}

fn checked(
    state: &State,
    env: &Env<'_>,
    request: FirewallRequest,
    id: String,
    created_at: Timestamp,
) -> Result<Firewall, Refusal> {
    let name = checked_name(state, request.name.unwrap_or_default(), &id)?;
    let rules = rules::checked(state, request.rules)?;
    if rules.inbound.is_empty() && rules.outbound.is_empty() {
        return Err(Refusal::unprocessable("must have at least one rule"));
    }
    Ok(Firewall {
        id,
        name,
        created_at,
        droplet_ids: checked_droplets(state, request.droplet_ids)?,
        tags: checked_tags(state, &request.tags)?,
        inbound_rules: rules.inbound,
        outbound_rules: rules.outbound,
        changes: Vec::new(),
        changed_at: env.now,
    })
}

/// The firewall of this id.
///
/// # Errors
/// When there is none.
pub fn find<'a>(state: &'a State, id: &str) -> Result<&'a Firewall, Refusal> {
    state.firewalls.get(id).ok_or(Refusal::NotFound)
}

fn find_mut<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Firewall, Refusal> {
    state.firewalls.get_mut(id).ok_or(Refusal::NotFound)
}

/// Removes a firewall.
///
/// # Errors
/// When there is none.
pub fn delete(state: &mut State, id: &str) -> Result<(), Refusal> {
    state.firewalls.remove(id).map(drop).ok_or(Refusal::NotFound)
}

/// Whether something is added to a firewall or taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Added.
    Add,
    /// Taken away.
    Remove,
}

/// Adds droplets to a firewall or takes them from it.
///
/// # Errors
/// When there is no such firewall or droplet, or they become too many.
pub fn edit_droplets(state: &mut State, id: &str, ids: Vec<u64>, edit: Edit) -> Result<(), Refusal> {
    let mut wanted = find(state, id)?.droplet_ids.clone();
    match edit {
        Edit::Add => wanted.extend(ids),
        Edit::Remove => wanted.retain(|attached| !ids.contains(attached)),
    }
    let checked = checked_droplets(state, wanted)?;
    find_mut(state, id)?.droplet_ids = checked;
    Ok(())
}

/// Adds tags to a firewall or takes them from it.
///
/// # Errors
/// When there is no such firewall or tag, or they become too many.
pub fn edit_tags(state: &mut State, id: &str, names: Vec<String>, edit: Edit) -> Result<(), Refusal> {
    let mut wanted = find(state, id)?.tags.clone();
    match edit {
        Edit::Add => wanted.extend(names),
        Edit::Remove => {
            wanted.retain(|attached| !names.iter().any(|name| tags::fold(name) == tags::fold(attached)));
        }
    }
    let checked = checked_tags(state, &wanted)?;
    find_mut(state, id)?.tags = checked;
    Ok(())
}

/// Adds rules to a firewall or takes them from it; all or none.
///
/// # Errors
/// When there is no such firewall, a rule is malformed, or one to be taken away is not there exactly so.
pub fn edit_rules(
    state: &mut State,
    env: &Env<'_>,
    id: &str,
    request: RulesRequest,
    edit: Edit,
) -> Result<(), Refusal> {
    find(state, id)?;
    let rules = rules::checked(state, request)?;
    let firewall = find_mut(state, id)?;
    rules::edit(&mut firewall.inbound_rules, rules.inbound, edit)?;
    rules::edit(&mut firewall.outbound_rules, rules.outbound, edit)?;
    firewall.changed_at = env.now;
    Ok(())
}

fn checked_name(state: &State, name: String, own_id: &str) -> Result<String, Refusal> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
    if name.len() < 2 || !name.chars().all(allowed) || name.starts_with(['.', '-']) {
        return Err(Refusal::unprocessable(
            "name is invalid: it begins with a letter or digit, and has only letters, digits, periods and dashes",
        ));
    }
    if state.firewalls.values().any(|other| other.name == name && other.id != own_id) {
        return Err(Refusal::Conflict("duplicate name".to_owned()));
    }
    Ok(name)
}

fn checked_droplets(state: &State, ids: Vec<u64>) -> Result<Vec<u64>, Refusal> {
    let ids: BTreeSet<u64> = ids.into_iter().collect();
    let known: BTreeSet<u64> = droplets::alive(state).map(|droplet| droplet.machine.droplet_id).collect();
    if let Some(unknown) = ids.difference(&known).next() {
        return Err(Refusal::unprocessable(format!("droplet {unknown} not found")));
    }
    if ids.len() > MOST_DROPLETS {
        return Err(Refusal::unprocessable(format!(
            "at most {MOST_DROPLETS} droplets can be added to a firewall"
        )));
    }
    Ok(ids.into_iter().collect())
}

/// Unlike other requests, one for a firewall does not make the tags it names.
fn checked_tags(state: &State, names: &[String]) -> Result<Vec<String>, Refusal> {
    let mut checked: Vec<String> = Vec::new();
    for name in names {
        let tag =
            tags::find(state, name).map_err(|_| Refusal::unprocessable(format!("tag {name:?} not found")))?;
        if !checked.contains(&tag.name) {
            checked.push(tag.name.clone());
        }
    }
    if checked.len() > MOST_TAGS {
        return Err(Refusal::unprocessable(format!("at most {MOST_TAGS} tags can be added to a firewall")));
    }
    Ok(checked)
}

/// The droplets that a firewall applies to, by id or by tag.
pub fn members(state: &State, firewall: &Firewall) -> BTreeSet<u64> {
    droplets::alive(state)
        .filter(|droplet| {
            firewall.droplet_ids.contains(&droplet.machine.droplet_id)
                || droplet.tags.iter().any(|tag| firewall.tags.contains(tag))
        })
        .map(|droplet| droplet.machine.droplet_id)
        .collect()
}

/// Whether a firewall's last change is in force.
pub fn is_settled(state: &State, firewall: &Firewall, now: Timestamp) -> bool {
    is_past(Some(firewall.changed_at), state.settings.lags.firewall, now)
        && pending(state, firewall, now).next().is_none()
}

/// Droplets that are still joining or leaving.
pub fn pending<'a>(
    state: &'a State,
    firewall: &'a Firewall,
    now: Timestamp,
) -> impl Iterator<Item = &'a FirewallChange> {
    let lag = state.settings.lags.firewall;
    firewall.changes.iter().filter(move |change| !is_past(Some(change.at), lag, now))
}

/// Takes note of droplets that joined or left a firewall by whatever was just done.
pub fn note_changes(before: &State, state: &mut State, now: Timestamp) {
    let lag = state.settings.lags.firewall;
    let members_now: Vec<(String, BTreeSet<u64>)> =
        state.firewalls.values().map(|firewall| (firewall.id.clone(), members(state, firewall))).collect();
    for (id, members_now) in members_now {
        let members_before =
            before.firewalls.get(&id).map(|firewall| members(before, firewall)).unwrap_or_default();
        let Some(firewall) = state.firewalls.get_mut(&id) else {
            continue;
        };
        firewall.changes.retain(|change| !is_past(Some(change.at), lag, now));
        let change = |droplet_id: u64, removing: bool| FirewallChange { droplet_id, removing, at: now };
        let joined = members_now.difference(&members_before).map(|id| change(*id, false));
        let left = members_before.difference(&members_now).map(|id| change(*id, true));
        firewall.changes.extend(joined.chain(left));
    }
}

#[cfg(test)]
#[path = "firewalls_tests.rs"]
mod tests;
