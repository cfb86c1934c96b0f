//! Steps with undo, journaled so that a process killed anywhere finishes or undoes.
//!
//! A [`Saga`] is a graph of named [`Node`]s, each with a `forward`, a `look` and an `undo`. A [`Runner`] takes it through:
//! every step is written to a [`Journal`] before and after it happens, so that [`Runner::resume`] can go on from any
//! half-written journal in the right direction. What the journal says is done is a hint: on a resume every node looks
//! at the world again, because the world may have lost what the journal kept.
//!
//! What a node has to keep to:
//! - `forward` and `undo` may be repeated, after success too, and find what an earlier try made by its name;
//! - `undo` also runs for a node whose `forward` failed or was cut off, then without an output;
//! - nothing secret stands in parameters, outputs or failures: the journal keeps them.
//!
//! A saga may name a *pivot*: once that node succeeded there is no way back; what comes after it is repeated until it
//! succeeds or its budget is spent.
//!
//! This crate does no I/O but the file journal's, and knows nothing of what the steps do.

mod cancel;
pub mod file;
mod graph;
mod journal;
mod memory;
mod name;
mod node;
mod observe;
mod record;
mod retry;
mod run;
mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use cancel::Cancel;
pub use graph::{GraphError, Saga, SagaBuilder};
pub use journal::{Generation, Journal, JournalError};
pub use memory::MemoryJournal;
pub use name::{NodeName, NodeNameError};
pub use node::{Inputs, Look, Node, NodeFailure, NodeResult};
pub use observe::{Observer, Unobserved};
pub use record::{NodePlan, Outcome, Record};
pub use retry::Retry;
pub use run::{Ended, RunError, Runner};
/// What parameters and outputs are made of.
pub use serde_json::Value;
pub use state::{IllegalRecord, NodeState, Phase, State};
