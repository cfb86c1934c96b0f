//! The rules of each kind of resource: plain functions on the [`State`](crate::account::state::State). No HTTP, no disk,
//! no machines, no waiting; time and chance come in through [`Env`].

pub mod actions;
pub mod cidr;
pub mod droplets;
pub mod firewalls;
#[cfg(test)]
#[path = "fixture_tests.rs"]
pub(crate) mod fixture;
#[cfg(test)]
#[path = "invariants_tests.rs"]
mod invariants;
pub mod keys;
pub mod power;
pub mod tags;
pub mod vpcs;

use std::{net::Ipv4Addr, time::Duration};

use jiff::Timestamp;
use rand::{Rng, rngs::StdRng};

use crate::account::{state::State, store::StoreError};

/// What rules may know of the world.
#[derive(Debug)]
pub struct Env<'a> {
    /// The time of the change.
    pub now: Timestamp,
    /// Chance.
    pub rng: &'a mut StdRng,
    /// The /24 of the droplets' public addresses.
    pub public_net: Ipv4Addr,
}

impl Env<'_> {
    /// A UUID that this account never gave before. The account's counter goes into it, so that even a repeated seed
    /// gives other ones after a restart.
    pub fn uuid(&mut self, state: &mut State) -> String {
        state.counters.serial = state.counters.serial.saturating_add(1);
        let mut bytes = [0_u8; 16];
        self.rng.fill_bytes(&mut bytes);
        for (byte, count) in bytes.iter_mut().zip(state.counters.serial.to_le_bytes().iter().take(6)) {
            *byte ^= count;
        }
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// Why the account does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or not yet, or no longer.
    #[error("The resource you were accessing could not be found.")]
    NotFound,
    /// The request cannot be understood.
    #[error("{0}")]
    BadRequest(String),
    /// A tag has a name it must not have; answered in a shape of its own.
    #[error("{0}")]
    BadTag(String),
    /// The request is understood and cannot be done.
    #[error("{0}")]
    Unprocessable(String),
    /// Something else is in the way.
    #[error("{0}")]
    Conflict(String),
    /// The state of things forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// The change could not be written down; nothing changed.
    #[error("Server was unable to give you a response.")]
    Storage(#[source] StoreError),
}

impl Refusal {
    /// [`Refusal::Unprocessable`] with this text.
    pub fn unprocessable(text: impl Into<String>) -> Self {
        Self::Unprocessable(text.into())
    }
}

/// Whether `start` lies at least `lag` back.
fn is_past(start: Option<Timestamp>, lag: Duration, now: Timestamp) -> bool {
    start.is_some_and(|start| start.saturating_add(lag).is_ok_and(|end| end <= now))
}
