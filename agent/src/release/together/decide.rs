//! What follows from votes and decisions. Pure: a table for each of the two votes and each of the two parts in it.

use super::{Decision, Outcome, Vote};

/// What was heard of another agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It told where it stands.
    Told(Outcome),
    /// It cannot be reached.
    Nothing,
}

/// Whether the time that the others may take is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Not yet.
    Runs,
    /// It is.
    Over,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask again.
    Wait,
    /// Go on.
    Go,
    /// Take the release back.
    Undo(Reason),
    /// Ask again, and say that the end cannot be known.
    InDoubt,
}

/// Why a release is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody else's is.
    Another,
    /// The others did not come in time.
    Late,
}

impl Heard {
    fn vote(self) -> Option<Vote> {
        match self {
            Self::Told(outcome) => Some(outcome.vote),
            Self::Nothing => None,
        }
    }

    fn decision(self) -> Decision {
        match self {
            Self::Told(outcome) => outcome.decision,
            Self::Nothing => Decision::None,
        }
    }

    fn has_failed(self) -> bool {
        self.decision() == Decision::Undo
    }
}

/// The first participant, when it is ready: its `Go` is the decision to activate, its `Undo` the one to go back.
pub fn agree_first(others: &[Heard], lease: Lease) -> Verdict {
    first(others, lease, |vote| matches!(vote, Vote::Ready | Vote::Serving))
}

/// The first participant, when it serves: its `Go` is the decision to finish, its `Undo` the one to go back.
pub fn finish_first(others: &[Heard], lease: Lease) -> Verdict {
    first(others, lease, |vote| vote == Vote::Serving)
}

fn first(others: &[Heard], lease: Lease, is_there: impl Fn(Vote) -> bool) -> Verdict {
    if others.iter().any(|heard| heard.has_failed()) {
        return Verdict::Undo(Reason::Another);
    }
    if others.iter().all(|heard| heard.vote().is_some_and(&is_there)) {
        return Verdict::Go;
    }
    match lease {
        Lease::Runs => Verdict::Wait,
        Lease::Over => Verdict::Undo(Reason::Late),
    }
}

/// Another participant, when it is ready. It has promised nothing yet, so it may go back at any time: then nobody finishes.
pub fn agree(decider: Heard, others: &[Heard], lease: Lease) -> Verdict {
    let mut all = std::iter::once(decider).chain(others.iter().copied());
    if all.clone().any(Heard::has_failed) {
        return Verdict::Undo(Reason::Another);
    }
    if all.any(|heard| matches!(heard.decision(), Decision::Activate | Decision::Finish)) {
        return Verdict::Go;
    }
    match lease {
        Lease::Runs => Verdict::Wait,
        Lease::Over => Verdict::Undo(Reason::Late),
    }
}

/// Another participant, when it serves: it does what was decided, and never anything by itself.
pub fn finish(decider: Heard, others: &[Heard], lease: Lease) -> Verdict {
    let mut all = std::iter::once(decider).chain(others.iter().copied());
    if all.clone().any(|heard| heard.decision() == Decision::Finish) {
        return Verdict::Go;
    }
    if all.any(Heard::has_failed) {
        return Verdict::Undo(Reason::Another);
    }
    match (decider, lease) {
        // It decides when its own lease is over.
        (Heard::Told(_), _) | (Heard::Nothing, Lease::Runs) => Verdict::Wait,
        (Heard::Nothing, Lease::Over) => Verdict::InDoubt,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
