//! Releases that many droplets make together: all of them end with it, or none.
//!
//! Each agent prepares its own release and votes by records of its own journal; the first participant's agent decides, by
//! records of its own. Nobody else is needed: the controller only begins the releases.
//!
//! | record | what it means to the others |
//! |---|---|
//! | `agree` started | the vote *ready*: everything is made, users see nothing of it yet |
//! | `agree` succeeded at the first participant | the decision *activate*; elsewhere: it was learned |
//! | `finish` started | the vote *serving*: the agent does not take the release back by itself any more |
//! | `finish` succeeded at the first participant | the decision *finish*; elsewhere: it was learned |
//! | any failure before that | the vote *failed*; at the first participant the decision *undo* |
//!
//! Why no two agents end in different releases: *finish* takes everybody's durable *serving*, and an agent that voted so
//! fails only when it learns of another's failure (or an operator says so). An agent that fails before it voted so, for
//! whatever reason, thereby makes *finish* impossible for ever. Hence `agree` may be given up at any time, and `finish`
//! only by the first participant; the others wait for it, *in doubt* once its lease is over and it cannot be reached.
//!
//! Owns the protocol: what votes and decisions follow from a journal ([`outcome`]), what follows from them ([`decide`]),
//! and the asking ([`talk`]). Must not know what a release does, nor how the others are reached ([`Peers`]).

pub mod decide;
mod doubt;
pub mod outcome;
mod participants;
mod peers;
mod plan;
pub mod talk;
mod words;

pub use doubt::{Doubt, Resolution, Standing};
pub use outcome::{Decision, Outcome, Vote};
pub use participants::{Participant, RolloutId, Together, TogetherError};
pub use peers::{Alone, PeerError, Peers};
pub(super) use plan::with_agreement;

#[cfg(test)]
mod simulation_tests;
