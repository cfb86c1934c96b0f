//! A plan as a saga: network, key and firewalls, then droplets; after the pivot what is no longer wanted goes. The
//! journal holds the plan and the intents, so a killed run is finished from them alone; enrolment comes after the saga,
//! because a droplet that boots slowly is no reason to take it down.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::atomic::AtomicBool,
    time::Duration,
};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tidegate_saga::{
    Cancel, Ended, Inputs, Journal, Node, NodeFailure, NodeResult, NodeState, Phase, Retry, RunError, Runner,
    Saga, State, Value, file::FileJournal,
};

use super::{
    droplet::{CreateDroplet, CreatedDroplet, DeleteDroplet, SSH_KEY, VPC},
    firewall::{ChangeFirewall, CreateFirewall, DeleteFirewall},
    network::VpcNode,
    ssh_key::SshKeyNode,
    work::{Intent, Made, Work},
};
use crate::{
    plan::{Action, Change, Plan, Resource},
    state::{Inventory, StateDir},
};

/// What the journal keeps of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Params {
    /// All changes.
    pub plan: Plan,
    /// Intents of the droplets to be made, by name.
    pub intents: BTreeMap<String, Intent>,
    /// The fleet's public ssh key.
    pub ssh_key: String,
}

/// A run that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// What was begun was taken back.
    #[error("nothing was changed: {0}")]
    Undone(NodeFailure),
    /// It could not be taken back.
    #[error("step `{step}` could not be undone")]
    Stuck {
        /// Which.
        step: String,
        /// Why.
        #[source]
        failure: NodeFailure,
    },
    /// The journal cannot be used.
    #[error("the journal of `up` cannot be used")]
    Run(#[source] Box<RunError>),
    /// The plan cannot be made into steps.
    #[error("the plan cannot be carried out")]
    Steps(#[source] tidegate_saga::GraphError),
    /// The journal's parameters are not ours.
    #[error("the journal of `up` holds no plan")]
    Params(#[source] serde_json::Error),
    /// A file cannot be removed.
    #[error("the journal of `up` cannot be removed")]
    Remove(#[source] std::io::Error),
}

impl UpError {
    /// Whether the journal is still needed.
    pub fn is_unfinished(&self) -> bool {
        !matches!(self, Self::Undone(_))
    }

    /// What the failed step advises.
    pub fn hint(&self) -> Option<String> {
        let failure = match self {
            Self::Undone(failure) | Self::Stuck { failure, .. } => failure,
            Self::Run(_) | Self::Steps(_) | Self::Params(_) | Self::Remove(_) => return None,
        };
        failure.detail.get("hint").and_then(Value::as_str).map(str::to_owned)
    }
}

fn journal(state: &StateDir) -> FileJournal {
    FileJournal::new(state.file("up.journal"))
}

/// A run that another process began, and the steps that it may have sent.
pub type Unfinished = (Params, BTreeSet<String>);

/// What an earlier process began and did not end.
///
/// # Errors
/// When the journal cannot be read.
pub async fn unfinished(state: &StateDir) -> Result<Option<Unfinished>, UpError> {
    let path = state.file("up.journal");
    if !path.exists() {
        return Ok(None);
    }
    let (_, records) =
        journal(state).claim().await.map_err(|e| UpError::Run(Box::new(RunError::Journal(e))))?;
    let replayed = State::replay(&records).map_err(|e| UpError::Run(Box::new(RunError::Illegal(e))))?;
    match replayed.phase() {
        Phase::Empty => {
            fs_err::remove_file(path).map_err(UpError::Remove)?;
            Ok(None)
        }
        // A finished one is taken up too: what it told may not have reached the inventory.
        Phase::Forward | Phase::Unwinding(_) | Phase::Finished(_) => {
            let params = serde_json::from_value(replayed.params().clone()).map_err(UpError::Params)?;
            let begun = replayed.nodes().filter(|(_, state)| **state != NodeState::Pending);
            Ok(Some((params, begun.map(|(name, _)| name.as_str().to_owned()).collect())))
        }
    }
}

/// Forgets what an earlier process began; `down` does so when nothing of it is left.
///
/// # Errors
/// When the file cannot be removed.
pub fn forget(state: &StateDir) -> Result<(), UpError> {
    match fs_err::remove_file(state.file("up.journal")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(UpError::Remove(error)),
        _ => Ok(()),
    }
}

/// Which way to take up a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing was begun.
    Start,
    /// Go on where another process ended.
    Resume,
}

/// Carries the plan out and records the ids in the inventory.
///
/// # Errors
/// When it was undone, is stuck, or the journal fails.
pub async fn carry_out(
    (work, state, inventory): (&Work, &StateDir, &mut Inventory),
    params: &Params,
    way: Way,
    cancel: Cancel,
) -> Result<(), UpError> {
    let saga = saga_of(params, &work.scope.base())?;
    let journal = journal(state);
    let width = NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN);
    let retry = Retry::new(4, Duration::from_secs(1), Duration::from_secs(15), rand::random::<f64>);
    let runner = Runner::new(&saga, work, &journal).cancel(cancel).retry(retry).width(width);
    let run = |error| UpError::Run(Box::new(error));
    let ended = match way {
        Way::Start => {
            let values = serde_json::to_value(params).map_err(UpError::Params)?;
            runner.start(values).await.map_err(run)?
        }
        Way::Resume => runner.resume().await.map_err(run)?,
    };
    match ended {
        Ended::Done { outputs } => {
            let outputs: BTreeMap<String, Value> =
                outputs.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect();
            record(inventory, params, &outputs);
            Ok(())
        }
        Ended::Undone { failure } => {
            for name in params.intents.keys() {
                inventory.droplets.remove(name);
            }
            Err(UpError::Undone(failure))
        }
        Ended::Stuck { node, failure, .. } => Err(UpError::Stuck { step: node.as_str().to_owned(), failure }),
    }
}

fn record(inventory: &mut Inventory, params: &Params, outputs: &BTreeMap<String, Value>) {
    let made = |value: &Value| Made::<String>::deserialize(value).ok().map(|made| made.id);
    inventory.vpc = outputs.get(VPC).and_then(made).or(inventory.vpc.take());
    let key = outputs.get(SSH_KEY).and_then(|value| Made::<u64>::deserialize(value).ok());
    inventory.ssh_key = key.map(|made| made.id).or(inventory.ssh_key);
    for change in &params.plan.changes {
        let output = outputs.get(&node_name(change));
        match (&change.resource, change.action) {
            (Resource::Firewall { .. }, Action::Delete) => {
                inventory.firewalls.remove(&change.name);
            }
            (Resource::Firewall { .. }, _) => {
                inventory.firewalls.extend(output.and_then(made).map(|id| (change.name.clone(), id)));
            }
            (Resource::Droplet { .. }, Action::Delete) => {
                inventory.droplets.remove(&change.name);
            }
            (Resource::Droplet { .. }, _) => {
                let created = output.and_then(|value| CreatedDroplet::deserialize(value).ok());
                if let (Some(record), Some(created)) = (inventory.droplets.get_mut(&change.name), created) {
                    record.id = Some(created.id);
                }
            }
            (Resource::SshKey { .. } | Resource::Vpc, _) => {}
        }
    }
}

fn node_name(change: &Change) -> String {
    match change.resource {
        Resource::SshKey { .. } => SSH_KEY.to_owned(),
        Resource::Vpc => VPC.to_owned(),
        Resource::Firewall { .. } | Resource::Droplet { .. } => {
            format!("{} {}", change.resource.kind(), change.name)
        }
    }
}

/// The point after which only deletions of what is no longer wanted follow.
const PIVOT: &str = "all is made";

fn saga_of(params: &Params, base: &str) -> Result<Saga<Work>, UpError> {
    let mut builder = Saga::<Work>::builder("up")
        .node(SSH_KEY, [], SshKeyNode { name: base.to_owned(), public_key: params.ssh_key.clone() })
        .node(VPC, [], VpcNode { name: base.to_owned() });
    let changes = &params.plan.changes;
    let mut before_droplets = vec![SSH_KEY.to_owned(), VPC.to_owned()];
    for change in changes.iter().filter(|change| change.action != Action::Delete) {
        let Resource::Firewall { id, before, spec } = &change.resource else { continue };
        let name = node_name(change);
        before_droplets.push(name.clone());
        builder = match id {
            None => builder.node(name, [], CreateFirewall { spec: spec.clone() }),
            Some(id) => {
                let node = ChangeFirewall { id: id.clone(), before: before.clone(), spec: spec.clone() };
                builder.node(name, [], node)
            }
        };
    }
    let mut made = before_droplets.clone();
    for change in changes.iter().filter(|change| change.action != Action::Delete) {
        let Resource::Droplet { id, spec } = &change.resource else { continue };
        let Some(intent) = params.intents.get(&change.name) else { continue };
        let name = node_name(change);
        made.push(name.clone());
        let node = CreateDroplet {
            name: change.name.clone(),
            spec: spec.clone(),
            intent: intent.clone(),
            replaces: *id,
            refused: AtomicBool::new(false),
        };
        builder = builder.node(name, before_droplets.iter().map(String::as_str), node);
    }
    builder = builder.node(PIVOT, made.iter().map(String::as_str), Nothing).pivot(PIVOT);
    for change in changes.iter().filter(|change| change.action == Action::Delete) {
        let name = format!("delete {}", node_name(change));
        builder = match &change.resource {
            Resource::Droplet { id: Some(id), .. } => {
                builder.node(name, [PIVOT], DeleteDroplet { id: *id, name: change.name.clone() })
            }
            Resource::Firewall { id: Some(id), .. } => {
                builder.node(name, [PIVOT], DeleteFirewall { id: id.clone(), name: change.name.clone() })
            }
            _ => builder,
        };
    }
    builder.build().map_err(UpError::Steps)
}

/// The pivot itself.
struct Nothing;

impl Node<Work> for Nothing {
    fn forward<'a>(&'a self, _: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async { Ok(Value::Null) })
    }

    fn undo<'a>(&'a self, _: &'a Work, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async { Ok(()) })
    }
}
