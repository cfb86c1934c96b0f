//! What is remembered, and that it stays bounded.

use jiff::SignedDuration;

use super::*;
use crate::{
    health::{Check, Level},
    store::DatabaseSettings,
};

const START: Timestamp = Timestamp::constant(1_795_000_200, 0);
const MINUTE: Duration = Duration::from_mins(1);

fn store() -> (tempfile::TempDir, HealthStore) {
    // In memory: a day of looks is some thousand commits.
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let settings = DatabaseSettings { reserve_bytes: 0, ..DatabaseSettings::default() };
    let database = Database::open(&directory.path().join("agent.db"), MIGRATIONS, settings).unwrap();
    (directory, HealthStore::new(database))
}

fn at(minutes: i64) -> Timestamp {
    START.checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

fn looked(at: Timestamp, values: &[(&str, f64)]) -> Looked {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Looked { at, tracks: Vec::new(), changes: Vec::new(), values }
}

fn track(id: &str, candidate: Option<(Level, Timestamp)>) -> Track {
    Track {
        id: CheckId::parse(id).unwrap(),
        level: Level::Unknown,
        since: START,
        known: Level::Warning,
        candidate,
        looked: at(3),
        what: "processors".to_owned(),
    }
}

fn change(at: Timestamp) -> Change {
    let check = Check {
        id: CheckId::parse("app.shop.release").unwrap(),
        level: Level::Critical,
        since: at,
        what: "release".to_owned(),
        why: "r8 is stuck".to_owned(),
        hint: "look".to_owned(),
    };
    Change { check, before: Level::Good }
}

#[tokio::test]
async fn tracks_come_back_and_go_with_their_checks() {
    let (_directory, store) = store();
    let tracks = vec![track("host.cpu", Some((Level::Critical, at(1)))), track("app.shop.release", None)];
    let first = Looked { tracks: tracks.clone(), ..looked(START, &[]) };
    store.remember(first, MINUTE).await.unwrap();
    let found = store.tracks().await.unwrap();
    assert_eq!(found.into_values().collect::<Vec<_>>(), tracks);
    store.remember(Looked { tracks: tracks[..1].to_vec(), ..looked(at(1), &[]) }, MINUTE).await.unwrap();
    assert_eq!(store.tracks().await.unwrap().len(), 1);
}

#[tokio::test]
async fn changes_are_numbered_and_bounded() {
    let (_directory, store) = store();
    let some = |at, count| Looked { changes: vec![change(at); count], ..looked(at, &[]) };
    store.remember(some(START, 3), MINUTE).await.unwrap();
    let found = store.changes_after(1, 10).await.unwrap();
    assert_eq!(found.iter().map(|found| found.number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(found[0].change, change(START));
    store.remember(some(at(1), 10_001), MINUTE).await.unwrap();
    let left = store.changes_after(0, 20_000).await.unwrap();
    assert_eq!((left.len(), left[0].number), (10_000, 5));
    let later = at(91 * 24 * 60);
    store.remember(some(later, 1), MINUTE).await.unwrap();
    assert_eq!(store.changes_after(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn samples_become_fewer_with_their_age() {
    let (_directory, store) = store();
    for minute in 0..(60 * 26) {
        store.remember(looked(at(minute), &[("cpu", 10.0), ("disk:/", 5.0)]), MINUTE).await.unwrap();
    }
    // A second look in a minute is no sample.
    let again = at(60 * 26 - 1).checked_add(SignedDuration::from_secs(20)).unwrap();
    store.remember(looked(again, &[("cpu", 99.0)]), MINUTE).await.unwrap();
    let all = (at(-100_000), at(100_000));
    let (minutes, tens, hours) =
        tokio::try_join!(store.samples(0, all), store.samples(1, all), store.samples(2, all)).unwrap();
    assert!((1440..=1441).contains(&minutes.len()), "{}", minutes.len());
    assert_eq!((tens.len(), hours.len()), (26 * 6 - 1, 26));
    assert!(tens.iter().all(|row| row.count == 10 && row.values["cpu"] == Value(10.0, 10.0)));
    assert_eq!(hours[3].count, 60);
    // The line of a disk is drawn of both, each time once.
    let history = store.history(at(26 * 60), MINUTE).await.unwrap();
    let points = &history.disks["disk:/"];
    assert!((60 + 29..=60 + 31).contains(&points.len()), "{}", points.len());
    assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[tokio::test]
async fn restarts_are_those_of_the_oldest_sample_in_time() {
    let (_directory, store) = store();
    for (minute, restarts) in (0..).zip([1.0, 4.0, 6.0, 7.0]) {
        store.remember(looked(at(minute), &[("restarts:abc", restarts)]), MINUTE).await.unwrap();
    }
    let history = store.history(at(4), Duration::from_mins(3)).await.unwrap();
    assert_eq!(history.restarts, BTreeMap::from([("restarts:abc".to_owned(), 4)]));
}

#[tokio::test]
async fn what_lies_in_the_future_goes() {
    let (_directory, store) = store();
    store.remember(looked(at(600), &[("cpu", 1.0)]), MINUTE).await.unwrap();
    store.remember(looked(at(0), &[("cpu", 2.0)]), MINUTE).await.unwrap();
    let left = store.samples(0, (at(-10), at(1000))).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].values["cpu"], Value(2.0, 2.0));
}
