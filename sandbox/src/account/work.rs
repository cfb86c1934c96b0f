//! Background work: what an action does to a machine, and how its end is written down. One action of a droplet at a time;
//! an action that a dead process left in progress is simply done again, for every driver call is safe to repeat.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::future::join_all;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::{Account, state::ActionKind};
use crate::{
    domain::{actions, droplets},
    machine::{MachineError, MachineSpec, MachineState},
};

/// How long a driver may take for one step: a cold boot without KVM beside others included.
const STEP_DEADLINE: Duration = Duration::from_mins(5);
/// How long a guest is given to power itself off.
const SHUTDOWN_PATIENCE: Duration = Duration::from_mins(1);
/// How long taking up one machine may take at the start.
const ADOPT_DEADLINE: Duration = Duration::from_mins(1);
/// How often a machine that cannot be removed is tried again, and how long apart.
const DESTROY_TRIES: u32 = 60;
const DESTROY_PAUSE: Duration = Duration::from_secs(5);
/// How often the account looks whether machines went off by themselves.
const WATCH_PERIOD: Duration = Duration::from_secs(3);

/// Takes up machines and unfinished actions of an earlier process.
pub(super) async fn resume(account: &Arc<Account>) {
    let state = account.state();
    let unfinished: Vec<u64> = actions::unfinished(&state).map(|action| action.id).collect();
    // Also those whose creation was cut off: their machine may be there, without its services.
    let specs = droplets::alive(&state).map(|droplet| &droplet.machine);
    let adopted = join_all(specs.map(|spec| adopt(account, spec))).await;
    let found: Vec<(u64, MachineState)> = adopted.into_iter().flatten().collect();
    note_states(account, found).await;
    for action in unfinished {
        begin(account, action);
    }
    let watcher = Arc::downgrade(account);
    let closing = account.closing.clone();
    account.tasks.spawn(async move {
        closing.run_until_cancelled(watch(watcher)).await;
    });
}

async fn adopt(account: &Account, spec: &MachineSpec) -> Option<(u64, MachineState)> {
    match timeout(ADOPT_DEADLINE, account.driver.adopt(spec)).await {
        Ok(Ok(state)) => Some((spec.droplet_id, state)),
        Ok(Err(error)) => {
            warn!(droplet = spec.droplet_id, error = describe(&error), "machine could not be taken up");
            None
        }
        Err(_elapsed) => {
            warn!(droplet = spec.droplet_id, "machine was not taken up in time");
            None
        }
    }
}

/// Looks after machines that go off or on without the account's doing.
async fn watch(account: Weak<Account>) {
    loop {
        sleep(WATCH_PERIOD).await;
        let Some(account) = account.upgrade() else { return };
        let state = account.state();
        let mut found = Vec::new();
        for droplet in actions::idle_droplets(&state) {
            let id = droplet.machine.droplet_id;
            if let Ok(Ok(now)) = timeout(ADOPT_DEADLINE, account.driver.state(id)).await {
                found.push((id, now));
            }
        }
        note_states(&account, found).await;
    }
}

async fn note_states(account: &Arc<Account>, found: Vec<(u64, MachineState)>) {
    let noted = account.change(move |state, _env| {
        for (id, machine) in &found {
            actions::note_machine(state, *id, *machine);
        }
        Ok(())
    });
    if let Err(error) = noted.await {
        warn!(error = describe(&error), "the machines' states could not be written down");
    }
}

/// Starts working on an action.
pub(super) fn begin(account: &Arc<Account>, action_id: u64) {
    let worker = Arc::clone(account);
    let closing = account.closing.clone();
    account.tasks.spawn(async move {
        closing.run_until_cancelled(run(worker, action_id)).await;
    });
}

async fn run(account: Arc<Account>, action_id: u64) {
    let state = account.state();
    let Some(action) = state.actions.get(&action_id).cloned() else {
        return;
    };
    let Some(droplet) = state.droplets.get(&action.droplet_id) else {
        return;
    };
    let spec = droplet.machine.clone();
    let lags = &state.settings.lags;
    let least = match action.kind {
        ActionKind::Create => lags.provision,
        ActionKind::Destroy => Duration::ZERO,
        _ => lags.action,
    };
    let turn = account.turn(action.droplet_id);
    let _mine = turn.lock().await;
    sleep(least).await;
    let failure = perform(&account, action.kind, &spec).await.err().map(|error| describe(&error));
    if let Some(failure) = &failure {
        warn!(action = action_id, droplet = action.droplet_id, kind = ?action.kind, failure, "action failed");
    }
    if action.kind == ActionKind::Destroy && failure.is_none() {
        account.forget_turn(action.droplet_id);
    }
    let noted = account.change(move |state, env| {
        actions::finish(state, action_id, failure, env.now);
        Ok(())
    });
    if let Err(error) = noted.await {
        warn!(action = action_id, error = describe(&error), "an action's end could not be written down");
    }
}

async fn perform(account: &Account, kind: ActionKind, spec: &MachineSpec) -> Result<(), MachineError> {
    let id = spec.droplet_id;
    let driver = &account.driver;
    match kind {
        ActionKind::Create => in_time(id, "start", driver.create(spec)).await,
        ActionKind::Destroy => destroy(account, id).await,
        ActionKind::Reboot => in_time(id, "reboot", driver.reboot(id)).await,
        ActionKind::PowerCycle => {
            in_time(id, "power off", driver.power_off(id)).await?;
            in_time(id, "power on", driver.power_on(spec)).await
        }
        ActionKind::PowerOff => in_time(id, "power off", driver.power_off(id)).await,
        ActionKind::PowerOn => in_time(id, "power on", driver.power_on(spec)).await,
        ActionKind::Shutdown => in_time(id, "shut down", driver.shutdown(id, SHUTDOWN_PATIENCE)).await,
        ActionKind::Rename => Ok(()),
    }
}

async fn destroy(account: &Account, id: u64) -> Result<(), MachineError> {
    let mut tries = 1;
    loop {
        match in_time(id, "go away", account.driver.destroy(id)).await {
            Ok(()) => return Ok(()),
            Err(error) if tries >= DESTROY_TRIES => return Err(error),
            Err(error) => warn!(droplet = id, error = describe(&error), "machine is not gone yet"),
        }
        tries += 1;
        sleep(DESTROY_PAUSE).await;
    }
}

async fn in_time(
    droplet_id: u64,
    action: &'static str,
    step: impl Future<Output = Result<(), MachineError>>,
) -> Result<(), MachineError> {
    timeout(STEP_DEADLINE, step).await.unwrap_or(Err(MachineError::TimedOut {
        droplet_id,
        action,
        waited: STEP_DEADLINE,
    }))
}

/// An error with all its causes, for the log.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
