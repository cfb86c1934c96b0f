//! The other agents, as far as a release needs them. How they are reached is another module's.

use std::{error::Error, fmt};

use futures::future::BoxFuture;

use super::{Outcome, Participant, RolloutId};
use crate::apps::AppName;

/// Asks other agents where they stand.
pub trait Peers: fmt::Debug + Send + Sync {
    /// Where a participant stands in a rollout. The caller sets the deadline.
    fn outcome<'a>(
        &'a self,
        peer: &'a Participant,
        app: &'a AppName,
        rollout: &'a RolloutId,
    ) -> BoxFuture<'a, Result<Outcome, PeerError>>;
}

/// Why another agent did not tell.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// This agent has no certificate to show.
    #[error("this droplet is not enrolled, so it has no certificate to ask others with")]
    NotEnrolled,
    /// There is no way to it, or not to it.
    #[error("it cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// It did not answer as it should.
    #[error("it did not tell how its release goes")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

/// An agent that has no others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Peers for Alone {
    fn outcome<'a>(
        &'a self,
        _: &'a Participant,
        _: &'a AppName,
        _: &'a RolloutId,
    ) -> BoxFuture<'a, Result<Outcome, PeerError>> {
        Box::pin(std::future::ready(Err(PeerError::NotEnrolled)))
    }
}
