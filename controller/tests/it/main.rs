//! The controller as its users meet it: the real program against the real sandbox API (droplets without machines), so
//! `up` is watched until its droplets are made. With DigitalOcean's OpenAPI document (`TIDEGATE_OPENAPI`) every request of
//! every test is judged by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends at the first thing that is not as expected"
)]

mod ambiguous;
// Its snapshots hold paths as unix writes them.
#[cfg(unix)]
mod compose;
mod docker;
mod down;
mod help;
mod init;
mod killed;
mod placement;
mod refusals;
mod release_tags;
mod sources;
mod world;
