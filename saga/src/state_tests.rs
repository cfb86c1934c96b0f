use super::*;
use serde_json::json;

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn plan(text: &str, after: &[&str]) -> NodePlan {
    NodePlan { name: name(text), after: after.iter().map(|a| name(a)).collect() }
}

fn begun() -> State {
    let nodes = vec![plan("a", &[]), plan("b", &["a"]), plan("pivot", &["b"]), plan("tail", &["pivot"])];
    let started =
        Record::SagaStarted { saga: "s".into(), nodes, pivot: Some(name("pivot")), params: json!({"n": 1}) };
    State::replay([&started]).unwrap()
}

fn started(node: &str) -> Record {
    Record::NodeStarted { node: name(node) }
}

fn succeeded(node: &str) -> Record {
    Record::NodeSucceeded { node: name(node), output: json!(node) }
}

fn failed(node: &str) -> Record {
    Record::NodeFailed { node: name(node), failure: NodeFailure::new("no") }
}

fn undo(node: &str) -> [Record; 2] {
    [Record::UndoStarted { node: name(node) }, Record::UndoFinished { node: name(node) }]
}

fn apply(state: &mut State, records: impl IntoIterator<Item = Record>) -> Result<(), IllegalRecord> {
    records.into_iter().try_for_each(|record| state.apply(&record))
}

#[test]
fn a_node_starts_only_after_those_before_it() {
    let mut state = begun();
    assert!(state.apply(&started("b")).is_err());
    apply(&mut state, [started("a"), succeeded("a"), started("b")]).unwrap();
    assert!(state.apply(&started("b")).is_err());
    assert!(state.apply(&succeeded("a")).is_err());
    assert!(state.apply(&started("nobody")).is_err());
}

#[test]
fn undo_goes_backwards_and_covers_what_failed() {
    let mut state = begun();
    apply(&mut state, [started("a"), succeeded("a"), started("b")]).unwrap();
    assert!(apply(&mut state, undo("a")).is_err(), "not while going forward");
    state.apply(&failed("b")).unwrap();
    assert!(apply(&mut state.clone(), undo("a")).is_err(), "b comes first");
    assert!(apply(&mut state.clone(), undo("pivot")).is_err(), "never begun");
    let finished = Record::SagaFinished { outcome: Outcome::Undone };
    assert!(state.apply(&finished).is_err());
    apply(&mut state, undo("b").into_iter().chain(undo("a"))).unwrap();
    assert!(state.apply(&Record::SagaFinished { outcome: Outcome::Done }).is_err());
    state.apply(&finished).unwrap();
    assert!(state.apply(&Record::SagaResumed).is_err());
}

#[test]
fn after_the_pivot_there_is_no_way_back() {
    let mut state = begun();
    let cancelled = Record::Cancelled { failure: NodeFailure::new("asked") };
    apply(&mut state, [started("a"), succeeded("a"), started("b"), succeeded("b")]).unwrap();
    assert!(state.clone().apply(&cancelled).is_ok());
    state.apply(&started("pivot")).unwrap();
    assert!(state.clone().apply(&cancelled).is_err(), "its end is awaited");
    apply(&mut state, [succeeded("pivot"), started("tail"), failed("tail")]).unwrap();
    assert_eq!(*state.phase(), Phase::Forward);
    assert!(state.apply(&cancelled).is_err());
    apply(&mut state, [started("tail"), succeeded("tail")]).unwrap();
    state.apply(&Record::SagaFinished { outcome: Outcome::Done }).unwrap();
}

#[test]
fn a_resume_turns_results_into_hints() {
    let mut state = begun();
    apply(&mut state, [started("a"), succeeded("a"), started("b"), Record::SagaResumed]).unwrap();
    assert_eq!(state.node(&name("a")), Some(&NodeState::Unconfirmed));
    assert_eq!(state.node(&name("b")), Some(&NodeState::Interrupted));
    assert_eq!(state.output(&name("a")), Some(&json!("a")));
    apply(&mut state, [started("a"), succeeded("a"), started("b"), succeeded("b")]).unwrap();
}

#[test]
fn an_illegal_record_changes_nothing() {
    let mut state = begun();
    let before = state.clone();
    assert_eq!(
        state.apply(&succeeded("a")).unwrap_err().to_string(),
        "the record \"node-succeeded a\" cannot come here: the node is not running"
    );
    assert_eq!(state, before);
}

#[test]
fn nodes_out_of_order_are_no_saga() {
    let started = Record::SagaStarted {
        saga: "s".into(),
        nodes: vec![plan("b", &["a"]), plan("a", &[])],
        pivot: None,
        params: Value::Null,
    };
    assert!(State::replay([&started]).is_err());
    assert!(State::replay([&Record::SagaResumed]).is_err());
}
