//! From what was seen to what is told. Pure.
//!
//! Owns the rules: what is a finding, how bad, what to do about it, and how flapping is damped. Must not look at anything
//! itself, nor know how it is kept.

mod app;
mod backups;
mod condition;
mod containers;
mod damping;
mod host;
mod trend;
mod words;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

pub use self::{
    condition::{Condition, Reading},
    damping::{Patience, Track, damp},
};
use super::{Change, Check, CheckId, Level, Unseen, observe::Observation};
use crate::config::HealthConfig;

/// Looks that are so close say something about the time between them, however often a sample is kept.
const SHORTEST_GAP: Duration = Duration::from_mins(1);

/// What was kept of earlier looks, as far as rules ask for it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Used bytes of disks, oldest first, by series.
    pub disks: BTreeMap<String, Vec<(Timestamp, f64)>>,
    /// How often each container had been started again by Docker when it was first seen within `restarts_within`, by id.
    pub restarts: BTreeMap<String, u64>,
}

/// What is told after a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// All checks, by id.
    pub checks: Vec<Check>,
    /// What is to be remembered of them.
    pub tracks: Vec<Track>,
    /// What became better or worse.
    pub changes: Vec<Change>,
}

/// What is told after one more look.
pub fn judge(
    observation: &Observation,
    (config, history): (&HealthConfig, &History),
    before: &BTreeMap<CheckId, Track>,
) -> Judged {
    let mut conditions = host::conditions(&observation.host, (observation.at, config), history);
    match &observation.apps {
        Ok(apps) => {
            for app in apps {
                conditions.extend(app::conditions(app, (observation.at, config), history));
                if let Err(unseen) = &app.services {
                    let is_there = |id: &CheckId| conditions.iter().any(|condition| condition.id == *id);
                    let own = before.values().filter(|track| track.id.whose() == Some(&app.app));
                    let lost: Vec<_> = own.filter(|track| !is_there(&track.id)).collect();
                    conditions.extend(lost.into_iter().map(|track| out_of_sight(track, unseen)));
                }
            }
        }
        Err(unseen) => {
            let of_apps = before.values().filter(|track| track.id.whose().is_some());
            conditions.extend(of_apps.map(|track| out_of_sight(track, unseen)));
        }
    }
    told(conditions, (observation.at, config), before)
}

/// A check of earlier looks that this one could not see.
fn out_of_sight(track: &Track, unseen: &Unseen) -> Condition {
    Condition::unseen(track.id.clone(), track.what.clone(), unseen)
}

fn told(
    conditions: Vec<Condition>,
    (now, config): (Timestamp, &HealthConfig),
    before: &BTreeMap<CheckId, Track>,
) -> Judged {
    let usual = config.sample.saturating_mul(3).max(config.sample.saturating_add(config.unknown_after));
    // On a busy droplet a look takes its time.
    let gap = usual.max(SHORTEST_GAP);
    let patience = Patience { unknown_after: config.unknown_after, gap };
    let mut judged = Judged::default();
    for condition in conditions {
        let earlier = before.get(&condition.id);
        let track = damp(earlier, &condition, (now, patience));
        let was = earlier.map_or(Level::Good, |earlier| earlier.level);
        let check = check(condition, &track);
        if was != check.level {
            judged.changes.push(Change { check: check.clone(), before: was });
        }
        judged.checks.push(check);
        judged.tracks.push(track);
    }
    for gone in before.values().filter(|track| track.level != Level::Good) {
        if !judged.tracks.iter().any(|track| track.id == gone.id) {
            let check = Check {
                id: gone.id.clone(),
                level: Level::Good,
                since: now,
                what: gone.what.clone(),
                why: "is not there any more".to_owned(),
                hint: String::new(),
            };
            judged.changes.push(Change { check, before: gone.level });
        }
    }
    judged.checks.sort_by(|left, right| left.id.cmp(&right.id));
    judged
}

fn check(condition: Condition, track: &Track) -> Check {
    let Condition { id, what, reading, mut why, hint, ends_after, .. } = condition;
    // What is told is not always what is seen at the moment.
    match track.candidate {
        _ if track.level > Level::Unknown && reading == Reading::Unknown => {
            why = format!("was {} when last seen; now it {why}", track.level.word());
        }
        Some((level, since)) if level < track.level => {
            why = format!("{why}; better since {since}, which ends it after {}", words::time(ends_after));
        }
        _ => {}
    }
    let hint = if track.level == Level::Good { String::new() } else { hint };
    Check { id, level: track.level, since: track.since, what, why, hint }
}

#[cfg(test)]
mod tests;
