//! An expression of systemd's `OnCalendar`, as far as it can be judged without systemd.

use std::fmt;

use crate::node::Node;
use crate::x_tidegate::reader::Reader;

/// When something is done: an expression of systemd's `OnCalendar`.
///
/// Only its characters are checked, so that it cannot be more than one line of a unit file, nor a specifier in it. Whether
/// it names a time the droplet's systemd judges.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OnCalendar(String);

/// Why a text cannot be an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OnCalendarError {
    /// Nothing is written, or only spaces.
    #[error("a schedule cannot be empty")]
    Empty,
    /// Nobody writes so much.
    #[error("a schedule has at most 128 characters")]
    Long,
    /// A control character, one beyond ASCII, or one that means something else in a unit file.
    #[error("a schedule has no {0:?}")]
    Character(char),
    /// Five fields, as cron has them.
    #[error("this is how cron writes it, and systemd's timers do not read that")]
    Cron,
}

impl OnCalendar {
    /// Checks the characters.
    ///
    /// # Errors
    /// When it is empty, longer than 128 characters, has a character that no expression has, or is cron's.
    pub fn parse(text: &str) -> Result<Self, OnCalendarError> {
        let is_known = |c: &char| c.is_ascii_alphanumeric() || " *-:,./~_+".contains(*c);
        let trimmed = text.trim_matches(' ');
        if trimmed.is_empty() {
            return Err(OnCalendarError::Empty);
        }
        if text.len() > 128 {
            return Err(OnCalendarError::Long);
        }
        if let Some(wrong) = text.chars().find(|c| !is_known(c)) {
            return Err(OnCalendarError::Character(wrong));
        }
        // systemd knows at most a weekday, a date, a time and a zone.
        if trimmed.split(' ').filter(|word| !word.is_empty()).count() >= 5 {
            return Err(OnCalendarError::Cron);
        }
        Ok(Self(trimmed.to_owned()))
    }

    /// Mondays at midnight.
    pub fn weekly() -> Self {
        Self("weekly".to_owned())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OnCalendar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Reader<'_> {
    pub(super) fn calendar(&mut self, node: &Node, path: &str) -> Option<OnCalendar> {
        let Some(text) = node.as_str() else {
            let message = format!("expected a schedule as text, found {}", node.kind());
            self.fail(node.at, path, (message, Some(HINT.to_owned())));
            return None;
        };
        match OnCalendar::parse(text) {
            Ok(calendar) => Some(calendar),
            Err(error) => {
                self.fail(node.at, path, (error.to_string(), Some(HINT.to_owned())));
                None
            }
        }
    }
}

const HINT: &str =
    "write hourly, daily, weekly, monthly, or a time such as \"*-*-* 03:00\" or \"Sun *-*-* 04:30\"";
