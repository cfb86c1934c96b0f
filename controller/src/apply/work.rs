//! What every step is given.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tidegate_saga::{Inputs, NodeFailure};

use crate::{
    cloud::{Client, CloudError},
    cloud_init::CloudInit,
    environ::Environ,
    names::{IntentId, Scope},
    output::Printer,
    waits::Waits,
};

/// Clients, names and secrets that steps work with.
#[derive(Debug)]
pub struct Work {
    /// The API.
    pub client: Arc<Client>,
    /// Fleet and environment.
    pub scope: Scope,
    /// Slug.
    pub region: String,
    /// What droplets are told at birth; absent where none is made.
    pub cloud_init: Option<CloudInit>,
    /// `enrolment.json`, with the one-time token, by intent.
    pub enrolment_files: BTreeMap<IntentId, SecretString>,
    /// For progress.
    pub printer: Printer,
    /// Counts waiting.
    pub waits: Waits,
    /// How long to wait for what.
    pub timing: Timing,
    /// Steps that a process that is gone may have sent already, without the result showing yet.
    pub begun: BTreeSet<String>,
}

impl Work {
    /// How long a step has to look before it makes anything.
    pub(super) fn first_look(&self, step: &str) -> Duration {
        if self.begun.contains(step) { self.timing.look_up } else { Duration::ZERO }
    }
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two looks.
    pub poll: Duration,
    /// Longer than the lag between an effect and its showing in lists.
    pub look_up: Duration,
    /// For a droplet to be active with an address.
    pub create: Duration,
    /// For what is deleted to be gone, and for those that cling to it.
    pub gone: Duration,
}

impl Timing {
    /// As measured, unless `TIDEGATE_LOOK_UP_MS` says that this account's lists lag otherwise.
    pub fn new(environ: &Environ) -> Self {
        let told =
            environ.get("TIDEGATE_LOOK_UP_MS").and_then(|text| text.parse().ok()).map(Duration::from_millis);
        let usual = Self::default();
        let look_up = told.unwrap_or(usual.look_up);
        Self { look_up, poll: usual.poll.min(look_up.max(Duration::from_millis(50))), ..usual }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(1500),
            look_up: Duration::from_secs(20),
            create: Duration::from_mins(10),
            gone: Duration::from_mins(5),
        }
    }
}

/// One wanted droplet, as journaled before its create call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Random.
    pub id: IntentId,
    /// When its one-time token is worth nothing any more.
    pub token_expires_at: Timestamp,
}

/// What a create step tells: the id, and whether this saga made it. What it found is not its to undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made<I> {
    pub id: I,
    pub by_us: bool,
}

impl<I: Serialize + for<'de> Deserialize<'de>> Made<I> {
    pub fn output(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    pub fn own(inputs: &Inputs<'_>) -> Option<Self> {
        Self::deserialize(inputs.own_output()?).ok()
    }

    pub fn of(inputs: &Inputs<'_>, node: &str) -> Option<Self> {
        Self::deserialize(inputs.output(node)?).ok()
    }
}

/// The one way an API error enters the journal: its chain, and the hint beside it.
pub(super) fn failure(what: &str, error: &CloudError) -> NodeFailure {
    let mut causes = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    let detail = serde_json::json!({
        "hint": error.hint(),
        "status": error.status(),
        "ambiguous": error.is_ambiguous(),
    });
    NodeFailure::new(format!("{what}: {}", causes.join(": "))).with_detail(detail)
}
