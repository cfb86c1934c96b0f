//! What one look says about one check. Pure.

use std::time::Duration;

use crate::{
    config::Limit,
    health::{CheckId, Level, Unseen, series::float},
};

/// One look at one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which check.
    pub id: CheckId,
    /// What is checked.
    pub what: String,
    /// What was seen.
    pub reading: Reading,
    /// The same in words, with figures.
    pub why: String,
    /// What to do when it is not good.
    pub hint: String,
    /// How long it has to be bad before it is told.
    pub hold: Duration,
    /// How long it has to be better before that is told.
    pub ends_after: Duration,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A level.
    Measured {
        /// By the limits where a finding begins.
        begins: Level,
        /// By those where it ends; not better than `begins`.
        ends: Level,
    },
    /// Nothing: it could not be looked at.
    Unknown,
    /// It says nothing now: what was told stays.
    AsBefore,
}

/// Which values are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worse {
    More,
    Less,
}

impl Reading {
    /// A level without limits.
    pub(super) fn is(level: Level) -> Self {
        Self::Measured { begins: level, ends: level }
    }

    /// By a limit, whose findings end a twentieth on the good side of it.
    pub(super) fn of(value: f64, (limit, worse): (Limit, Worse)) -> Self {
        const MARGIN: f64 = 0.05;
        let level = |margin: f64| {
            let is_over = |bound: u64| match worse {
                Worse::More => value >= float(bound) * (1.0 - margin),
                Worse::Less => value <= float(bound) * (1.0 + margin),
            };
            match (is_over(limit.critical), is_over(limit.warning)) {
                (true, _) => Level::Critical,
                (false, true) => Level::Warning,
                (false, false) => Level::Good,
            }
        };
        Self::Measured { begins: level(0.0), ends: level(MARGIN) }
    }
}

impl Condition {
    /// With nothing to do about it, told at once.
    pub(super) fn new(
        id: CheckId,
        what: impl Into<String>,
        reading: Reading,
        why: impl Into<String>,
    ) -> Self {
        Self {
            id,
            what: what.into(),
            reading,
            why: why.into(),
            hint: String::new(),
            hold: Duration::ZERO,
            ends_after: Duration::ZERO,
        }
    }

    /// One that could not be looked at.
    pub(super) fn unseen(id: CheckId, what: impl Into<String>, unseen: &Unseen) -> Self {
        Self::new(id, what, Reading::Unknown, unseen.to_string())
    }

    /// What to do.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// How long it has to be bad, and then better.
    #[must_use]
    pub(super) fn held(self, hold: Duration, ends_after: Duration) -> Self {
        Self { hold, ends_after, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_ends_on_the_good_side_of_where_it_began() {
        let limit = Limit { warning: 80, critical: 95, hold: Duration::ZERO };
        let of = |value| match Reading::of(value, (limit, Worse::More)) {
            Reading::Measured { begins, ends } => (begins, ends),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(75.0), (Level::Good, Level::Good));
        assert_eq!(of(78.0), (Level::Good, Level::Warning));
        assert_eq!(of(80.0), (Level::Warning, Level::Warning));
        assert_eq!(of(93.0), (Level::Warning, Level::Critical));
        assert_eq!(of(95.0), (Level::Critical, Level::Critical));
        let days = Limit { warning: 30, critical: 7, hold: Duration::ZERO };
        let left = |value| Reading::of(value, (days, Worse::Less));
        assert_eq!(left(31.0), Reading::Measured { begins: Level::Good, ends: Level::Warning });
        assert_eq!(left(7.0), Reading::is(Level::Critical));
    }
}
