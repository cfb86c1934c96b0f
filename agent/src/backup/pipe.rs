//! The one way in and out of a backup: a stream is measured, compressed, encrypted, measured and sent to all destinations at
//! once; and back.
//!
//! Owns the stream between a source and destinations. Must not know what the data is, or the manifest.
//!
//! ```text
//! source ─chunks─▶ [ SHA-256 → zstd → age → SHA-256 ] ─chunks─▶ upload to each destination
//!        (async)          (one blocking thread)           (a task each)
//! ```
//!
//! Memory is bounded: between any two of them are at most [`QUEUE`] chunks of [`CHUNK`] bytes; a source waits for the slowest
//! destination. zstd takes some megabytes, a bucket one part.
//!
//! A source has to end with an error where what feeds it failed: its clean end means that all is there.

mod bridge;
mod carry;
mod error;
mod open;
mod press;
mod seal;
#[cfg(test)]
mod tests;
mod unpress;

use std::{sync::Arc, time::Duration};

pub use self::{
    error::{OpenError, SealError},
    open::{Opened, open},
    seal::seal,
};
use super::{
    Measure, ObjectName,
    destination::{Destination, DestinationError},
    seal::{OneTimeKey, Recipients},
};

/// How much goes from one stage to the next at a time.
pub const CHUNK: usize = 256 * 1024;
/// How many chunks wait between two stages.
pub const QUEUE: usize = 4;

/// How hard is compressed: zstd's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(i32);

/// A level that is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no level of compression: it has to be 1 (fast) to 19 (small)")]
pub struct LevelError(i32);

impl Level {
    /// A level from 1 to 19.
    ///
    /// # Errors
    /// When it is another. Those above 19 take memory that a small droplet does not have.
    pub fn new(level: i32) -> Result<Self, LevelError> {
        if (1..=19).contains(&level) { Ok(Self(level)) } else { Err(LevelError(level)) }
    }
}

impl Default for Level {
    fn default() -> Self {
        Self(3)
    }
}

/// How long is waited for those at the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the next bytes of the source, or of a stored part. A database may sort for long before it sends a row.
    pub silence: Duration,
    /// For a destination to take one piece, or to finish: at a bucket that may be a large part.
    pub destination: Duration,
    /// For a destination to take back what was begun.
    pub abort: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            silence: Duration::from_hours(1),
            destination: Duration::from_mins(30),
            abort: Duration::from_mins(1),
        }
    }
}

/// To whom a part is sealed, and how.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// Who can open it.
    pub recipients: Recipients,
    /// The agent's own key for this backup.
    pub key: OneTimeKey,
    /// How hard is compressed.
    pub level: Level,
    /// How long is waited.
    pub limits: Limits,
}

/// Where a part goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The destination.
    pub destination: Arc<dyn Destination>,
    /// The object there.
    pub name: ObjectName,
}

/// What became of a part.
#[derive(Debug)]
pub struct Sealed {
    /// The data.
    pub plain: Measure,
    /// The data as it is stored.
    pub stored: Measure,
    /// The beginning of it: age's header and nonce.
    pub header: Measure,
    /// What became of it at each destination, in the order of the targets. At least one has it.
    pub outcomes: Vec<Outcome>,
}

/// What became of a part at one destination.
#[derive(Debug)]
pub struct Outcome {
    /// The destination's title.
    pub at: String,
    /// Whether it is there now, wholly; else it is not there at all, as far as the destination let us remove it.
    pub stored: Result<(), DestinationError>,
}
