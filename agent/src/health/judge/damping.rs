//! From one look to what is told: a check that flaps is told once. Pure.
//!
//! What is told of a check changes only when it was seen otherwise for a while without a break: worse for as long as its
//! limit says, better for `ends_after`, without an answer for `unknown_after`. What was seen worse now and then less bad
//! becomes what it was at least, all the while. After a time without looks nothing is known of the while.

use std::time::Duration;

use jiff::Timestamp;

use super::{Condition, Reading};
use crate::health::{CheckId, Level};

/// What is remembered of a check between two looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Which check.
    pub id: CheckId,
    /// What is told.
    pub level: Level,
    /// Since when.
    pub since: Timestamp,
    /// What was told before it became unknown; else the same as `level`.
    pub known: Level,
    /// What it may become, and since when it was seen so.
    pub candidate: Option<(Level, Timestamp)>,
    /// When it was last looked at.
    pub looked: Timestamp,
    /// What is checked, for a look that cannot see it.
    pub what: String,
}

/// How long something has to be seen before it is told, where that is the same for all checks.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before it is told that there is no answer.
    pub unknown_after: Duration,
    /// Looks that are further apart say nothing about the time between them.
    pub gap: Duration,
}

/// Which way a look leads from what is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Unknown,
    Better,
    Worse,
}

/// What is told after one more look.
pub fn damp(before: Option<&Track>, condition: &Condition, (now, patience): (Timestamp, Patience)) -> Track {
    let fresh = |level, candidate| Track {
        id: condition.id.clone(),
        level,
        since: now,
        known: if level == Level::Unknown { Level::Good } else { level },
        candidate,
        looked: now,
        what: condition.what.clone(),
    };
    let Some(before) = before else {
        return match seen(condition.reading, Level::Good) {
            level @ (Level::Warning | Level::Critical) if condition.hold.is_zero() => fresh(level, None),
            level @ (Level::Warning | Level::Critical) => fresh(Level::Good, Some((level, now))),
            level @ (Level::Good | Level::Unknown) => fresh(level, None),
        };
    };
    let seen = seen(condition.reading, before.known);
    // Once there is an answer again, it goes on from what was told before.
    let resumed = before.level == Level::Unknown && seen != Level::Unknown;
    let told = if resumed { before.known } else { before.level };
    let is_gap = elapsed(before.looked, now) > patience.gap;
    let earlier = before.candidate.filter(|_| !is_gap && !resumed);
    let mut track = Track {
        level: told,
        since: if resumed { now } else { before.since.min(now) },
        known: before.known,
        ..fresh(told, None)
    };
    if seen == told {
        return track;
    }
    let way = way(told, seen);
    let (level, since) = match earlier {
        Some((level, since)) if self::way(told, level) == way => match way {
            Way::Unknown => (seen, since.min(now)),
            Way::Better => (level.max(seen), since.min(now)),
            Way::Worse => (level.min(seen), since.min(now)),
        },
        _ => (seen, now),
    };
    let patience = match way {
        Way::Unknown => patience.unknown_after,
        Way::Better => condition.ends_after,
        Way::Worse => condition.hold,
    };
    if elapsed(since, now) < patience {
        track.candidate = Some((level, since));
        return track;
    }
    track.level = level;
    track.since = now;
    if level != Level::Unknown {
        track.known = level;
    }
    track
}

/// What a look says, seen from what is told: between the limit where a finding begins and the one where it ends it stays.
fn seen(reading: Reading, told: Level) -> Level {
    match reading {
        Reading::Unknown => Level::Unknown,
        Reading::AsBefore => told,
        Reading::Measured { begins, .. } if told <= begins => begins,
        Reading::Measured { ends, .. } => told.min(ends),
    }
}

fn way(told: Level, seen: Level) -> Way {
    match seen {
        Level::Unknown => Way::Unknown,
        seen if seen > told => Way::Worse,
        _ => Way::Better,
    }
}

/// Not less than nothing: a clock may be set back.
fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(since).try_into().unwrap_or_default()
}

#[cfg(test)]
#[path = "damping_tests.rs"]
mod tests;
