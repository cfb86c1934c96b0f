//! Why a PostgreSQL in a container did not do what it was asked.

use std::time::Duration;

use super::ServerVersion;
use crate::{
    docker::DockerError,
    programs::{ProgramError, words},
};

/// Why a PostgreSQL in a container did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Docker.
    #[error("a program could not be run in the database's container")]
    Docker(#[source] DockerError),
    /// One of its programs failed.
    #[error("{program} failed with exit code {exit_code}: {}", words(complaints))]
    Program {
        /// Which.
        program: String,
        /// Its exit code.
        exit_code: i64,
        /// The last lines of its standard error.
        complaints: String,
    },
    /// The server answered something else than was asked for.
    #[error("the server was asked for {asked} and answered `{answer}`")]
    Answer {
        /// What was asked.
        asked: &'static str,
        /// What it answered.
        answer: String,
    },
    /// Its programs are older than the server.
    #[error(
        "`{tool}` is older than the server, which is {server}, and would refuse it: use an image whose programs are of the \
         server's version"
    )]
    OldTool {
        /// What `pg_dump --version` prints.
        tool: String,
        /// The server's version.
        server: ServerVersion,
    },
    /// The session with the server ended before its time.
    #[error("the session with the server ended: {}", words(complaints))]
    SessionEnded {
        /// The last lines of what `psql` complained of.
        complaints: String,
    },
    /// A scratch server did not start.
    #[error("the scratch server did not start within {} s; its last lines: {}", within.as_secs(), words(log))]
    NotStarted {
        /// How long it was given.
        within: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// It took too long.
    #[error("the server did not answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// It answered more than anybody would read.
    #[error("the server's answer is longer than {0} bytes")]
    TooLong(usize),
    /// What was to be restored could not be read to its end.
    #[error("the dump could not be read to its end")]
    Source(#[source] std::io::Error),
    /// The stream from the container broke.
    #[error("the stream from the database's container broke")]
    Stream(#[source] std::io::Error),
}

impl PostgresError {
    /// Whether a database could not be had for oneself: somebody is connected to it.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::SessionEnded { complaints } if complaints.contains("being accessed by other users"))
    }
}

impl From<ProgramError> for PostgresError {
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::Docker(source) => Self::Docker(source),
            ProgramError::Failed { program, exit_code, complaints } => {
                Self::Program { program, exit_code, complaints }
            }
            ProgramError::Deadline(deadline) => Self::Deadline(deadline),
            ProgramError::TooLong(most) => Self::TooLong(most),
            ProgramError::Source(source) => Self::Source(source),
            ProgramError::Stream(source) => Self::Stream(source),
        }
    }
}
