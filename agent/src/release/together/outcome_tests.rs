use proptest::prelude::*;
use serde_json::Value;
use tidegate_saga::{NodeFailure, NodePlan, Record};

use super::*;

const STEPS: [&str; 6] = ["create", "migrate", "agree", "switch", "finish", "commit"];

fn name(step: &str) -> NodeName {
    NodeName::new(step).unwrap()
}

fn begun(steps: &[&str]) -> Record {
    let mut after = Vec::new();
    let mut nodes = Vec::new();
    for step in steps {
        nodes.push(NodePlan { name: name(step), after: std::mem::replace(&mut after, vec![name(step)]) });
    }
    Record::SagaStarted { saga: "release".into(), nodes, pivot: Some(name("finish")), params: Value::Null }
}

fn started(step: &str) -> Record {
    Record::NodeStarted { node: name(step) }
}

fn succeeded(step: &str) -> Record {
    Record::NodeSucceeded { node: name(step), output: Value::Null }
}

fn failed(step: &str) -> Record {
    Record::NodeFailed { node: name(step), failure: NodeFailure::new("no") }
}

/// The journal of a release whose steps succeeded up to `last`, which has begun.
fn up_to(last: &str) -> Vec<Record> {
    let mut records = vec![begun(&STEPS)];
    for step in STEPS {
        records.push(started(step));
        if step == last {
            break;
        }
        records.push(succeeded(step));
    }
    records
}

fn told(records: &[Record]) -> (Vote, Decision, bool) {
    let Outcome { vote, decision, migrated } = of(&State::replay(records).unwrap(), ReleaseState::Running);
    (vote, decision, migrated)
}

#[test]
fn votes_and_decisions_follow_the_journal() {
    assert_eq!(told(&[]), (Vote::Preparing, Decision::None, false));
    assert_eq!(told(&up_to("migrate")), (Vote::Preparing, Decision::None, false));
    assert_eq!(told(&up_to("agree")), (Vote::Ready, Decision::None, true));
    assert_eq!(told(&up_to("switch")), (Vote::Ready, Decision::Activate, true));
    assert_eq!(told(&up_to("finish")), (Vote::Serving, Decision::Activate, true));
    assert_eq!(told(&up_to("commit")), (Vote::Serving, Decision::Finish, true));
    for step in ["create", "agree", "switch", "finish"] {
        let records = [up_to(step), vec![failed(step)]].concat();
        let (vote, decision, _) = told(&records);
        assert_eq!((vote, decision), (Vote::Failed, Decision::Undo), "{step}");
    }
}

#[test]
fn a_restart_changes_no_vote() {
    for step in STEPS {
        let records = up_to(step);
        let resumed = [records.clone(), vec![Record::SagaResumed]].concat();
        assert_eq!(told(&records), told(&resumed), "{step}");
    }
}

#[test]
fn a_release_without_a_migration_has_migrated_once_it_began() {
    assert!(told(&[begun(&["create", "agree", "finish"])]).2);
}

#[test]
fn a_release_that_never_began_tells_by_its_row() {
    let empty = State::default();
    assert_eq!(of(&empty, ReleaseState::Running).vote, Vote::Preparing);
    for ended in [ReleaseState::Undone, ReleaseState::Stuck, ReleaseState::Removed] {
        assert_eq!(of(&empty, ended).vote, Vote::Failed, "{ended:?}");
    }
}

#[test]
fn the_promise_lasts_from_the_start_of_the_last_vote() {
    let is_pledged = |records: &[Record]| super::is_pledged(&State::replay(records).unwrap());
    assert!(!is_pledged(&up_to("switch")));
    assert!(is_pledged(&[up_to("finish"), vec![Record::SagaResumed]].concat()));
    assert!(!is_pledged(&[up_to("finish"), vec![failed("finish")]].concat()));
}

/// Any journal that a saga may write, by trying records at random and keeping those that may come.
fn journal() -> impl Strategy<Value = Vec<Record>> {
    let step = prop::sample::select(STEPS.to_vec());
    let any = (0..6_u8, step).prop_map(|(kind, step)| match kind {
        0 | 1 => started(step),
        2 | 3 => succeeded(step),
        4 => failed(step),
        _ => Record::SagaResumed,
    });
    prop::collection::vec(any, 0..200).prop_map(|wishes| {
        let mut records = vec![begun(&STEPS)];
        let mut state = State::replay(&records).unwrap();
        for record in wishes {
            if state.apply(&record).is_ok() {
                records.push(record);
            }
        }
        records
    })
}

proptest! {
    /// What was told is never taken back: *serving* is followed by *serving* or *failed*, *finish* and *undo* by themselves.
    #[test]
    fn what_was_told_stays(records in journal()) {
        let mut last = (Vote::Preparing, Decision::None);
        for end in 1..=records.len() {
            let (vote, decision, _) = told(&records[..end]);
            match last {
                (_, Decision::Finish) => prop_assert_eq!(decision, Decision::Finish),
                (_, Decision::Undo) => prop_assert_eq!((vote, decision), (Vote::Failed, Decision::Undo)),
                (Vote::Serving, _) => prop_assert!(matches!(vote, Vote::Serving | Vote::Failed)),
                (_, Decision::Activate) => prop_assert!(decision != Decision::None),
                _ => {}
            }
            last = (vote, decision);
        }
    }
}
