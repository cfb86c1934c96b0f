//! Flapping, gaps and unknowns, by example and at random.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::constant(1_795_000_000, 0);
const PATIENCE: Patience = Patience { unknown_after: Duration::from_mins(3), gap: Duration::from_mins(5) };
const HOLD: Duration = Duration::from_mins(5);
const ENDS: Duration = Duration::from_mins(2);

fn at(seconds: i64) -> Timestamp {
    START.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn condition(reading: Reading) -> Condition {
    Condition::new(CheckId::host("cpu"), "processors", reading, "").held(HOLD, ENDS)
}

/// What is told after each look; one a minute.
fn told(readings: &[Reading]) -> Vec<Level> {
    tracks(readings).into_iter().map(|track| track.level).collect()
}

fn tracks(readings: &[Reading]) -> Vec<Track> {
    let mut all: Vec<Track> = Vec::new();
    for (minute, reading) in (0..).zip(readings) {
        let track = damp(all.last(), &condition(*reading), (at(minute * 60), PATIENCE));
        all.push(track);
    }
    all
}

fn is(level: Level) -> Reading {
    Reading::is(level)
}

const GOOD: Reading = Reading::Measured { begins: Level::Good, ends: Level::Good };
const BETWEEN: Reading = Reading::Measured { begins: Level::Good, ends: Level::Warning };
const WARNING: Reading = Reading::Measured { begins: Level::Warning, ends: Level::Warning };
const CRITICAL: Reading = Reading::Measured { begins: Level::Critical, ends: Level::Critical };

#[test]
fn a_finding_begins_when_it_held_and_ends_when_it_was_good() {
    let readings = [&[GOOD][..], &[WARNING; 6], &[BETWEEN; 9], &[GOOD; 3]].concat();
    let told = told(&readings);
    assert_eq!(told.iter().position(|level| *level == Level::Warning), Some(6));
    assert_eq!(told.iter().rposition(|level| *level == Level::Warning), Some(17), "{told:?}");
    assert_eq!(tracks(&readings)[10].since, at(360));
}

#[test]
fn one_that_flaps_is_not_told() {
    let readings = [[WARNING; 4], [GOOD; 4]].concat().repeat(20);
    assert!(told(&readings).iter().all(|level| *level == Level::Good));
    // Nor is the end of one that comes back at once.
    let readings = [&[WARNING; 6][..], &[GOOD, WARNING].repeat(20)].concat();
    assert!(told(&readings)[5..].iter().all(|level| *level == Level::Warning));
}

#[test]
fn it_becomes_what_it_was_at_least_all_the_while() {
    let told = told(&[&[WARNING; 4][..], &[CRITICAL; 8]].concat());
    assert_eq!(told[5], Level::Warning);
    assert_eq!(told[11], Level::Critical);
}

#[test]
fn unknown_is_told_for_itself_and_what_was_told_before_goes_on() {
    use Level::{Good as G, Unknown as U, Warning as W};
    assert_eq!(told(&[Reading::Unknown])[0], Level::Unknown, "never good");
    let readings = [&[WARNING; 6][..], &[Reading::Unknown; 5], &[WARNING; 1], &[GOOD; 3]].concat();
    assert_eq!(told(&readings), [G, G, G, G, G, W, W, W, W, U, U, W, W, W, G]);
}

#[test]
fn after_a_gap_nothing_is_known_of_the_while() {
    let first = damp(None, &condition(WARNING), (at(0), PATIENCE));
    let second = damp(Some(&first), &condition(WARNING), (at(7200), PATIENCE));
    assert_eq!((second.level, second.candidate), (Level::Good, Some((Level::Warning, at(7200)))));
}

#[test]
fn what_needs_no_while_is_told_at_once() {
    let condition = Condition { hold: Duration::ZERO, ..condition(CRITICAL) };
    assert_eq!(damp(None, &condition, (at(0), PATIENCE)).level, Level::Critical);
    let good = damp(None, &self::condition(GOOD), (at(0), PATIENCE));
    assert_eq!(damp(Some(&good), &condition, (at(1), PATIENCE)).level, Level::Critical);
}

fn reading() -> impl Strategy<Value = Reading> {
    let measured = prop_oneof![Just(GOOD), Just(BETWEEN), Just(WARNING), Just(CRITICAL)];
    prop_oneof![8 => measured, 1 => Just(Reading::Unknown), 1 => Just(Reading::AsBefore)]
}

proptest! {
    /// Whatever is seen and however the clock jumps.
    #[test]
    fn nothing_is_told_too_early(looks in prop::collection::vec((reading(), -30..200_i64), 1..80)) {
        let (mut now, mut bad_since, mut before) = (0, None, None::<Track>);
        for (reading, step) in looks {
            now += step;
            let track = damp(before.as_ref(), &condition(reading), (at(now), PATIENCE));
            let is_bad = matches!(reading, Reading::Measured { begins: Level::Warning | Level::Critical, .. });
            bad_since = if is_bad { Some(bad_since.map_or(now, |since: i64| since.min(now))) } else { None };
            let was = before.as_ref().map_or(Level::Good, |before| before.known);
            if track.level > was && track.level > Level::Unknown {
                let held = bad_since.map(|since| now - since);
                prop_assert!(held.is_some_and(|held| held >= 300), "{track:?} after {held:?}");
            }
            if reading == Reading::Unknown && before.is_none() {
                prop_assert_eq!(track.level, Level::Unknown);
            }
            prop_assert!(track.since <= at(now) && track.known != Level::Unknown);
            before = Some(track);
        }
    }

    /// What stays as it is is told in the end, from whatever was told before.
    #[test]
    fn what_stays_is_told(looks in prop::collection::vec(reading(), 0..40), last in 0..4_usize) {
        let level = [Level::Good, Level::Unknown, Level::Warning, Level::Critical][last];
        let last = if level == Level::Unknown { Reading::Unknown } else { is(level) };
        let readings = [looks, vec![last; 12]].concat();
        prop_assert_eq!(told(&readings).pop(), Some(level));
    }
}
