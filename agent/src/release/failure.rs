//! An error that a person can act on: what, where, why, what to do. What the wire calls `Failure`.

use serde::{Deserialize, Serialize};

/// What failed, in the parts that are shown one by one. Holds no secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// "service web did not pass its gate"
    pub what: String,
    /// "compose.yaml:31:5", a container's name, or empty.
    #[serde(default)]
    pub place: String,
    /// Why.
    #[serde(default)]
    pub cause: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: String,
    /// Last log lines, a migration's output.
    #[serde(default)]
    pub details: Vec<String>,
}

impl Failure {
    /// A failure and its cause.
    pub fn new(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { what: what.into(), cause: cause.into(), ..Self::default() }
    }

    /// A failure whose cause is an error with its chain.
    pub fn caused_by(what: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(what, chain(error))
    }

    /// Where it is.
    #[must_use]
    pub fn at(self, place: impl Into<String>) -> Self {
        Self { place: place.into(), ..self }
    }

    /// What to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// Lines to show with it.
    #[must_use]
    pub fn details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }
}

/// An error and its sources in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
