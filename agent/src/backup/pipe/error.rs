//! Why a stream was not sealed, or cannot be opened.

use std::{io, time::Duration};

use super::Outcome;
use crate::backup::{PartName, destination::DestinationError};

/// Why nothing was stored. What destinations had taken was removed again, as far as they let us.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The source.
    #[error("the data to back up could not be read to its end; nothing was stored")]
    Source(#[source] io::Error),
    /// The source is silent.
    #[error("the data to back up stopped coming for {} s; nothing was stored", after.as_secs_f32())]
    Silent {
        /// How long it was waited.
        after: Duration,
    },
    /// All destinations.
    #[error("none of the destinations took the data: {}", told(.0))]
    NoDestination(Vec<Outcome>),
    /// There are none.
    #[error("no destination is named; name at least one")]
    NoTarget,
    /// age.
    #[error("the data could not be encrypted; nothing was stored")]
    Encrypt(#[source] age::EncryptError),
    /// Compression or encryption of the stream.
    #[error("the data could not be compressed and encrypted; nothing was stored")]
    Press(#[source] io::Error),
    /// The thread that worked is gone.
    #[error(
        "compressing and encrypting broke off; nothing was stored: the agent is shutting down, or has a defect"
    )]
    Broken,
}

/// Each destination's own reason, there being no single source.
fn told(outcomes: &[Outcome]) -> String {
    let reasons = outcomes.iter().filter_map(|outcome| outcome.stored.as_ref().err());
    let reasons: Vec<String> = reasons.map(|error| crate::release::chain(error)).collect();
    reasons.join("; ")
}

/// Why a part could not be opened, or not to its end. What came before is not to be trusted as complete.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The destination.
    #[error("{part} could not be read to its end")]
    Read {
        /// The part.
        part: PartName,
        /// What the destination said.
        source: DestinationError,
    },
    /// The destination is silent.
    #[error("{part} stopped coming for {} s", after.as_secs_f32())]
    Silent {
        /// The part.
        part: PartName,
        /// How long it was waited.
        after: Duration,
    },
    /// Too short.
    #[error(
        "{part} is cut off after {found} of {expected} bytes: use another copy of this backup, or another backup"
    )]
    Truncated {
        /// The part.
        part: PartName,
        /// How many bytes are there.
        found: u64,
        /// How many there should be.
        expected: u64,
    },
    /// Not what was stored.
    #[error("{part} is not what was stored ({what}): use another copy of this backup, or another backup")]
    Altered {
        /// The part.
        part: PartName,
        /// By what it was noticed.
        what: &'static str,
    },
    /// Another key.
    #[error(
        "{part} is undamaged at its beginning, but it is not sealed to this key: use one of those the manifest names"
    )]
    WrongKey {
        /// The part.
        part: PartName,
    },
    /// The thread that worked is gone.
    #[error("opening {part} broke off: the agent is shutting down, or has a defect")]
    Broken {
        /// The part.
        part: PartName,
    },
    /// It was read on after an error.
    #[error("opening {part} has failed before")]
    Failed {
        /// The part.
        part: PartName,
    },
}

impl OpenError {
    /// The reason in an error that reading an [`Opened`](super::Opened) gave.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}
