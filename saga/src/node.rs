//! What a step is: the trait its author implements, and what it is given.

use crate::{Cancel, NodeName};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a node's work ends with.
pub type NodeResult<T> = Result<T, NodeFailure>;

/// One step. `C` is the context its author needs: clients, paths, clocks.
pub trait Node<C: Sync>: Send + Sync {
    /// Does the step. May be called again after success, failure or a crash, and must then find what it made.
    fn forward<'a>(&'a self, context: &'a C, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Value>>;

    /// Takes the step back. Also called when `forward` failed or never told its end, and possibly several times.
    fn undo<'a>(&'a self, context: &'a C, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>>;

    /// On a resume, for a step that the journal calls done: is it still so? The default does it again.
    fn look<'a>(&'a self, context: &'a C, inputs: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Look>> {
        let (_, _) = (context, inputs);
        Box::pin(async { Ok(Look::Again) })
    }
}

/// What a look at the world found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The step's result stands as the journal has it.
    Holds,
    /// It does not, or nobody knows: do the step again.
    Again,
}

/// What a step is given.
#[derive(Debug)]
pub struct Inputs<'a> {
    pub(crate) params: &'a Value,
    pub(crate) outputs: BTreeMap<NodeName, Value>,
    pub(crate) own: Option<Value>,
    pub(crate) cancel: &'a Cancel,
}

impl Inputs<'_> {
    /// The parameters of the saga.
    pub fn params(&self) -> &Value {
        self.params
    }

    /// The output of an earlier node that this one depends on, directly or not.
    pub fn output(&self, node: &str) -> Option<&Value> {
        self.outputs.iter().find(|(name, _)| name.as_str() == node).map(|(_, value)| value)
    }

    /// The node's own output, where an earlier `forward` told one.
    pub fn own_output(&self) -> Option<&Value> {
        self.own.as_ref()
    }

    /// Tripped as soon as the saga is to be taken back: a `forward` that merely waits should then give up.
    pub fn cancel(&self) -> &Cancel {
        self.cancel
    }
}

/// Why a step failed, in a form that a journal keeps. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct NodeFailure {
    /// One sentence for a person.
    pub message: String,
    /// Whatever else the author wants back: place, cause, cure, last lines.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

impl NodeFailure {
    /// A failure that is one sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), detail: Value::Null }
    }

    /// The same with more for its reader.
    #[must_use]
    pub fn with_detail(self, detail: Value) -> Self {
        Self { detail, ..self }
    }
}
