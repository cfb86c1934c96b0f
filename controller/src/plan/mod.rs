//! What `up` will do and why, as data: `(fleet, inventory, snapshot) -> plan`. Pure: no network, no clock, no randomness.
//! It must not know how a change is carried out.

mod check;
mod display;
mod make;
mod model;
mod snapshot;

pub use check::{CheckError, check, is_our_firewall, is_our_vpc};
pub use make::make;
pub use model::{Action, Change, DropletSpec, Plan, Resource};
pub use snapshot::Snapshot;

#[cfg(test)]
mod tests;
