//! Small textual forms that Compose files use: sizes, durations, shell words, numbers.
//!
//! Pure parsers and printers, each as lenient as the tools that define the form; they know nothing of Compose.

pub mod duration;
pub mod number;
pub mod shellwords;
pub mod size;
