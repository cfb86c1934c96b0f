//! Why a Redis or Valkey in a container did not do what it was asked.

use std::time::Duration;

use crate::{
    docker::DockerError,
    programs::{ProgramError, words},
};

/// Why a Redis or Valkey in a container did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// Docker.
    #[error("Docker did not do its part for the server's container")]
    Docker(#[source] DockerError),
    /// A program in its container.
    #[error("a program in the server's container did not do its part")]
    Program(#[source] ProgramError),
    /// None of the programs that could ask it.
    #[error("the image has neither `redis-cli` nor `valkey-cli`")]
    NoProgram,
    /// They cannot write to a stream yet.
    #[error("`{tool}` is too old: from version 6.2 on it can take a snapshot over a connection")]
    OldTool {
        /// What it prints of itself.
        tool: String,
    },
    /// It does not let us in.
    #[error("the server refuses the login: {told}")]
    Login {
        /// Its words.
        told: String,
    },
    /// It is there, and not ready.
    #[error("the server does not answer yet: {told}")]
    NotReady {
        /// What it said, or what `redis-cli` said of it.
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
    /// It could not write its data.
    #[error("the server could not write its data to its disk: {told}")]
    Save {
        /// Its words.
        told: String,
    },
    /// A scratch server did not read the file.
    #[error("a server of the same image could not read the data; its last lines: {}", words(log))]
    NotLoaded {
        /// The last lines of its log.
        log: String,
    },
    /// It took too long.
    #[error("the server did not answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// A restore would be for nothing.
    #[error("the server {0}")]
    NotOwn(&'static str),
    /// A restore would be lost with the container.
    #[error("the server's data is in {0} of its container, and no volume is there")]
    NoVolume(String),
    /// A name that no script should meet.
    #[error(
        "the server keeps its data under the name `{0}`, which only letters, digits, '.', '_' and '-' may be in"
    )]
    Name(String),
}

impl RedisError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoProgram | Self::OldTool { .. } => {
                "use an image that has the server's own programs, of version 6.2 or later, and deploy"
            }
            Self::Login { .. } => {
                "set REDISCLI_AUTH in the service's `environment` to the password of the server's user `default`, which has to be \
                 allowed INFO, CONFIG, SAVE, PSYNC and REPLCONF, and deploy"
            }
            Self::NotOwn(_) => "restore where the data is at home",
            Self::NoVolume(_) => {
                "give the service a volume at that path and deploy; the data that is there now does not outlive its container"
            }
            Self::Name(_) => "give `dbfilename` and `appenddirname` simple names, and deploy",
            Self::Program(error) if error.is_missing() => {
                "the image has no shell with `cat`, `mv` and `stat`: use one that has, and deploy"
            }
            Self::Save { .. } => "see that the droplet has space (`tidegate info`), and try again",
            _ => "see the server's log (`tidegate logs`), and try again",
        }
    }

    /// Whether it tells of the data, and not of the scratch server itself: that has little memory and shares its disk.
    pub fn is_about_data(&self) -> bool {
        let own = ["No space left on device", "Out Of Memory", "Can't allocate", "Cannot allocate memory"];
        matches!(self, Self::NotLoaded { log } if !log.is_empty() && !own.iter().any(|sign| log.contains(sign)))
    }
}

impl From<ProgramError> for RedisError {
    fn from(error: ProgramError) -> Self {
        Self::Program(error)
    }
}
