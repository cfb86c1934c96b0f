//! Takes a saga through: forward, or back, from the start or from any half-written journal.
//! All decisions follow from the [`State`]; this only carries them out and writes them down.

mod drive;

use crate::{
    Cancel, IllegalRecord, Journal, JournalError, NodeFailure, NodeName, Observer, Outcome, Phase, Record,
    Retry, Saga, State, Unobserved,
};
use drive::Run;
use serde_json::Value;
use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

/// Runs a saga in a context over a journal.
pub struct Runner<'a, C> {
    saga: &'a Saga<C>,
    context: &'a C,
    journal: &'a dyn Journal,
    observer: &'a dyn Observer,
    cancel: Cancel,
    retry: Retry,
    width: NonZeroUsize,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// Every node succeeded.
    Done {
        /// What the nodes told.
        outputs: BTreeMap<NodeName, Value>,
    },
    /// Everything that had begun was taken back.
    Undone {
        /// Why.
        failure: NodeFailure,
    },
    /// A node could not be undone, or, after the pivot, not be done. A later resume tries again.
    Stuck {
        /// Which node.
        node: NodeName,
        /// Why it could not.
        failure: NodeFailure,
        /// Where everything stands; its phase has the first failure.
        state: Box<State>,
    },
}

/// Why a run could not go on. What was begun stays as it is; a later resume goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The journal failed.
    #[error("the saga stopped where it was, because its journal failed; resume it when that is mended")]
    Journal(#[source] JournalError),
    /// The journal's records do not make sense.
    #[error("the journal holds records in an impossible order")]
    Illegal(#[source] IllegalRecord),
    /// `start` on a journal that is in use.
    #[error("the journal already holds a saga: resume that one, or begin with an empty journal")]
    AlreadyStarted,
    /// `resume` on an empty journal.
    #[error("the journal is empty: nothing was begun, so there is nothing to resume")]
    NothingToResume,
    /// The journal is of another saga or another version of it.
    #[error(
        "the journal was written for other steps than this program's: finish it with the version that began it"
    )]
    OtherShape,
}

impl<'a, C: Sync> Runner<'a, C> {
    /// One that nobody observes or cancels, with one node at a time and no retries.
    pub fn new(saga: &'a Saga<C>, context: &'a C, journal: &'a dyn Journal) -> Self {
        Self {
            saga,
            context,
            journal,
            observer: &Unobserved,
            cancel: Cancel::new(),
            retry: Retry::new(1, Duration::ZERO, Duration::ZERO, || 0.0),
            width: NonZeroUsize::MIN,
        }
    }

    /// Lets somebody see the records.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Lets somebody take it back.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// How often an undo (or a step after the pivot) is repeated before the saga is stuck.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How many nodes may be under way at once.
    #[must_use]
    pub fn width(mut self, width: NonZeroUsize) -> Self {
        self.width = width;
        self
    }

    /// Begins the saga. The journal has to be empty.
    ///
    /// # Errors
    /// When the journal is not empty, or fails.
    pub async fn start(&self, params: Value) -> Result<Ended, RunError> {
        let (generation, records) = self.journal.claim().await.map_err(RunError::Journal)?;
        if !records.is_empty() {
            return Err(RunError::AlreadyStarted);
        }
        let mut run = Run::new(self, generation, State::default());
        let started = Record::SagaStarted {
            saga: self.saga.name().to_owned(),
            nodes: self.saga.plans(),
            pivot: self.saga.pivot().cloned(),
            params,
        };
        run.record(started).await?;
        run.drive().await
    }

    /// Takes over whatever the journal says was begun, and brings it to an end. A finished saga is left as it is.
    ///
    /// # Errors
    /// When the journal is empty, belongs to other steps, makes no sense, or fails.
    pub async fn resume(&self) -> Result<Ended, RunError> {
        let (generation, records) = self.journal.claim().await.map_err(RunError::Journal)?;
        let state = State::replay(&records).map_err(RunError::Illegal)?;
        match state.phase() {
            Phase::Empty => return Err(RunError::NothingToResume),
            Phase::Finished(outcome) => return Ok(ended(*outcome, &state, &records)),
            Phase::Forward | Phase::Unwinding(_) => {}
        }
        let same = state.saga() == self.saga.name()
            && state.plans() == self.saga.plans()
            && state.pivot() == self.saga.pivot();
        if !same {
            return Err(RunError::OtherShape);
        }
        let mut run = Run::new(self, generation, state);
        run.record(Record::SagaResumed).await?;
        run.drive().await
    }
}

fn ended(outcome: Outcome, state: &State, records: &[Record]) -> Ended {
    match outcome {
        Outcome::Done => Ended::Done { outputs: outputs(state) },
        Outcome::Undone => {
            let first = records.iter().find_map(|record| match record {
                Record::NodeFailed { failure, .. } | Record::Cancelled { failure } => Some(failure.clone()),
                _ => None,
            });
            Ended::Undone { failure: first.unwrap_or_else(|| NodeFailure::new("it was taken back")) }
        }
    }
}

fn outputs(state: &State) -> BTreeMap<NodeName, Value> {
    state.nodes().filter_map(|(name, _)| Some((name.clone(), state.output(name)?.clone()))).collect()
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
