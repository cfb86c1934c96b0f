//! systemd over D-Bus: what is generic, timers, and what health wants to know.
//!
//! Owns the connection, the calls and their errors. Must not know what units are for; commands on the droplet have their own
//! side of it in `exec/host/systemd.rs`.

mod clock;
mod connection;
mod error;
mod timers;
mod units;

pub use clock::ClockFacts;
pub use connection::Systemd;
pub(crate) use connection::{DESTINATION, PROPERTIES, SERVICE, UNIT, call, is_gone, unit_path};
pub use error::SystemdError;
pub use timers::TimerStatus;
