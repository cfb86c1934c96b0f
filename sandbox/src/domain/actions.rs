//! Actions: begun, finished, and what their end means for the droplet.

use jiff::Timestamp;

use super::{Env, droplets::Fate};
use crate::{
    account::state::{Action, ActionKind, ActionStatus, Droplet, Power, State},
    machine::MachineState,
};

/// Begins an action on a droplet; the account works on it once this change is on disk.
pub fn begin(state: &mut State, env: &Env<'_>, droplet: &Droplet, kind: ActionKind) -> Action {
    state.counters.action = state.counters.action.saturating_add(1);
    let action = Action {
        id: state.counters.action,
        kind,
        status: ActionStatus::InProgress,
        droplet_id: droplet.machine.droplet_id,
        region: droplet.machine.region.clone(),
        started_at: env.now,
        completed_at: None,
        failure: None,
        stuck: false,
    };
    state.actions.insert(action.id, action.clone());
    action
}

/// What a fault, or the account itself, has in store for an action that just began.
pub fn meet_fate(state: &mut State, action_id: u64, fate: Fate, now: Timestamp) {
    match fate {
        Fate::Done => {}
        Fate::Stuck => {
            if let Some(action) = state.actions.get_mut(&action_id) {
                action.stuck = true;
            }
        }
        Fate::Vanishes => finish(state, action_id, Some("it was lost after it was accepted".to_owned()), now),
    }
}

/// Writes down how an action ended.
pub fn finish(state: &mut State, action_id: u64, failure: Option<String>, now: Timestamp) {
    let Some(action) = state.actions.get_mut(&action_id) else {
        return;
    };
    action.status = if failure.is_some() { ActionStatus::Errored } else { ActionStatus::Completed };
    action.completed_at = Some(now);
    action.failure = failure;
    if action.status == ActionStatus::Errored {
        return;
    }
    let (kind, droplet_id) = (action.kind, action.droplet_id);
    let Some(droplet) = state.droplets.get_mut(&droplet_id) else {
        return;
    };
    match kind {
        ActionKind::Create | ActionKind::PowerOn | ActionKind::PowerCycle | ActionKind::Reboot => {
            droplet.power = Power::Active;
            droplet.running_since.get_or_insert(now);
        }
        ActionKind::PowerOff | ActionKind::Shutdown => droplet.power = Power::Off,
        ActionKind::Destroy => droplet.destroyed = true,
        ActionKind::Rename => {}
    }
}

/// Actions that are still to be done, oldest first; those held by a fault are not.
pub fn unfinished(state: &State) -> impl Iterator<Item = &Action> {
    state.actions.values().filter(|action| action.status == ActionStatus::InProgress && !action.stuck)
}

/// The action that a droplet is busy with.
pub fn pending(state: &State, droplet_id: u64) -> Option<&Action> {
    let mut pending = state.actions.values().rev();
    pending.find(|action| action.droplet_id == droplet_id && action.status == ActionStatus::InProgress)
}

/// Droplets whose machines should be as the account believes: neither new, busy nor on their way out.
pub fn idle_droplets(state: &State) -> impl Iterator<Item = &Droplet> {
    state.droplets.values().filter(|droplet| {
        droplet.power != Power::New
            && droplet.deleted_at.is_none()
            && pending(state, droplet.machine.droplet_id).is_none()
    })
}

/// Takes note of how a machine was found. One that is busy is left to its action.
pub fn note_machine(state: &mut State, droplet_id: u64, machine: MachineState) {
    if pending(state, droplet_id).is_some() {
        return;
    }
    let Some(droplet) = state.droplets.get_mut(&droplet_id) else {
        return;
    };
    if droplet.power == Power::New {
        return;
    }
    droplet.power = match machine {
        MachineState::Running => Power::Active,
        MachineState::Off | MachineState::Absent => Power::Off,
    };
}
