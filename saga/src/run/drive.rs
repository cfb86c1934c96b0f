//! One run of a saga: launches what is due, writes down what it came to, until nothing is left.

use super::{Ended, RunError, Runner, outputs};
use crate::{
    Cancel, Generation, Inputs, Look, NodeFailure, NodeName, NodeResult, NodeState, Outcome, Phase, Record,
    State,
};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

enum Step {
    Looked(NodeResult<Look>),
    Forwarded(NodeResult<Value>),
    Undone(NodeResult<()>),
    Rested,
}

type Work<'w> = FuturesUnordered<BoxFuture<'w, (NodeName, Step)>>;

pub(super) struct Run<'r, 'a, C> {
    runner: &'r Runner<'a, C>,
    generation: Generation,
    state: State,
    params: Arc<Value>,
    /// Tripped for running `forward`s when the saga turns back.
    stop: Cancel,
    confirmed: BTreeSet<NodeName>,
    in_flight: BTreeSet<NodeName>,
    stuck: Option<(NodeName, NodeFailure)>,
}

impl<'r, 'a, C: Sync> Run<'r, 'a, C> {
    pub(super) fn new(runner: &'r Runner<'a, C>, generation: Generation, state: State) -> Self {
        Self {
            runner,
            generation,
            params: Arc::new(state.params().clone()),
            state,
            stop: Cancel::new(),
            confirmed: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            stuck: None,
        }
    }

    /// Checks, journals and shows one record.
    pub(super) async fn record(&mut self, record: Record) -> Result<(), RunError> {
        self.state.apply(&record).map_err(RunError::Illegal)?;
        if let Record::SagaStarted { params, .. } = &record {
            self.params = Arc::new(params.clone());
        }
        self.runner.journal.append(self.generation, &record).await.map_err(RunError::Journal)?;
        self.runner.observer.recorded(&record);
        if let Phase::Unwinding(failure) = self.state.phase() {
            self.stop.cancel(failure.message.clone());
        }
        Ok(())
    }

    pub(super) async fn drive(mut self) -> Result<Ended, RunError> {
        let mut work: Work<'r> = FuturesUnordered::new();
        let cancel = self.runner.cancel.clone();
        loop {
            if self.state.may_cancel()
                && let Some(why) = cancel.reason()
            {
                self.record(Record::Cancelled { failure: NodeFailure::new(why) }).await?;
            }
            self.launch(&mut work).await?;
            if work.is_empty() {
                break;
            }
            tokio::select! {
                done = work.next() => if let Some((name, step)) = done {
                    self.settle(&mut work, name, step).await?;
                },
                _ = cancel.cancelled(), if self.state.may_cancel() => {}
            }
        }
        self.finish().await
    }

    async fn finish(mut self) -> Result<Ended, RunError> {
        if let Some((node, failure)) = self.stuck.take() {
            return Ok(Ended::Stuck { node, failure, state: Box::new(self.state) });
        }
        if let Phase::Unwinding(failure) = self.state.phase().clone() {
            self.record(Record::SagaFinished { outcome: Outcome::Undone }).await?;
            return Ok(Ended::Undone { failure });
        }
        self.record(Record::SagaFinished { outcome: Outcome::Done }).await?;
        Ok(Ended::Done { outputs: outputs(&self.state) })
    }

    /// Starts whatever may start now.
    async fn launch(&mut self, work: &mut Work<'r>) -> Result<(), RunError> {
        while self.stuck.is_none() && self.in_flight.len() < self.runner.width.get() {
            let Some(name) = self.next_due() else {
                return Ok(());
            };
            self.in_flight.insert(name.clone());
            match self.state.phase() {
                Phase::Unwinding(_) => self.start_undo(work, name).await?,
                _ if self.state.node(&name) == Some(&NodeState::Unconfirmed) => self.start_look(work, name),
                _ => self.start_forward(work, name).await?,
            }
        }
        Ok(())
    }

    fn next_due(&self) -> Option<NodeName> {
        let unwinding = match self.state.phase() {
            Phase::Forward => false,
            // What still runs forward ends first.
            Phase::Unwinding(_) if self.state.nodes().any(|(_, state)| *state == NodeState::Running) => {
                return None;
            }
            Phase::Unwinding(_) => true,
            Phase::Empty | Phase::Finished(_) => return None,
        };
        let idle = || self.state.nodes().map(|(name, _)| name).filter(|name| !self.in_flight.contains(*name));
        let due = if unwinding {
            idle().find(|name| self.state.undo_is_due(name))
        } else {
            idle().find(|name| {
                !self.is_settled(name) && self.state.after(name).iter().all(|a| self.is_settled(a))
            })
        };
        due.cloned()
    }

    fn is_settled(&self, name: &NodeName) -> bool {
        match self.state.node(name) {
            Some(NodeState::Succeeded) => true,
            Some(NodeState::Unconfirmed) => self.confirmed.contains(name),
            _ => false,
        }
    }

    fn inputs_for(&self, name: &NodeName) -> (BTreeMap<NodeName, Value>, Option<Value>) {
        let before = self.runner.saga.ancestors(name);
        let outputs =
            before.into_iter().filter_map(|a| self.state.output(&a).cloned().map(|value| (a, value)));
        (outputs.collect(), self.state.output(name).cloned())
    }

    fn start_look(&mut self, work: &mut Work<'r>, name: NodeName) {
        let (outputs, own) = self.inputs_for(&name);
        let (runner, params, stop) = (self.runner, Arc::clone(&self.params), self.stop.clone());
        work.push(Box::pin(async move {
            let inputs = Inputs { params: &params, outputs, own, cancel: &stop };
            let result = match runner.saga.node(&name) {
                Some(node) => node.look(runner.context, &inputs).await,
                None => Err(unknown(&name)),
            };
            (name, Step::Looked(result))
        }));
    }

    async fn start_forward(&mut self, work: &mut Work<'r>, name: NodeName) -> Result<(), RunError> {
        self.record(Record::NodeStarted { node: name.clone() }).await?;
        let (outputs, own) = self.inputs_for(&name);
        let (runner, params, stop) = (self.runner, Arc::clone(&self.params), self.stop.clone());
        work.push(Box::pin(async move {
            let inputs = Inputs { params: &params, outputs, own, cancel: &stop };
            let result = match runner.saga.node(&name) {
                Some(node) => node.forward(runner.context, &inputs).await,
                None => Err(unknown(&name)),
            };
            (name, Step::Forwarded(result))
        }));
        Ok(())
    }

    async fn start_undo(&mut self, work: &mut Work<'r>, name: NodeName) -> Result<(), RunError> {
        self.record(Record::UndoStarted { node: name.clone() }).await?;
        let (outputs, own) = self.inputs_for(&name);
        let (runner, params) = (self.runner, Arc::clone(&self.params));
        work.push(Box::pin(async move {
            let never = Cancel::new();
            let inputs = Inputs { params: &params, outputs, own, cancel: &never };
            let result = match runner.saga.node(&name) {
                Some(node) => node.undo(runner.context, &inputs).await,
                None => Err(unknown(&name)),
            };
            (name, Step::Undone(result))
        }));
        Ok(())
    }

    /// Writes down what a piece of work came to, and decides what follows for its node.
    async fn settle(&mut self, work: &mut Work<'r>, name: NodeName, step: Step) -> Result<(), RunError> {
        match step {
            Step::Looked(Ok(Look::Holds)) => {
                self.confirmed.insert(name.clone());
                self.in_flight.remove(&name);
            }
            Step::Looked(Ok(Look::Again)) if *self.state.phase() == Phase::Forward => {
                self.start_forward(work, name).await?;
            }
            // The saga turned back meanwhile: the node is undone with the rest.
            Step::Looked(Ok(Look::Again)) => {
                self.in_flight.remove(&name);
            }
            Step::Forwarded(Ok(output)) => {
                self.record(Record::NodeSucceeded { node: name.clone(), output }).await?;
                self.in_flight.remove(&name);
            }
            Step::Looked(Err(failure)) | Step::Forwarded(Err(failure)) => {
                self.record(Record::NodeFailed { node: name.clone(), failure: failure.clone() }).await?;
                self.after_failure(work, name, failure);
            }
            Step::Undone(Ok(())) => {
                self.record(Record::UndoFinished { node: name.clone() }).await?;
                self.in_flight.remove(&name);
            }
            Step::Undone(Err(failure)) => {
                self.record(Record::UndoFailed { node: name.clone(), failure: failure.clone() }).await?;
                self.rest(work, name, failure);
            }
            Step::Rested if matches!(self.state.phase(), Phase::Unwinding(_)) => {
                self.start_undo(work, name).await?;
            }
            Step::Rested => self.start_forward(work, name).await?,
        }
        Ok(())
    }

    fn after_failure(&mut self, work: &mut Work<'r>, name: NodeName, failure: NodeFailure) {
        if self.state.past_pivot() {
            self.rest(work, name, failure);
        } else {
            self.in_flight.remove(&name);
        }
    }

    /// Waits before the next attempt; with the budget spent, the saga is stuck on this node.
    fn rest(&mut self, work: &mut Work<'r>, name: NodeName, failure: NodeFailure) {
        if let Some(pause) = self.runner.retry.pause_after(self.state.attempts(&name)) {
            work.push(Box::pin(async move {
                tokio::time::sleep(pause).await;
                (name, Step::Rested)
            }));
        } else {
            self.in_flight.remove(&name);
            self.stuck.get_or_insert((name, failure));
        }
    }
}

fn unknown(name: &NodeName) -> NodeFailure {
    NodeFailure::new(format!("this program has no step {name}"))
}
