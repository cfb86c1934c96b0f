//! The crate against what the real docker compose makes of projects.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it should be, and prints its table"
)]

mod corpus;
