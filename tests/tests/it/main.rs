//! Black-box suites of the whole workspace. One binary; a module per subject.
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::let_underscore_must_use,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test that cannot go on fails, and nobody links against it"
)]

mod docker;
mod house;
mod vm;
