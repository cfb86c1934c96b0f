use std::time::Duration;

use tidegate_proto::names::DropletId;

use super::*;
use crate::release::together::{Decision, Outcome, Participant, RolloutId};

fn participant(droplet: u64) -> Participant {
    Participant {
        droplet: DropletId::new(droplet).unwrap(),
        address: format!("10.10.0.{droplet}:7443").parse().unwrap(),
        name: format!("web-{droplet}"),
    }
}

fn answer(peer: &Participant, vote: Option<Vote>) -> Answer<'_> {
    match vote {
        Some(vote) => {
            let outcome = Outcome { vote, decision: Decision::None, migrated: false };
            Answer { peer, heard: Heard::Told(outcome), trouble: String::new() }
        }
        None => Answer { peer, heard: Heard::Nothing, trouble: "connection refused".to_owned() },
    }
}

#[test]
fn a_late_vote_names_who_was_waited_for_and_why() {
    let (two, three) = (participant(2), participant(3));
    let (two, three) = (answer(&two, Some(Vote::Preparing)), answer(&three, None));
    assert_eq!(waiting(&[&two, &three]), "waiting for web-2 (is preparing), web-3 (cannot be reached)");
    let failure = late(Ballot::Agree, Duration::from_mins(10), &[&two, &three]);
    insta::assert_debug_snapshot!("late", failure);
}

#[test]
fn a_late_migration_names_who_migrates_and_why_it_was_waited_for() {
    let one = participant(1);
    insta::assert_debug_snapshot!("not_migrated", not_migrated(Duration::from_mins(15), &answer(&one, None)));
}

#[test]
fn a_failure_elsewhere_names_the_droplet() {
    let two = participant(2);
    insta::assert_debug_snapshot!("another", another(Some(&answer(&two, Some(Vote::Failed)))));
}

#[test]
fn doubt_names_who_is_missing_and_the_way_out() {
    let one = participant(1);
    let rollout = RolloutId::new("0123456789abcdef0123456789abcdef").unwrap();
    let all = vec![participant(1), participant(2)];
    let together = Together::new(rollout, all, Duration::from_mins(10), DropletId::new(2).unwrap()).unwrap();
    let app = AppName::new("shop").unwrap();
    let failure = in_doubt(ReleaseNumber::new(7), &app, (&together, Some(&answer(&one, None))));
    insta::assert_debug_snapshot!("in_doubt", failure);
}
