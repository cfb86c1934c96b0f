//! Why a program in a container did not do what it was asked.

use std::time::Duration;

use crate::docker::DockerError;

/// Why a program in a container did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Docker.
    #[error("a program could not be run in the container")]
    Docker(#[source] DockerError),
    /// It failed.
    #[error("{program} failed with exit code {exit_code}: {}", words(complaints))]
    Failed {
        /// Which.
        program: String,
        /// Its exit code; 126 and 127 where it is not there.
        exit_code: i64,
        /// The last lines of its standard error.
        complaints: String,
    },
    /// It took too long.
    #[error("the program did not answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// It printed more than anybody would read.
    #[error("the program's answer is longer than {0} bytes")]
    TooLong(usize),
    /// What it was to be fed could not be read to its end.
    #[error("the data could not be read to its end")]
    Source(#[source] std::io::Error),
    /// The stream from the container broke.
    #[error("the stream from the container broke")]
    Stream(#[source] std::io::Error),
}

impl ProgramError {
    /// Whether the image does not have the program.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Failed { exit_code: 126 | 127, .. })
    }
}

pub(crate) fn words(complaints: &str) -> &str {
    if complaints.is_empty() { "it said nothing" } else { complaints }
}
