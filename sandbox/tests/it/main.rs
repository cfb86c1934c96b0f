//! The sandbox as its users meet it: the API through real HTTP (with the driver that makes no machines), the program, and
//! machines that really boot. With DigitalOcean's OpenAPI document (`TIDEGATE_OPENAPI`) every answer of every test of the
//! API is judged by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends at the first thing that is not as expected"
)]

mod access;
mod contract;
mod faults;
mod lives;
mod persistence;
mod program;
mod pydo;
mod running;
mod sandbox;
mod shapes;
mod vm;
