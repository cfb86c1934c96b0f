//! Carries a plan out, and takes everything down again. Each change is a step of a journaled saga with its undo; steps
//! find what an earlier try made by name, mark or intent tag before they make anything. It must not decide what changes:
//! that is the plan's.

mod droplet;
mod firewall;
mod lookup;
mod network;
pub mod release_tags;
mod ssh_key;
pub mod teardown;
pub mod up;
mod work;

pub use work::{Intent, Timing, Work};
