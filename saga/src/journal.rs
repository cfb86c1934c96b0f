//! The trait behind which a journal is kept. One value of it is the journal of one saga.

use crate::Record;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::{error::Error, fmt};

/// Counts who took a saga over: from 1; a higher one shuts out all lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Generation(u64);

impl Generation {
    /// Wraps the number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Keeps the records of one saga. `append` returns when the record would survive a loss of power.
pub trait Journal: Send + Sync {
    /// Takes the saga over: returns a generation higher than any before, and what is recorded so far.
    /// From then on an `append` with a lower generation is refused.
    fn claim(&self) -> BoxFuture<'_, Result<(Generation, Vec<Record>), JournalError>>;

    /// What is recorded so far, without taking over.
    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>>;

    /// Adds one record, durably, in order.
    fn append<'a>(
        &'a self,
        generation: Generation,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), JournalError>>;
}

/// Why a journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else runs this saga now.
    #[error("generation {held} of this journal was superseded: another process has taken the saga over")]
    Superseded {
        /// The generation of the one who asked.
        held: Generation,
    },
    /// What is stored is not a journal.
    #[error(
        "the journal is damaged at {place}: {reason}; restore it from a copy, or look at what the steps made and remove it by hand"
    )]
    Damaged {
        /// Where: a line, a row.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The storage failed.
    #[error("the journal could not be {doing}")]
    Storage {
        /// "read", "written", ...
        doing: &'static str,
        /// What the storage said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl JournalError {
    /// A failure of the storage.
    pub fn storage(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Storage { doing, source: source.into() }
    }
}
