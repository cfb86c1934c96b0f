//! Accounts and droplets for the tests of the rules.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use rand::{SeedableRng, rngs::StdRng};

use super::{Env, Refusal};
use crate::account::{DefaultVpcs, new_state, state::State};

/// The time in these tests.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// A new account with its default VPCs.
pub(crate) fn state() -> State {
    new_state(&mut StdRng::seed_from_u64(7), now(), DefaultVpcs::EveryRegion)
}

/// A new account on its first day.
pub(crate) fn empty() -> State {
    new_state(&mut StdRng::seed_from_u64(7), now(), DefaultVpcs::None)
}

/// Calls with an [`Env`] at [`now`].
pub(crate) fn with_env<T>(call: impl FnOnce(&mut Env<'_>) -> T) -> T {
    with_env_at(now(), call)
}

/// Calls with an [`Env`] at a time.
pub(crate) fn with_env_at<T>(now: Timestamp, call: impl FnOnce(&mut Env<'_>) -> T) -> T {
    let mut rng = StdRng::seed_from_u64(1);
    call(&mut Env { now, rng: &mut rng, public_net: Ipv4Addr::new(127, 0, 1, 0) })
}

/// Makes a droplet that runs, with these tags, and tells its id.
pub(crate) fn droplet(state: &mut State, name: &str, tags: &[&str]) -> u64 {
    let request = super::droplets::CreateRequest {
        name: Some(name.to_owned()),
        region: Some("fra1".to_owned()),
        size: Some("s-1vcpu-1gb".to_owned()),
        image: Some("debian-13-x64".into()),
        tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()),
        ..super::droplets::CreateRequest::default()
    };
    let made: Result<_, Refusal> =
        with_env(|env| super::droplets::create(state, env, request, super::droplets::Mishap::default()));
    let made = made.unwrap();
    let (droplet, action) = made.first().unwrap();
    super::actions::finish(state, action.id, None, now());
    droplet.machine.droplet_id
}
