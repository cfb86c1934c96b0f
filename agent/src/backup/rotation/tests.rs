//! The rule, by examples and against a plain model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    Reason::{Daily, Monthly, Weekly, Yearly},
    period::Span,
    *,
};
use crate::backup::{layout::BackupFolder, sample};

fn id(text: &str) -> BackupId {
    BackupId::new(text.parse().unwrap(), [0; 4])
}

fn complete(text: &str) -> Candidate {
    Candidate { id: id(text), condition: Condition::Complete }
}

fn keep(last: u32, daily: u32, weekly: u32, monthly: u32, yearly: u32) -> Keep {
    Keep::new(Counts { last, daily, weekly, monthly, yearly }).unwrap()
}

#[test]
fn counts_that_keep_nothing_are_refused() {
    assert_eq!(Keep::new(Counts::default()), Err(KeepError));
    assert!(serde_json::from_str::<Keep>("{}").is_err());
    assert!(serde_json::from_str::<Keep>(r#"{"daily": 7, "hourly": 1}"#).is_err());
    assert_eq!(serde_json::from_str::<Keep>(r#"{"daily": 7}"#).unwrap(), keep(0, 7, 0, 0, 0));
}

#[test]
fn the_newest_of_each_period_stays() {
    // A Thursday in the last week of 2026; its Monday is in 2026 too, the Sunday after in 2027.
    let backups = [
        "2026-12-31T03:00:00Z",
        "2026-12-31T15:00:00Z",
        "2027-01-01T03:00:00Z",
        "2027-01-03T23:59:59Z",
        "2027-01-04T00:00:00Z",
    ];
    let plan = plan(keep(0, 2, 2, 2, 2), &backups.map(complete));
    assert_eq!(
        plan.stays,
        [
            (id(backups[4]), vec![Daily, Weekly, Monthly, Yearly]),
            (id(backups[3]), vec![Daily, Weekly]),
            (id(backups[1]), vec![Monthly, Yearly]),
        ]
    );
    assert_eq!(plan.goes, [(id(backups[2]), Gone::NotKept), (id(backups[0]), Gone::NotKept)]);
}

#[test]
fn the_newest_verified_stays_whatever_the_counts_say() {
    let verified = Candidate { id: id("2020-01-01T00:00:00Z"), condition: Condition::Verified };
    let older = Candidate { id: id("2019-01-01T00:00:00Z"), condition: Condition::Verified };
    let plan = plan(keep(1, 0, 0, 0, 0), &[older, verified, complete("2026-01-01T00:00:00Z")]);
    assert_eq!(plan.stays[1], (verified.id, vec![Reason::NewestVerified]));
    assert_eq!(plan.goes, [(older.id, Gone::NotKept)]);
}

#[test]
fn damaged_ones_take_no_place_and_go_when_there_is_something_better() {
    let damaged = |text| Candidate { id: id(text), condition: Condition::Damaged };
    let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z");
    let between = complete("2026-01-02T00:00:00Z");
    let plan = plan(keep(1, 0, 0, 0, 0), &[damaged(old), between, damaged(new)]);
    assert_eq!(plan.stays, [(id(new), vec![Reason::NothingBetter]), (between.id, vec![Reason::Last])]);
    assert_eq!(plan.goes, [(id(old), Gone::Damaged)]);
    let alone = super::plan(keep(1, 0, 0, 0, 0), &[damaged(old), damaged(new)]);
    assert_eq!((alone.stays.len(), alone.goes.len()), (2, 0));
}

#[test]
fn orphans_go_after_a_day() {
    let now: Timestamp = "2026-11-23T03:00:00Z".parse().unwrap();
    let orphan = |newest: &str| Orphan {
        folder: BackupFolder::of(&sample::manifest()).unwrap(),
        at: "directory /backups".to_owned(),
        newest: newest.parse().unwrap(),
        objects: Vec::new(),
        bytes: crate::backup::ByteCount::default(),
    };
    let (young, old) = (orphan("2026-11-22T03:00:00Z"), orphan("2026-11-22T02:59:59Z"));
    assert_eq!(orphans([&young, &old], now), [&old]);
    // A clock that went back.
    assert!(orphans([&orphan("2026-11-24T00:00:00Z")], now).is_empty());
}

/// Counts per period over whole sets, without looking from one to the next.
fn model(counts: Counts, whole: &BTreeSet<BackupId>) -> BTreeSet<BackupId> {
    let rules = [
        (Period::Each, counts.last),
        (Period::Day, counts.daily),
        (Period::Week, counts.weekly),
        (Period::Month, counts.monthly),
        (Period::Year, counts.yearly),
    ];
    let mut kept = BTreeSet::new();
    for (period, count) in rules {
        let mut newest: BTreeMap<Span, BackupId> = BTreeMap::new();
        for id in whole {
            newest.entry(period.of(*id)).and_modify(|other| *other = (*other).max(*id)).or_insert(*id);
        }
        let mut newest: Vec<BackupId> = newest.into_values().collect();
        newest.sort();
        kept.extend(newest.into_iter().rev().take(usize::try_from(count).unwrap()));
    }
    kept
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let condition = prop_oneof![
        1 => Just(Condition::Verified),
        4 => Just(Condition::Complete),
        1 => Just(Condition::Damaged)
    ];
    // Three years, often several a day.
    let time = (0_i64..1100, 0_i64..4).prop_map(|(day, part)| 1_700_000_000 + day * 86_400 + part * 21_000);
    let one = (time, any::<[u8; 4]>(), condition).prop_map(|(second, random, condition)| Candidate {
        id: BackupId::new(Timestamp::from_second(second).unwrap(), random),
        condition,
    });
    proptest::collection::vec(one, 0..60)
}

fn counts() -> impl Strategy<Value = Keep> {
    let count = || 0_u32..8;
    (count(), count(), count(), count(), count())
        .prop_map(|(last, daily, weekly, monthly, yearly)| Counts { last, daily, weekly, monthly, yearly })
        .prop_filter_map("keeps nothing", |counts| Keep::new(counts).ok())
}

proptest! {
    #[test]
    fn the_rule_keeps_what_the_model_keeps(keep in counts(), mut backups in candidates()) {
        backups.sort_by_key(|backup| backup.id);
        backups.dedup_by_key(|backup| backup.id);
        let plan = plan(keep, &backups);
        let stays: BTreeSet<BackupId> = plan.stays.iter().map(|(id, _)| *id).collect();
        let goes: BTreeSet<BackupId> = plan.goes.iter().map(|(id, _)| *id).collect();
        prop_assert_eq!(stays.len() + goes.len(), backups.len());
        prop_assert!(stays.is_disjoint(&goes));
        prop_assert!(plan.stays.iter().all(|(_, reasons)| !reasons.is_empty()));

        let is_whole = |backup: &&Candidate| backup.condition != Condition::Damaged;
        let whole: BTreeSet<BackupId> = backups.iter().filter(is_whole).map(|backup| backup.id).collect();
        let mut expected = model(keep.counts(), &whole);
        let verified = backups.iter().filter(|backup| backup.condition == Condition::Verified);
        expected.extend(verified.map(|backup| backup.id).max());
        for backup in backups.iter().filter(|backup| backup.condition == Condition::Damaged) {
            if !whole.iter().any(|whole| *whole > backup.id) {
                expected.insert(backup.id);
            }
        }
        prop_assert_eq!(&stays, &expected);
        prop_assert!(whole.is_empty() || whole.iter().any(|id| stays.contains(id)));
        prop_assert!(backups.is_empty() || !stays.is_empty());
    }

    #[test]
    fn what_stays_stays_the_next_time(keep in counts(), backups in candidates()) {
        let first = plan(keep, &backups);
        let left: Vec<Candidate> = backups
            .into_iter()
            .filter(|backup| first.stays.iter().any(|(id, _)| *id == backup.id))
            .collect();
        let second = plan(keep, &left);
        prop_assert_eq!(second.goes, []);
        prop_assert_eq!(second.stays, first.stays);
    }
}
