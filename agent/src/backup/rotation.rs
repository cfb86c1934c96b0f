//! Which backups go, and why the others stay. Pure: a list, a rule and the time in, a plan out.
//!
//! Owns the rule. Must not delete anything.
//!
//! Backups are looked at from the newest on, as restic and borg do. `last` keeps the newest; `daily` keeps the newest of each of
//! the newest days that have one, and so on by ISO week, month and year, in UTC. One backup may stay for several reasons. Whatever
//! the counts say, the newest verified backup stays, and so does every damaged one to which no newer complete one exists.
//! Damaged backups take nobody's place.

mod period;
#[cfg(test)]
mod tests;

use std::{cmp::Reverse, collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::period::Period;
use super::{BackupId, catalog::Orphan};

/// Orphans that are younger may be backups that are being written.
pub const ORPHAN_AGE: SignedDuration = SignedDuration::from_hours(24);

/// How many backups are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counts", into = "Counts")]
pub struct Keep(Counts);

/// The counts as a file has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counts {
    /// The newest backups.
    pub last: u32,
    /// Days of which one stays.
    pub daily: u32,
    /// ISO weeks of which one stays.
    pub weekly: u32,
    /// Months of which one stays.
    pub monthly: u32,
    /// Years of which one stays.
    pub yearly: u32,
}

/// Counts that keep nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`keep` would keep nothing: give at least one of `last`, `daily`, `weekly`, `monthly` and `yearly` a number above 0"
)]
pub struct KeepError;

impl Keep {
    /// Takes counts.
    ///
    /// # Errors
    /// When all of them are 0.
    pub fn new(counts: Counts) -> Result<Self, KeepError> {
        if counts == Counts::default() { Err(KeepError) } else { Ok(Self(counts)) }
    }

    /// The counts.
    pub fn counts(self) -> Counts {
        self.0
    }
}

impl TryFrom<Counts> for Keep {
    type Error = KeepError;

    fn try_from(counts: Counts) -> Result<Self, KeepError> {
        Self::new(counts)
    }
}

impl From<Keep> for Counts {
    fn from(keep: Keep) -> Self {
        keep.0
    }
}

/// A backup as the rule sees it. Its time is its id's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub id: BackupId,
    /// What is known of it.
    pub condition: Condition,
}

/// What is known of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A restore of it was tried and succeeded.
    Verified,
    /// All of it is there.
    Complete,
    /// Something of it is missing or changed.
    Damaged,
}

/// What stays and what goes. The newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What stays, and why; at least one reason each.
    pub stays: Vec<(BackupId, Vec<Reason>)>,
    /// What goes, and why.
    pub goes: Vec<(BackupId, Gone)>,
}

/// Why a backup stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It is one of the newest.
    Last,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its ISO week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the newest of its year.
    Yearly,
    /// It is the newest that was verified.
    NewestVerified,
    /// It is damaged, but nothing newer is complete.
    NothingBetter,
}

/// Why a backup goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// No count keeps it.
    NotKept,
    /// It is damaged, and a newer one is complete.
    Damaged,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "one of the newest",
            Self::Daily => "newest of its day",
            Self::Weekly => "newest of its week",
            Self::Monthly => "newest of its month",
            Self::Yearly => "newest of its year",
            Self::NewestVerified => "newest verified",
            Self::NothingBetter => "damaged, but nothing newer is complete",
        })
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotKept => "not kept by any count",
            Self::Damaged => "damaged, and a newer one is complete",
        })
    }
}

/// Decides about the backups of one service of one droplet.
pub fn plan(keep: Keep, backups: &[Candidate]) -> Plan {
    let mut backups = backups.to_vec();
    backups.sort_by_key(|backup| Reverse(backup.id));
    backups.dedup_by_key(|backup| backup.id);
    let whole: Vec<BackupId> = backups
        .iter()
        .filter(|backup| backup.condition != Condition::Damaged)
        .map(|backup| backup.id)
        .collect();
    let mut reasons = kept(keep.counts(), &whole);
    if let Some(newest) = backups.iter().find(|backup| backup.condition == Condition::Verified) {
        reasons.entry(newest.id).or_default().push(Reason::NewestVerified);
    }
    let newest_whole = whole.first();
    let mut plan = Plan::default();
    for Candidate { id, condition } in backups {
        match (condition, reasons.remove(&id)) {
            (_, Some(reasons)) => plan.stays.push((id, reasons)),
            (Condition::Damaged, None) if newest_whole.is_none_or(|whole| *whole < id) => {
                plan.stays.push((id, vec![Reason::NothingBetter]));
            }
            (Condition::Damaged, None) => plan.goes.push((id, Gone::Damaged)),
            (Condition::Verified | Condition::Complete, None) => plan.goes.push((id, Gone::NotKept)),
        }
    }
    plan
}

/// What the counts keep of these, the newest first.
fn kept(counts: Counts, whole: &[BackupId]) -> BTreeMap<BackupId, Vec<Reason>> {
    let Counts { last, daily, weekly, monthly, yearly } = counts;
    let rules = [
        (Reason::Last, Period::Each, last),
        (Reason::Daily, Period::Day, daily),
        (Reason::Weekly, Period::Week, weekly),
        (Reason::Monthly, Period::Month, monthly),
        (Reason::Yearly, Period::Year, yearly),
    ];
    let mut reasons: BTreeMap<BackupId, Vec<Reason>> = BTreeMap::new();
    for (reason, period, count) in rules {
        let mut left = count;
        let mut before = None;
        for id in whole {
            let here = period.of(*id);
            if left == 0 {
                break;
            }
            if before == Some(here) {
                continue;
            }
            before = Some(here);
            left = left.saturating_sub(1);
            reasons.entry(*id).or_default().push(reason);
        }
    }
    reasons
}

/// The orphans that go: what nobody has written to for a day.
pub fn orphans<'a>(orphans: impl IntoIterator<Item = &'a Orphan>, now: Timestamp) -> Vec<&'a Orphan> {
    orphans.into_iter().filter(|orphan| orphan.age(now) > ORPHAN_AGE).collect()
}
