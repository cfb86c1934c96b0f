//! The journal of a release in the agent's database. A record and the event that tells of it are one transaction, so a
//! stream of events never shows what the journal does not know.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tidegate_saga::{Generation, Journal, JournalError, NodeFailure, NodeName, Record};
use tokio::sync::watch;

use super::{EventKind, Failure, steps, store::ReleaseStore};
use crate::{
    apps::{AppName, ReleaseNumber},
    clock::Clock,
    store::saga_journal::Appended,
};

/// Which release a journal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseId {
    /// Its app.
    pub app: AppName,
    /// Its number.
    pub release: ReleaseNumber,
}

impl ReleaseId {
    /// The name of its saga, `shop/42`; also the value of the label `tidegate.release`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.app, self.release.get())
    }
}

/// The journal of one release.
pub struct ReleaseJournal {
    store: ReleaseStore,
    clock: Arc<dyn Clock>,
    id: ReleaseId,
    /// Told after every write that may have added an event.
    changed: watch::Sender<u64>,
    begun: Mutex<HashMap<NodeName, Timestamp>>,
}

impl ReleaseJournal {
    /// The journal of this release.
    pub fn new(
        store: ReleaseStore,
        clock: Arc<dyn Clock>,
        id: ReleaseId,
        changed: watch::Sender<u64>,
    ) -> Self {
        Self { store, clock, id, changed, begun: Mutex::new(HashMap::new()) }
    }

    fn event(&self, record: &Record, now: Timestamp) -> Option<EventKind> {
        let kind = match record {
            Record::SagaStarted { nodes, .. } => EventKind::Started {
                release: self.id.release,
                steps: nodes.iter().map(|node| node.name.to_string()).collect(),
            },
            Record::NodeStarted { node } => {
                self.begin(node, now);
                EventKind::StepStarted { step: node.to_string() }
            }
            Record::NodeSucceeded { node, output } => EventKind::StepFinished {
                step: node.to_string(),
                took: self.took(node, now),
                summary: steps::summary_of(output).to_owned(),
            },
            Record::NodeFailed { node, failure } => {
                EventKind::StepFailed { step: node.to_string(), failure: failure_of(failure) }
            }
            Record::UndoStarted { node } => {
                self.begin(node, now);
                return None;
            }
            Record::UndoFinished { node } => {
                EventKind::StepUndone { step: node.to_string(), took: self.took(node, now) }
            }
            Record::UndoFailed { node, failure } => EventKind::Progress {
                step: node.to_string(),
                text: format!("could not be taken back yet: {}", failure_of(failure).cause),
            },
            Record::SagaResumed | Record::Cancelled { .. } | Record::SagaFinished { .. } => return None,
        };
        Some(kind)
    }

    fn begin(&self, node: &NodeName, now: Timestamp) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(node.clone(), now);
    }

    fn took(&self, node: &NodeName, now: Timestamp) -> Duration {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).get(node).copied();
        begun.map_or(Duration::ZERO, |begun| now.duration_since(begun).unsigned_abs())
    }

    async fn write(&self, generation: Generation, record: &Record) -> Result<(), JournalError> {
        let now = self.clock.now();
        let event = self.event(record, now);
        let label = self.id.label();
        let written = self
            .store
            .append((&label, generation, record), (&self.id.app, self.id.release), (event, now))
            .await
            .map_err(|error| JournalError::storage("written", error))?;
        match written {
            Appended::Written => {
                self.changed.send_modify(|count| *count = count.wrapping_add(1));
                Ok(())
            }
            Appended::Superseded => Err(JournalError::Superseded { held: generation }),
        }
    }
}

impl Journal for ReleaseJournal {
    fn claim(&self) -> BoxFuture<'_, Result<(Generation, Vec<Record>), JournalError>> {
        Box::pin(async {
            self.store.claim(&self.id.label()).await.map_err(|error| JournalError::storage("read", error))
        })
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        Box::pin(async {
            self.store.records(&self.id.label()).await.map_err(|error| JournalError::storage("read", error))
        })
    }

    fn append<'a>(
        &'a self,
        generation: Generation,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(self.write(generation, record))
    }
}

/// A failure as a journal keeps it.
pub fn to_node_failure(failure: &Failure) -> NodeFailure {
    NodeFailure::new(failure.what.clone()).with_detail(serde_json::to_value(failure).unwrap_or_default())
}

/// A failure as the journal kept it.
pub fn failure_of(failure: &NodeFailure) -> Failure {
    serde_json::from_value(failure.detail.clone())
        .unwrap_or_else(|_| Failure::new(failure.message.clone(), ""))
}

/// Why a release ends of which no step was begun.
pub fn cut_off() -> Failure {
    let why = "the agent was stopped, or could write nothing down, before its first step";
    Failure::new("the release was not begun", why).hint("deploy again")
}
