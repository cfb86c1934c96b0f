//! A DigitalOcean account on one machine: a stateful API whose droplets are real virtual machines.
//!
//! - [`account`]: the account's state, on disk, and what happens to it over time; [`domain`] the rules of each kind.
//! - [`api`]: the HTTP API over it, and the control paths below `/sandbox`.
//! - [`machine`]: what the account asks of a machine; [`qemu`] is the driver that makes virtual ones, [`none`] the one that
//!   makes none.
//! - [`daemon`]: the program's commands: `serve`, `start`, `stop`, `status`, `reset`, `images`.
//! - [`images`]: what machines boot from, built from Debian packages and cached; [`registry`] serves images of containers.
//! - [`metadata`]: what a droplet is told about itself.

pub mod account;
pub mod api;
pub mod catalog;
pub mod clock;
pub mod daemon;
pub mod domain;
pub mod files;
pub mod http_client;
pub mod images;
pub mod machine;
pub mod metadata;
pub mod none;
pub mod process;
pub mod qemu;
pub mod registry;
