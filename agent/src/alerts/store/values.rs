//! What the tables hold, as values.

use jiff::Timestamp;

use crate::alerts::message::AlertMessage;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Counts up.
    pub number: i64,
    /// The message, with what was lost before it.
    pub message: AlertMessage,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_try: Timestamp,
}

/// How a receiver fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverState {
    /// When a message arrived last.
    pub delivered: Option<Timestamp>,
    /// How many wait.
    pub waiting: u32,
    /// When the oldest of them is tried next.
    pub next: Option<Timestamp>,
    /// Since when none arrives, and why.
    pub failing: Option<(Timestamp, String)>,
    /// How many were given up, ever.
    pub lost: u64,
}

/// How the ping fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PingState {
    /// When it was answered last.
    pub answered: Option<Timestamp>,
    /// Why the last one was not.
    pub failure: Option<String>,
}
