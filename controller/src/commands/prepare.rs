//! What `plan` and `up` both begin with: fleet file, state, one look at the account, checks, plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::context::Context;
use crate::{
    apply::{Timing, Work},
    cloud::Client,
    failure::Failure,
    fleet::Fleet,
    plan::{self, Plan, Snapshot},
    state::{Inventory, StateDir},
};

/// Everything a plan was made from.
pub(super) struct Prepared {
    pub fleet: Fleet,
    pub state: StateDir,
    pub inventory: Inventory,
    pub ssh_key: String,
    pub client: Arc<Client>,
}

/// Reads what is on this machine; nothing is asked of the API yet.
pub(super) fn read(context: &Context) -> anyhow::Result<Prepared> {
    let fleet = context.fleet()?;
    let environ = context.environ(&fleet)?;
    let client = Arc::new(context.client(&environ)?);
    let state = context.state(&fleet.scope)?;
    let ssh_key = state.ssh_public_key(&fleet.scope).map_err(not_initialised)?;
    let inventory = Inventory::load(&state)?;
    Ok(Prepared { fleet, state, inventory, ssh_key, client })
}

/// The same for taking down, which needs no keys: what carries our marks can be found without them.
pub(super) fn read_for_down(context: &Context) -> anyhow::Result<Prepared> {
    let fleet = context.fleet()?;
    let environ = context.environ(&fleet)?;
    let client = Arc::new(context.client(&environ)?);
    let state = context.state(&fleet.scope)?;
    let ssh_key = state.ssh_public_key(&fleet.scope).unwrap_or_default();
    let inventory = Inventory::load(&state)?;
    Ok(Prepared { fleet, state, inventory, ssh_key, client })
}

pub(super) fn not_initialised(error: crate::state::StateError) -> anyhow::Error {
    let missing = matches!(error, crate::state::StateError::Missing { .. });
    if missing {
        let hint =
            "`tidegate init` makes it; if another machine has it, copy its state directory (it holds keys)";
        Failure::input("this machine has no keys of this fleet").because(error).hint(hint).into()
    } else {
        error.into()
    }
}

/// One look at the account, checked and compared.
pub(super) async fn make_plan(context: &Context, prepared: &Prepared) -> anyhow::Result<Plan> {
    let Prepared { fleet, inventory, ssh_key, client, .. } = prepared;
    let snapshot = Snapshot::take(client, fleet).await?;
    plan::check(fleet, inventory, ssh_key, &snapshot)?;
    Ok(plan::make(fleet, inventory, ssh_key, &snapshot, context.clock.now()))
}

/// For looking and deleting; droplets are not made with it.
pub(super) fn work(context: &Context, prepared: &Prepared) -> Work {
    Work {
        client: prepared.client.clone(),
        scope: prepared.fleet.scope.clone(),
        region: prepared.fleet.region.value.clone(),
        cloud_init: None,
        enrolment_files: BTreeMap::default(),
        printer: context.printer.clone(),
        waits: context.waits.clone(),
        timing: Timing::new(&context.environ),
        begun: BTreeSet::default(),
    }
}
