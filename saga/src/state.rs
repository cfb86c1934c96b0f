//! The state machine over the records: which may follow which, and what they add up to.
//! Everything that is journaled passes through [`State::apply`], when it is written and when it is read again.

use crate::{NodeFailure, NodeName, NodePlan, Outcome, Record};
use serde_json::Value;

/// What the records so far add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    phase: Phase,
    saga: String,
    params: Value,
    pivot: Option<NodeName>,
    past_pivot: bool,
    nodes: Vec<NodeStatus>,
}

/// Where a saga is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// No record yet.
    #[default]
    Empty,
    /// Going forward.
    Forward,
    /// Being taken back, and why.
    Unwinding(NodeFailure),
    /// At its end.
    Finished(Outcome),
}

#[derive(Clone, Debug, PartialEq)]
struct NodeStatus {
    plan: NodePlan,
    state: NodeState,
    output: Option<Value>,
    attempts: u32,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeState {
    /// Not begun.
    Pending,
    /// `forward` was called.
    Running,
    /// `forward` was called by a process that is gone.
    Interrupted,
    /// `forward` succeeded.
    Succeeded,
    /// `forward` succeeded in a process that is gone: a hint.
    Unconfirmed,
    /// `forward` failed.
    Failed(NodeFailure),
    /// `undo` was called.
    Undoing,
    /// `undo` failed.
    UndoFailed(NodeFailure),
    /// `undo` succeeded.
    Undone,
}

/// A record that cannot follow those before it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record \"{record}\" cannot come here: {reason}")]
pub struct IllegalRecord {
    record: String,
    reason: &'static str,
}

impl State {
    /// The state after these records.
    ///
    /// # Errors
    /// When one of them cannot follow those before it.
    pub fn replay<'r>(records: impl IntoIterator<Item = &'r Record>) -> Result<Self, IllegalRecord> {
        let mut state = Self::default();
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Where the saga is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What kind of saga it is.
    pub fn saga(&self) -> &str {
        &self.saga
    }

    /// What it was started with.
    pub fn params(&self) -> &Value {
        &self.params
    }

    /// Whether the way back is closed.
    pub fn past_pivot(&self) -> bool {
        self.past_pivot
    }

    /// The nodes in order, with where they are.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeName, &NodeState)> {
        self.nodes.iter().map(|node| (&node.plan.name, &node.state))
    }

    /// The plans of the nodes, as the saga was started.
    pub fn plans(&self) -> Vec<NodePlan> {
        self.nodes.iter().map(|node| node.plan.clone()).collect()
    }

    /// The pivot, as the saga was started.
    pub fn pivot(&self) -> Option<&NodeName> {
        self.pivot.as_ref()
    }

    /// Where one node is.
    pub fn node(&self, name: &NodeName) -> Option<&NodeState> {
        self.get(name).map(|node| &node.state)
    }

    /// What one node last told.
    pub fn output(&self, name: &NodeName) -> Option<&Value> {
        self.get(name).and_then(|node| node.output.as_ref())
    }

    /// How often in a row the node's current work failed since the process began.
    pub(crate) fn attempts(&self, name: &NodeName) -> u32 {
        self.get(name).map_or(0, |node| node.attempts)
    }

    /// The nodes that directly come before `name`.
    pub(crate) fn after(&self, name: &NodeName) -> &[NodeName] {
        self.get(name).map_or(&[], |node| &node.plan.after)
    }

    /// Whether everything that came after `name` is out of the way, so that it can be undone.
    pub(crate) fn undo_is_due(&self, name: &NodeName) -> bool {
        let begun =
            self.node(name).is_some_and(|state| !matches!(state, NodeState::Pending | NodeState::Undone));
        let mut dependents = self.nodes.iter().filter(|node| node.plan.after.contains(name));
        begun && dependents.all(|node| matches!(node.state, NodeState::Pending | NodeState::Undone))
    }

    /// Whether a wish to take the saga back can be granted now.
    pub fn may_cancel(&self) -> bool {
        let in_pivot = self
            .pivot
            .as_ref()
            .and_then(|pivot| self.node(pivot))
            .is_some_and(|state| matches!(state, NodeState::Running | NodeState::Interrupted));
        self.phase == Phase::Forward && !self.past_pivot && !in_pivot
    }

    /// Adds a record.
    ///
    /// # Errors
    /// When it cannot follow those before it; the state is then unchanged.
    pub fn apply(&mut self, record: &Record) -> Result<(), IllegalRecord> {
        let result = match record {
            Record::SagaStarted { saga, nodes, pivot, params } => {
                self.start(saga, nodes, pivot.as_ref(), params)
            }
            Record::SagaResumed => self.resume(),
            Record::NodeStarted { node } => self.node_started(node),
            Record::NodeSucceeded { node, output } => self.node_succeeded(node, output),
            Record::NodeFailed { node, failure } => self.node_failed(node, failure),
            Record::Cancelled { failure } => self.cancelled(failure),
            Record::UndoStarted { node } => self.undo_started(node),
            Record::UndoFinished { node } => self.undo_ended(node, NodeState::Undone),
            Record::UndoFailed { node, failure } => {
                self.undo_ended(node, NodeState::UndoFailed(failure.clone()))
            }
            Record::SagaFinished { outcome } => self.finish(*outcome),
        };
        result.map_err(|reason| IllegalRecord { record: describe(record), reason })
    }

    fn get(&self, name: &NodeName) -> Option<&NodeStatus> {
        self.nodes.iter().find(|node| node.plan.name == *name)
    }

    fn get_mut(&mut self, name: &NodeName) -> Result<&mut NodeStatus, &'static str> {
        self.nodes.iter_mut().find(|node| node.plan.name == *name).ok_or("the saga has no such node")
    }

    fn start(
        &mut self,
        saga: &str,
        plans: &[NodePlan],
        pivot: Option<&NodeName>,
        params: &Value,
    ) -> Result<(), &'static str> {
        if self.phase != Phase::Empty {
            return Err("the saga has begun before");
        }
        let mut known: Vec<&NodeName> = Vec::new();
        for plan in plans {
            if known.contains(&&plan.name) || !plan.after.iter().all(|after| known.contains(&after)) {
                return Err("its nodes are not in order");
            }
            known.push(&plan.name);
        }
        if pivot.is_some_and(|pivot| !known.contains(&pivot)) {
            return Err("its pivot is not among its nodes");
        }
        let fresh = |plan: &NodePlan| NodeStatus {
            plan: plan.clone(),
            state: NodeState::Pending,
            output: None,
            attempts: 0,
        };
        *self = Self {
            phase: Phase::Forward,
            saga: saga.to_owned(),
            params: params.clone(),
            pivot: pivot.cloned(),
            past_pivot: false,
            nodes: plans.iter().map(fresh).collect(),
        };
        Ok(())
    }

    fn resume(&mut self) -> Result<(), &'static str> {
        if !matches!(self.phase, Phase::Forward | Phase::Unwinding(_)) {
            return Err("the saga is not under way");
        }
        for node in &mut self.nodes {
            node.attempts = 0;
            node.state = match &node.state {
                NodeState::Running | NodeState::Undoing => NodeState::Interrupted,
                NodeState::Succeeded => NodeState::Unconfirmed,
                other => other.clone(),
            };
        }
        Ok(())
    }

    fn node_started(&mut self, name: &NodeName) -> Result<(), &'static str> {
        if self.phase != Phase::Forward {
            return Err("the saga is not going forward");
        }
        let ready = self
            .after(name)
            .iter()
            .all(|after| matches!(self.node(after), Some(NodeState::Succeeded | NodeState::Unconfirmed)));
        if !ready {
            return Err("a node before it has not succeeded");
        }
        let past_pivot = self.past_pivot;
        let node = self.get_mut(name)?;
        match node.state {
            NodeState::Pending | NodeState::Interrupted | NodeState::Unconfirmed => {}
            NodeState::Failed(_) if past_pivot => {}
            _ => return Err("the node is not waiting to start"),
        }
        node.state = NodeState::Running;
        Ok(())
    }

    fn node_succeeded(&mut self, name: &NodeName, output: &Value) -> Result<(), &'static str> {
        let forward = self.phase == Phase::Forward;
        let node = self.get_mut(name)?;
        if node.state != NodeState::Running {
            return Err("the node is not running");
        }
        node.state = NodeState::Succeeded;
        node.output = Some(output.clone());
        node.attempts = 0;
        if forward && self.pivot.as_ref() == Some(name) {
            self.past_pivot = true;
        }
        Ok(())
    }

    fn node_failed(&mut self, name: &NodeName, failure: &NodeFailure) -> Result<(), &'static str> {
        let node = self.get_mut(name)?;
        if !matches!(node.state, NodeState::Running | NodeState::Unconfirmed) {
            return Err("the node is not running");
        }
        node.state = NodeState::Failed(failure.clone());
        node.attempts = node.attempts.saturating_add(1);
        if self.phase == Phase::Forward && !self.past_pivot {
            self.phase = Phase::Unwinding(failure.clone());
        }
        Ok(())
    }

    fn cancelled(&mut self, failure: &NodeFailure) -> Result<(), &'static str> {
        if !self.may_cancel() {
            return Err("the saga cannot be taken back now");
        }
        self.phase = Phase::Unwinding(failure.clone());
        Ok(())
    }

    fn undo_started(&mut self, name: &NodeName) -> Result<(), &'static str> {
        if !matches!(self.phase, Phase::Unwinding(_)) {
            return Err("the saga is not being taken back");
        }
        if self.nodes.iter().any(|node| node.state == NodeState::Running) {
            return Err("a node is still running");
        }
        if !self.undo_is_due(name) {
            return Err("the node has nothing to undo, or a node after it has");
        }
        let node = self.get_mut(name)?;
        if node.state == NodeState::Undoing {
            return Err("the node is being undone");
        }
        node.state = NodeState::Undoing;
        Ok(())
    }

    fn undo_ended(&mut self, name: &NodeName, state: NodeState) -> Result<(), &'static str> {
        let node = self.get_mut(name)?;
        if node.state != NodeState::Undoing {
            return Err("the node is not being undone");
        }
        node.attempts = node.attempts.saturating_add(1);
        node.state = state;
        Ok(())
    }

    fn finish(&mut self, outcome: Outcome) -> Result<(), &'static str> {
        let fits = match (&self.phase, outcome) {
            (Phase::Forward, Outcome::Done) => {
                self.all(|state| matches!(state, NodeState::Succeeded | NodeState::Unconfirmed))
            }
            (Phase::Unwinding(_), Outcome::Undone) => {
                self.all(|state| matches!(state, NodeState::Pending | NodeState::Undone))
            }
            _ => false,
        };
        if !fits {
            return Err("there are nodes left");
        }
        self.phase = Phase::Finished(outcome);
        Ok(())
    }

    fn all(&self, test: impl Fn(&NodeState) -> bool) -> bool {
        self.nodes.iter().all(|node| test(&node.state))
    }
}

fn describe(record: &Record) -> String {
    match record {
        Record::SagaStarted { saga, .. } => format!("saga-started {saga}"),
        Record::SagaResumed => "saga-resumed".into(),
        Record::NodeStarted { node } => format!("node-started {node}"),
        Record::NodeSucceeded { node, .. } => format!("node-succeeded {node}"),
        Record::NodeFailed { node, .. } => format!("node-failed {node}"),
        Record::Cancelled { .. } => "cancelled".into(),
        Record::UndoStarted { node } => format!("undo-started {node}"),
        Record::UndoFinished { node } => format!("undo-finished {node}"),
        Record::UndoFailed { node, .. } => format!("undo-failed {node}"),
        Record::SagaFinished { .. } => "saga-finished".into(),
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
