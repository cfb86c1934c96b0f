//! What a journal holds: facts, in the order in which they happened.

use crate::{NodeFailure, NodeName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One fact about a saga. Serialised as `{"record": "node-started", ...}`; fields are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first record: the shape of the saga and its parameters.
    SagaStarted {
        /// What kind of saga this is.
        saga: String,
        /// Its nodes, every one after those that it depends on.
        nodes: Vec<NodePlan>,
        /// The node after which there is no way back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pivot: Option<NodeName>,
        /// What it was started with.
        params: Value,
    },
    /// Another process took over: what was done is now a hint.
    SagaResumed,
    /// `forward` is about to be called.
    NodeStarted {
        /// Which node.
        node: NodeName,
    },
    /// `forward` succeeded.
    NodeSucceeded {
        /// Which node.
        node: NodeName,
        /// What it told.
        output: Value,
    },
    /// `forward` failed, or a look at the world did.
    NodeFailed {
        /// Which node.
        node: NodeName,
        /// Why.
        failure: NodeFailure,
    },
    /// Somebody asked to take the saga back.
    Cancelled {
        /// Why.
        failure: NodeFailure,
    },
    /// `undo` is about to be called.
    UndoStarted {
        /// Which node.
        node: NodeName,
    },
    /// `undo` succeeded.
    UndoFinished {
        /// Which node.
        node: NodeName,
    },
    /// `undo` failed; it may be tried again.
    UndoFailed {
        /// Which node.
        node: NodeName,
        /// Why.
        failure: NodeFailure,
    },
    /// The last record.
    SagaFinished {
        /// Which of the two ends it was.
        outcome: Outcome,
    },
}

/// A node as the journal remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// Its name.
    pub name: NodeName,
    /// The nodes that come before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<NodeName>,
}

/// The two ends of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every node succeeded.
    Done,
    /// Every node that had begun was taken back.
    Undone,
}
