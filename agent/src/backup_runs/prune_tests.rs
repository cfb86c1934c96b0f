//! What is decided about backups that are damaged, doubted, or cannot be judged.

use super::*;
use crate::backup::{
    Manifest,
    catalog::{CopyAt, Damage},
    destination::DestinationError,
    layout::BackupFolder,
    manifest::ManifestError,
    rotation::Counts,
    sample,
};

const DAYS: [&str; 4] = [
    "20261119T030000Z-00000001",
    "20261120T030000Z-00000002",
    "20261121T030000Z-00000003",
    "20261122T030000Z-00000004",
];

fn manifest(day: usize) -> Manifest {
    Manifest { id: DAYS[day].parse().unwrap(), ..sample::manifest() }
}

fn found(day: usize, damage: Vec<Damage>) -> Found {
    let manifest = manifest(day);
    Found {
        folder: BackupFolder::of(&manifest).unwrap(),
        manifest: Some(manifest),
        copies: vec![CopyAt { at: "disk".to_owned(), damage, objects: Vec::new() }],
    }
}

fn row(day: usize, state: BackupState) -> BackupRow {
    BackupRow { state, ..BackupRow::found(&manifest(day), Vec::new()) }
}

fn doubted(day: usize) -> BackupRow {
    let why = Failure::new("it did not restore", "");
    BackupRow { verify_failure: Some(why), ..row(day, BackupState::Stored) }
}

fn catalog(backups: Vec<Found>) -> Catalog {
    Catalog { backups, ..Catalog::default() }
}

fn last(count: u32) -> Keep {
    Keep::new(Counts { last: count, ..Counts::default() }).unwrap()
}

fn now() -> Timestamp {
    "2026-11-23T03:00:00Z".parse().unwrap()
}

/// The days that go and those that stay, the newest first.
fn days(decision: &Decision<'_>) -> (Vec<usize>, Vec<usize>) {
    let day = |id: BackupId| DAYS.iter().position(|day| *day == id.to_string()).unwrap();
    let goes = decision.goes.iter().map(|(found, _)| day(found.folder.id())).collect();
    (goes, decision.stays.iter().map(|(id, _)| day(*id)).collect())
}

#[test]
fn the_last_verified_stays_beside_what_the_counts_keep() {
    let whole = catalog((0..4).map(|day| found(day, Vec::new())).collect());
    let rows = [row(1, BackupState::Verified), row(2, BackupState::Stored), row(3, BackupState::Stored)];
    let decision = decide(last(1), &rows, (&whole, now()));
    assert_eq!(days(&decision), (vec![2, 0], vec![3, 1]));
    assert_eq!(decision.stays[1].1, ["newest verified"]);
}

#[test]
fn one_that_did_not_restore_takes_nobodys_place_and_stays_all_the_same() {
    let whole = catalog((0..4).map(|day| found(day, Vec::new())).collect());
    let decision = decide(last(1), &[doubted(3)], (&whole, now()));
    assert_eq!(days(&decision), (vec![1, 0], vec![3, 2]));
    // Once the counts would not keep it either, it goes.
    let decision = decide(last(1), &[doubted(1)], (&whole, now()));
    assert_eq!(days(&decision), (vec![2, 1, 0], vec![3]));
}

#[test]
fn what_cannot_be_judged_now_stays() {
    let timeout =
        DestinationError::Timeout { at: "disk".to_owned(), after: std::time::Duration::from_secs(1) };
    let newer = Damage::Manifest(ManifestError::Version { found: "2".to_owned() });
    let seen = catalog(vec![
        found(0, vec![Damage::Unread(timeout)]),
        found(1, vec![newer]),
        found(2, vec![Damage::Manifest(ManifestError::CutOff)]),
        found(3, Vec::new()),
    ]);
    let decision = decide(last(1), &[], (&seen, now()));
    assert_eq!(days(&decision), (vec![2], vec![3, 1, 0]));
    assert!(decision.stays[1].1[0].contains("cannot be judged now"));
}

#[test]
fn what_is_being_written_is_no_orphan_and_old_failures_are_forgotten() {
    let orphan = |day: usize| Orphan {
        folder: BackupFolder::of(&manifest(day)).unwrap(),
        at: "disk".to_owned(),
        newest: "2026-11-20T03:00:00Z".parse().unwrap(),
        objects: Vec::new(),
        bytes: ByteCount::default(),
    };
    let seen = Catalog { orphans: vec![orphan(0), orphan(1)], ..Catalog::default() };
    let rows = [row(0, BackupState::Running), row(1, BackupState::Failed)];
    let decision = decide(last(1), &rows, (&seen, now()));
    assert_eq!(decision.orphans, [&seen.orphans[1]]);
    assert_eq!(outdated(&rows, now()).count(), 0);
    let later = now().checked_add(SignedDuration::from_hours(24 * 91)).unwrap();
    assert_eq!(outdated(&rows, later).collect::<Vec<_>>(), [rows[1].id]);
}
