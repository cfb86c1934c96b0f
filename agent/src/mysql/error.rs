//! Why a MariaDB or MySQL in a container did not do what it was asked.

use std::time::Duration;

use crate::{
    docker::DockerError,
    programs::{ProgramError, words},
};

/// Why a MariaDB or MySQL in a container did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MysqlError {
    /// Docker.
    #[error("Docker did not do its part for the server's container")]
    Docker(#[source] DockerError),
    /// A program in its container.
    #[error("a program in the server's container did not do its part")]
    Program(#[source] ProgramError),
    /// None of the programs that could ask it.
    #[error("the image has neither `mariadb` and `mariadb-dump` nor `mysql` and `mysqldump`")]
    NoProgram,
    /// It does not let us in.
    #[error("the server refuses the login of {user}: {told}")]
    Login {
        /// Who wanted in.
        user: String,
        /// Its words.
        told: String,
    },
    /// It answered something else than was asked for.
    #[error("the server was asked for {asked} and answered `{answer}`")]
    Answer {
        /// What was asked.
        asked: &'static str,
        /// What it answered.
        answer: String,
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
    /// It cannot change several names at once.
    #[error("the server is {0}, which may change some names and not others when it is ended in the middle")]
    OldServer(String),
    /// What cannot change its place without being made anew.
    #[error("the database {database} has what cannot change its place: {}", what.join(", "))]
    NotOnlyTables {
        /// Which.
        database: String,
        /// `view seen`, `trigger stamp`.
        what: Vec<String>,
    },
}

impl MysqlError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoProgram => "use an image that has the server's own programs, and deploy",
            Self::Login { .. } => {
                "set MARIADB_ROOT_PASSWORD (or MYSQL_ROOT_PASSWORD) of the service to the password that root has now, or name \
                 another superuser: `user` under `x-tidegate.backup`"
            }
            Self::OldServer(_) | Self::NotOnlyTables { .. } => {
                "restore it beside what serves, with all that belongs to it, and let the app use that: `tidegate restore \
                 --database NAME --into ANOTHER`"
            }
            _ => "see the database's log (`tidegate logs`), and try again",
        }
    }

    /// Whether it tells of the data that was to be read in, and not of the server itself.
    pub fn is_about_data(&self) -> bool {
        let own = [
            "Lost connection",
            "server has gone away",
            "Can't connect",
            "Server shutdown",
            "Out of memory",
            "No space left on device",
            "is full",
        ];
        let Self::Program(ProgramError::Failed { complaints, .. }) = self else { return false };
        !own.iter().any(|sign| complaints.contains(sign))
    }
}

impl From<ProgramError> for MysqlError {
    fn from(error: ProgramError) -> Self {
        Self::Program(error)
    }
}
