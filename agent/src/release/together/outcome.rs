//! What an agent votes and what was decided, as a pure function of its journal.
//!
//! Nothing else tells it, so that no restart and no race can make an agent tell two different things: a vote that was told
//! stands in the journal, and the records only ever go on.

use tidegate_saga::{NodeName, NodeState, Phase, State};

use crate::release::{ReleaseState, plan::Step};

/// What an agent votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// It has no such release.
    Unknown,
    /// It is on its way.
    Preparing,
    /// All is made, and users see nothing of it yet.
    Ready,
    /// The new release serves and stood its watch.
    Serving,
    /// It was taken back, or is being taken back.
    Failed,
}

/// What was decided, as far as an agent knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    None,
    /// All are ready: switch.
    Activate,
    /// All serve: there is no way back.
    Finish,
    /// Back.
    Undo,
}

/// Where an agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it votes.
    pub vote: Vote,
    /// What it knows to be decided.
    pub decision: Decision,
    /// Whether its migration has ended well, or it has none. False until its saga has begun.
    pub migrated: bool,
}

impl Outcome {
    /// Of an agent that has no such release.
    pub const UNKNOWN: Self = Self { vote: Vote::Unknown, decision: Decision::None, migrated: false };
    const FAILED: Self = Self { vote: Vote::Failed, decision: Decision::Undo, migrated: false };
    const PREPARING: Self = Self { vote: Vote::Preparing, decision: Decision::None, migrated: false };
}

/// Where an agent stands whose release has this journal and this row.
pub fn of(state: &State, row: ReleaseState) -> Outcome {
    let migrated = has_migrated(state);
    let stands = match state.phase() {
        // Without a record nothing was begun; its row tells whether it ever will be.
        Phase::Empty if row == ReleaseState::Running => Outcome::PREPARING,
        Phase::Empty | Phase::Unwinding(_) | Phase::Finished(tidegate_saga::Outcome::Undone) => {
            Outcome::FAILED
        }
        Phase::Forward | Phase::Finished(tidegate_saga::Outcome::Done) => forward(state),
    };
    Outcome { migrated, ..stands }
}

fn forward(state: &State) -> Outcome {
    let (vote, decision) = match (progress(state, &Step::Agree), progress(state, &Step::Finish)) {
        (_, Progress::Done) => (Vote::Serving, Decision::Finish),
        (_, Progress::Begun) => (Vote::Serving, Decision::Activate),
        (Progress::Done, Progress::Before) => (Vote::Ready, Decision::Activate),
        (Progress::Begun, Progress::Before) => (Vote::Ready, Decision::None),
        (Progress::Before, Progress::Before) => (Vote::Preparing, Decision::None),
    };
    Outcome { vote, decision, migrated: false }
}

/// Whether the agent has voted that it serves and is going forward: it may not fail by itself then.
pub fn is_pledged(state: &State) -> bool {
    *state.phase() == Phase::Forward && progress(state, &Step::Finish) != Progress::Before
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Before,
    Begun,
    Done,
}

fn progress(state: &State, step: &Step) -> Progress {
    let Some(name) = name(step) else { return Progress::Before };
    // A step that ended well once has been told of: it stays done, even if it is looked at or done again after a restart.
    if state.output(&name).is_some() {
        return Progress::Done;
    }
    match state.node(&name) {
        Some(NodeState::Succeeded | NodeState::Unconfirmed) => Progress::Done,
        Some(NodeState::Running | NodeState::Interrupted) => Progress::Begun,
        // A failed one, and its undo, have turned the saga back: that is seen before.
        Some(
            NodeState::Pending
            | NodeState::Failed(_)
            | NodeState::Undoing
            | NodeState::UndoFailed(_)
            | NodeState::Undone,
        )
        | None => Progress::Before,
    }
}

fn has_migrated(state: &State) -> bool {
    match name(&Step::Migrate).and_then(|name| state.node(&name)) {
        Some(found) => matches!(found, NodeState::Succeeded | NodeState::Unconfirmed),
        None => *state.phase() != Phase::Empty,
    }
}

fn name(step: &Step) -> Option<NodeName> {
    NodeName::new(step.to_string()).ok()
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
