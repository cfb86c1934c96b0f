//! systemd over D-Bus: what is generic, and timers.
//!
//! Owns the connection, the calls and their errors. Must not know what units are for; commands on the droplet have their own
//! side of it in `exec/host/systemd.rs`.

mod connection;
mod error;
mod timers;

pub use connection::Systemd;
pub(crate) use connection::{DESTINATION, PROPERTIES, SERVICE, UNIT, call, is_gone, unit_path};
pub use error::SystemdError;
pub use timers::TimerStatus;
