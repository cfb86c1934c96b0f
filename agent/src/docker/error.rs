//! What can go wrong with the engine, in its own words and ours.

use std::time::Duration;

use bollard::errors::Error;

use super::LoginError;

/// Why Docker did not do what it was asked. `doing` completes "could not ...".
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// The engine does not answer.
    #[error("could not {doing}: Docker does not answer; see `systemctl status docker` on the droplet")]
    Unreachable {
        /// What was tried.
        doing: String,
        /// What the client said.
        source: Error,
    },
    /// The thing is not there.
    #[error("could not {doing}: {message}")]
    NotFound {
        /// What was tried.
        doing: String,
        /// The engine's words.
        message: String,
    },
    /// The thing is there already, or in use.
    #[error("could not {doing}: {message}")]
    Conflict {
        /// What was tried.
        doing: String,
        /// The engine's words.
        message: String,
    },
    /// The engine refused.
    #[error("could not {doing}: {message}")]
    Refused {
        /// What was tried.
        doing: String,
        /// The engine's words.
        message: String,
    },
    /// The logins at registries cannot be used; Docker was not asked.
    #[error("could not {doing}")]
    Login {
        /// What was tried.
        doing: String,
        /// Why not.
        source: LoginError,
    },
    /// It took too long.
    #[error("could not {doing}: no answer within {} s", deadline.as_secs())]
    Deadline {
        /// What was tried.
        doing: String,
        /// How long that was.
        deadline: Duration,
    },
}

impl DockerError {
    pub(super) fn new(doing: &str, error: Error) -> Self {
        let doing = doing.to_owned();
        match error {
            Error::DockerResponseServerError { status_code, message } => {
                let message = message.trim_start_matches("Error response from daemon: ").to_owned();
                match status_code {
                    404 => Self::NotFound { doing, message },
                    409 => Self::Conflict { doing, message },
                    _ => Self::Refused { doing, message },
                }
            }
            Error::DockerStreamError { error } => Self::Refused { doing, message: error },
            Error::DockerContainerWaitError { error, code } => {
                Self::Refused { doing, message: format!("{error} (exit code {code})") }
            }
            source => Self::Unreachable { doing, source },
        }
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether it exists already or is in use.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether there was no room, for bytes or files, on the engine's disk.
    pub fn is_full(&self) -> bool {
        let words = self.message().unwrap_or_default().to_lowercase();
        ["no space left on device", "disk quota exceeded"].iter().any(|part| words.contains(part))
    }

    /// Whether a registry wants a login, or another one. Registries say so of what does not exist too.
    pub fn is_denied(&self) -> bool {
        let words = self.message().unwrap_or_default().to_lowercase();
        let denials = ["denied", "unauthorized", "authentication required", "no basic auth", "forbidden"];
        denials.iter().any(|part| words.contains(part))
    }

    /// The engine's own words, where it answered.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::NotFound { message, .. }
            | Self::Conflict { message, .. }
            | Self::Refused { message, .. } => Some(message),
            Self::Unreachable { .. } | Self::Deadline { .. } | Self::Login { .. } => None,
        }
    }
}
