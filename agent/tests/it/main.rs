//! The agent's parts against the real thing: a real Docker daemon (`docker`), a real agent over mutual TLS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod access;
mod alerts;
mod audit;
mod backup;
mod backups;
mod docker;
mod enrolment;
mod health;
mod metrics;
mod renewal;
mod rules;
mod standby;
mod support;
