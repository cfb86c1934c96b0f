//! Errors that carry cause and cure over the wire, as `google.rpc` details of a gRPC status: an `ErrorInfo` with the
//! reason and, as metadata, place, cause and hint; a `DebugInfo` with the detail lines; and, for an invalid argument with
//! a place, a `BadRequest` too, for clients that are not ours. Everything is cut to bounds, since it travels in trailers.
//! It must not know who fails or why.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{limits::MAX_STATUS_DETAILS_BYTES, v1};

/// The `domain` of our `ErrorInfo`.
pub const ERROR_DOMAIN: &str = "tidegate";

const MAX_WHAT: usize = 512;
const MAX_REASON: usize = 63;
const MAX_PLACE: usize = 256;
const MAX_CAUSE: usize = 2048;
const MAX_HINT: usize = 1024;
const MAX_DETAIL_LINES: usize = 50;
/// What place, cause, hint, reason, their copies in `BadRequest` and the framing can take at most is below half of it.
const MAX_DETAILS: usize = MAX_STATUS_DETAILS_BYTES / 4;

/// An error a person can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RichError {
    /// gRPC's code.
    pub code: Code,
    /// For programs: `UPPER_SNAKE_CASE`, at most 63 characters.
    pub reason: String,
    /// What failed: one line.
    pub what: String,
    /// Where: `compose.yaml:31:5`, `web-1`, or empty.
    pub place: String,
    /// Why; may be empty.
    pub cause: String,
    /// What to do; may be empty.
    pub hint: String,
    /// The last log lines, a migration's output. The last ones are kept when there are too many.
    pub details: Vec<String>,
}

impl RichError {
    /// An error with neither place, cause, hint nor details.
    pub fn new(code: Code, reason: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            what: what.into(),
            place: String::new(),
            cause: String::new(),
            hint: String::new(),
            details: Vec::new(),
        }
    }

    /// With a place.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// With a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// With a cause: all sources of an error, outermost first.
    #[must_use]
    pub fn caused_by(self, error: &(dyn std::error::Error + 'static)) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        self.because(text)
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// With details.
    #[must_use]
    pub fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// The same cut to the bounds of the wire.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            code: self.code,
            reason: cut(self.reason, MAX_REASON),
            what: cut(self.what, MAX_WHAT),
            place: cut(self.place, MAX_PLACE),
            cause: cut(self.cause, MAX_CAUSE),
            hint: cut(self.hint, MAX_HINT),
            details: last_lines(self.details),
        }
    }

    /// Reads a status; one that is not ours becomes an error with its code and message alone, and the code's name as reason.
    pub fn from_status(status: &Status) -> Self {
        let plain = Self::new(status.code(), format!("{:?}", status.code()), status.message());
        // A peer's bytes: tonic bounds them by the header limit.
        let Ok(details) = status.check_error_details() else {
            return plain.bounded();
        };
        let Some(info) = details.error_info().filter(|info| info.domain == ERROR_DOMAIN) else {
            return plain.bounded();
        };
        let get = |key: &str| info.metadata.get(key).cloned().unwrap_or_default();
        Self {
            reason: info.reason.clone(),
            place: get("place"),
            cause: get("cause"),
            hint: get("hint"),
            details: details.debug_info().map(|debug| debug.stack_entries.clone()).unwrap_or_default(),
            ..plain
        }
        .bounded()
    }

    /// As the message that release events carry; the code and the reason are left out.
    pub fn failure(&self) -> v1::Failure {
        let error = self.clone().bounded();
        v1::Failure {
            what: error.what,
            place: error.place,
            cause: error.cause,
            hint: error.hint,
            details: error.details,
        }
    }
}

impl From<RichError> for Status {
    fn from(error: RichError) -> Status {
        let error = error.bounded();
        let mut details = ErrorDetails::new();
        let metadata: HashMap<String, String> =
            [("place", &error.place), ("cause", &error.cause), ("hint", &error.hint)]
                .into_iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(key, text)| (key.to_owned(), text.clone()))
                .collect();
        details.set_error_info(error.reason, ERROR_DOMAIN, metadata);
        if error.code == Code::InvalidArgument && !error.place.is_empty() {
            details.add_bad_request_violation(error.place, cut(error.cause, MAX_WHAT));
        }
        if !error.details.is_empty() {
            details.set_debug_info(error.details, "");
        }
        Status::with_error_details(error.code, error.what, details)
    }
}

fn cut(mut text: String, bytes: usize) -> String {
    const MARK: &str = "…";
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes.saturating_sub(MARK.len())));
        text.push_str(MARK);
    }
    text
}

fn last_lines(lines: Vec<String>) -> Vec<String> {
    let mut left = MAX_DETAILS;
    let mut kept: Vec<String> = lines
        .into_iter()
        .rev()
        .take(MAX_DETAIL_LINES)
        .map(|line| cut(line, MAX_WHAT))
        .take_while(|line| {
            // A few bytes of framing per line.
            let fits = line.len() + 4 <= left;
            left = left.saturating_sub(line.len() + 4);
            fits
        })
        .collect();
    kept.reverse();
    kept
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
