//! The crate against what the real docker compose makes of projects.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as it should be, and prints its table"
)]

mod backup;
mod corpus;
mod errors;
mod habits;
mod hostile;
mod merge;
mod real;
mod seeds;
mod tidegate;

use tidegate_compose::{LoadErrors, LoadOptions, Loaded, MemoryFiles, load};

/// Loads files given as path and text, in the project directory `/p`.
fn load_files(files: &[(&str, &str)]) -> Result<Loaded, LoadErrors> {
    let files: MemoryFiles =
        files.iter().map(|(path, text)| (format!("/p/{path}"), text.as_bytes())).collect();
    let options = LoadOptions { working_directory: "/p".into(), ..LoadOptions::default() };
    load(&files, &options)
}

/// Loads one compose file.
fn load_text(text: &str) -> Result<Loaded, LoadErrors> {
    load_files(&[("compose.yaml", text)])
}
