//! What can be done to a droplet that exists: its actions.

use serde::Deserialize;

use super::{Env, Refusal, actions, droplets, droplets::Fate, tags};
use crate::account::state::{Action, ActionKind, ActionStatus, Droplet, Power, State};

const OFFERED: &str = "power_cycle, power_off, power_on, reboot, rename and shutdown";

/// What a request for an action says.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ActionRequest {
    /// What to do.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The new name, of a `rename`.
    pub name: Option<String>,
}

/// Begins an action on one droplet.
///
/// # Errors
/// When there is no such droplet, it is busy or in the wrong state, or the action is not offered.
pub fn act(
    state: &mut State,
    env: &Env<'_>,
    id: u64,
    request: &ActionRequest,
    fate: Fate,
) -> Result<Action, Refusal> {
    droplets::find(state, id, env.now)?;
    let kind = kind(request)?;
    begin(state, env, id, (kind, request.name.as_deref()), fate)
}

/// Begins an action on every droplet that carries a tag; on all or none.
///
/// # Errors
/// When there is no such tag, the action is not offered by tag, or one of the droplets cannot take it.
pub fn act_tagged(
    state: &mut State,
    env: &Env<'_>,
    tag: &str,
    request: &ActionRequest,
    fate: Fate,
) -> Result<Vec<Action>, Refusal> {
    let kind = kind(request)?;
    if matches!(kind, ActionKind::Rename | ActionKind::Reboot) {
        return Err(Refusal::unprocessable("This action can not be done by tag"));
    }
    let tag = tags::find(state, tag)?.name.clone();
    let tagged: Vec<u64> = droplets::alive(state)
        .filter(|droplet| droplet.tags.contains(&tag))
        .map(|droplet| droplet.machine.droplet_id)
        .collect();
    tagged.into_iter().map(|id| begin(state, env, id, (kind, None), fate)).collect()
}

fn kind(request: &ActionRequest) -> Result<ActionKind, Refusal> {
    Ok(match request.kind.as_deref().unwrap_or_default() {
        "power_cycle" => ActionKind::PowerCycle,
        "power_off" => ActionKind::PowerOff,
        "power_on" => ActionKind::PowerOn,
        "reboot" => ActionKind::Reboot,
        "rename" => ActionKind::Rename,
        "shutdown" => ActionKind::Shutdown,
        "" => return Err(Refusal::unprocessable("type can't be blank")),
        other => {
            return Err(Refusal::unprocessable(format!(
                "The sandbox does not offer the droplet action {other:?}; it offers {OFFERED}"
            )));
        }
    })
}

fn begin(
    state: &mut State,
    env: &Env<'_>,
    id: u64,
    (kind, name): (ActionKind, Option<&str>),
    fate: Fate,
) -> Result<Action, Refusal> {
    let droplet = state.droplets.get(&id).ok_or(Refusal::NotFound)?.clone();
    if droplet.deleted_at.is_some() || actions::pending(state, id).is_some() {
        return Err(Refusal::unprocessable("Droplet already has a pending event."));
    }
    check_power(&droplet, kind)?;
    let name = name.unwrap_or_default();
    if kind == ActionKind::Rename {
        droplets::check_name(name)?;
    }
    let mut action = actions::begin(state, env, &droplet, kind);
    if kind == ActionKind::Rename {
        if let Some(droplet) = state.droplets.get_mut(&id) {
            name.clone_into(&mut droplet.name);
        }
        actions::finish(state, action.id, None, env.now);
        action.status = ActionStatus::Completed;
        action.completed_at = Some(env.now);
        return Ok(action);
    }
    actions::meet_fate(state, action.id, fate, env.now);
    Ok(action)
}

fn check_power(droplet: &Droplet, kind: ActionKind) -> Result<(), Refusal> {
    let text = match (kind, droplet.power) {
        (ActionKind::Rename, _) => return Ok(()),
        (_, Power::New) => "Droplet was never created.",
        (ActionKind::PowerOn, Power::Active) => "Droplet is already powered on.",
        (ActionKind::PowerOff | ActionKind::Shutdown, Power::Off) => "Droplet is already powered off",
        (ActionKind::Reboot | ActionKind::PowerCycle, Power::Off) => {
            "Droplet is currently off. Please power it on to run this event."
        }
        _ => return Ok(()),
    };
    Err(Refusal::unprocessable(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::{self, with_env};

    fn request(kind: &str) -> ActionRequest {
        ActionRequest { kind: Some(kind.to_owned()), name: None }
    }

    fn try_it(state: &mut State, id: u64, kind: &str) -> Result<Action, Refusal> {
        // The usual lags hide a droplet at its first moment.
        let later = fixture::now() + std::time::Duration::from_mins(1);
        fixture::with_env_at(later, |env| act(state, env, id, &request(kind), Fate::Done))
    }

    #[test]
    fn one_action_at_a_time() {
        let mut state = fixture::state();
        let id = fixture::droplet(&mut state, "web-1", &[]);
        let action = try_it(&mut state, id, "power_off").unwrap();
        assert_eq!(
            try_it(&mut state, id, "reboot").unwrap_err().to_string(),
            "Droplet already has a pending event."
        );
        actions::finish(&mut state, action.id, None, fixture::now());
        assert_eq!(state.droplets[&id].power, Power::Off);
        let off = try_it(&mut state, id, "power_off").unwrap_err();
        assert_eq!(off.to_string(), "Droplet is already powered off");
        let action = try_it(&mut state, id, "power_on").unwrap();
        actions::finish(&mut state, action.id, None, fixture::now());
        assert_eq!(state.droplets[&id].power, Power::Active);
    }

    #[test]
    fn what_is_not_offered_is_named() {
        let mut state = fixture::state();
        let id = fixture::droplet(&mut state, "web-1", &[]);
        let refused = try_it(&mut state, id, "resize").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "The sandbox does not offer the droplet action \"resize\"; it offers power_cycle, power_off, power_on, reboot, rename and shutdown"
        );
    }

    #[test]
    fn by_tag_all_or_none() {
        let mut state = fixture::state();
        let on = fixture::droplet(&mut state, "a", &["web"]);
        let busy = fixture::droplet(&mut state, "b", &["web"]);
        try_it(&mut state, busy, "reboot").unwrap();
        let mut copy = state.clone();
        with_env(|env| act_tagged(&mut copy, env, "web", &request("power_off"), Fate::Done)).unwrap_err();
        let reboot = actions::pending(&state, busy).unwrap().id;
        actions::finish(&mut state, reboot, None, fixture::now());
        let begun =
            with_env(|env| act_tagged(&mut state, env, "WEB", &request("power_off"), Fate::Done)).unwrap();
        assert_eq!(begun.iter().map(|action| action.droplet_id).collect::<Vec<_>>(), [on, busy]);
        with_env(|env| act_tagged(&mut state, env, "web", &request("rename"), Fate::Done)).unwrap_err();
    }

    #[test]
    fn a_rename_leaves_the_host_name() {
        let mut state = fixture::state();
        let id = fixture::droplet(&mut state, "web-1", &[]);
        let rename =
            |name: &str| ActionRequest { kind: Some("rename".to_owned()), name: Some(name.to_owned()) };
        let later = fixture::now() + std::time::Duration::from_mins(1);
        fixture::with_env_at(later, |env| act(&mut state, env, id, &rename("web_2"), Fate::Done))
            .unwrap_err();
        let done = fixture::with_env_at(later, |env| act(&mut state, env, id, &rename("web-2"), Fate::Done))
            .unwrap();
        assert_eq!(done.status, ActionStatus::Completed);
        assert_eq!(state.droplets[&id].name, "web-2");
        assert_eq!(state.droplets[&id].machine.hostname, "web-1");
    }
}
