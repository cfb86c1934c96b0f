//! What happens in a release, as it is numbered, kept and streamed.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Failure;
use crate::apps::{ReleaseNumber, ServiceName};

/// One event of a release. Numbers go from 1, without gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseEvent {
    /// Its number.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The first event.
    Started {
        /// The release.
        release: ReleaseNumber,
        /// Its steps in order, as later events name them.
        steps: Vec<String>,
    },
    /// A step began, or began again after a restart of the agent.
    StepStarted {
        /// Which.
        step: String,
    },
    /// A step succeeded.
    StepFinished {
        /// Which.
        step: String,
        /// How long it took.
        took: Duration,
        /// "0007 -> 0009, compatible"
        summary: String,
    },
    /// A step failed; the release will be undone.
    StepFailed {
        /// Which.
        step: String,
        /// Why.
        failure: Failure,
    },
    /// A step was taken back.
    StepUndone {
        /// Which.
        step: String,
        /// How long it took.
        took: Duration,
    },
    /// How far a step is.
    Progress {
        /// Which.
        step: String,
        /// "postgres:17 12.3 of 84.0 MB"
        text: String,
    },
    /// A line that a step's command printed.
    Output {
        /// Which step.
        step: String,
        /// The line.
        line: String,
    },
    /// The new release serves, and whether it stays cannot be known until another agent is reached. The release goes on
    /// when it is.
    InDoubt {
        /// The release.
        release: ReleaseNumber,
        /// Who cannot be reached, and what to do.
        failure: Failure,
    },
    /// The last event.
    Finished {
        /// The release.
        release: ReleaseNumber,
        /// How it ended.
        state: ReleaseState,
        /// How long the whole took.
        took: Duration,
        /// Which services were interrupted.
        interruptions: Vec<Interruption>,
        /// Why it was undone or is stuck.
        failure: Option<Failure>,
    },
}

/// Where a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Under way.
    Running,
    /// It serves.
    Released,
    /// It failed or was cut off; the one before serves.
    Undone,
    /// Its undo failed: it needs a hand.
    Stuck,
    /// It served once.
    Superseded,
    /// Its app was removed.
    Removed,
}

/// How long a service did not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// Which.
    pub service: ServiceName,
    /// From the stop of the old to the gate of the new.
    pub interrupted: Duration,
    /// Requests that were cut off because they took longer than the drain.
    pub closed_requests: u64,
}
