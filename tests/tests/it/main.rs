//! Black-box suites of the whole workspace. One binary; a module per subject.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a test that cannot go on fails, and nobody links against it"
)]

mod house;
