//! What a destination says when it does not do what it should, in words for its owner.

use std::{io, time::Duration};

use crate::backup::{ByteCount, NameError, ObjectName};

/// Why a destination did not do what was asked. `at` is its title.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// No such object.
    #[error("{name} is not there, at {at}")]
    NotFound {
        /// The destination.
        at: String,
        /// The object.
        name: ObjectName,
    },
    /// Larger than allowed.
    #[error("{name} is larger than {most}, at {at}: it is not what it should be")]
    TooLarge {
        /// The destination.
        at: String,
        /// The object.
        name: ObjectName,
        /// What is allowed.
        most: ByteCount,
    },
    /// No space.
    #[error("{at} is full: nothing was stored; free some space there, or keep fewer backups")]
    Full {
        /// The destination.
        at: String,
        /// What the system said.
        source: io::Error,
    },
    /// The way leads over a symbolic link.
    #[error("{at} has a symbolic link or a file where {name} needs a folder: it is not followed; remove it")]
    NotAFolder {
        /// The destination.
        at: String,
        /// The object.
        name: ObjectName,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system refused.
    #[error("{at} could not {what}")]
    Io {
        /// The destination.
        at: String,
        /// What was tried, in words that follow "could not".
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// No such bucket.
    #[error("there is no such bucket: {at}; create it, or correct its name or the endpoint")]
    NoBucket {
        /// The destination.
        at: String,
    },
    /// The access key is unknown, or its secret is another.
    #[error("{at} does not accept the credentials ({code}): check the access key id and its secret")]
    Credentials {
        /// The destination.
        at: String,
        /// The server's code.
        code: String,
    },
    /// The key may not do that.
    #[error("{at} forbids it ({code}): give the access key the right to read, write, list and delete there")]
    Forbidden {
        /// The destination.
        at: String,
        /// The server's code.
        code: String,
    },
    /// The bucket is elsewhere.
    #[error("{at} is in another region ({code}): correct the region or the endpoint")]
    Region {
        /// The destination.
        at: String,
        /// The server's code.
        code: String,
    },
    /// The server cannot be reached.
    #[error("{at} cannot be reached: {reason}; check the endpoint and the network")]
    Unreachable {
        /// The destination.
        at: String,
        /// What failed, without addresses that hold a signature.
        reason: String,
    },
    /// No answer in time.
    #[error("{at} did not answer within {} s", after.as_secs_f32())]
    Timeout {
        /// The destination.
        at: String,
        /// How long it was waited.
        after: Duration,
    },
    /// Another refusal.
    #[error("{at} refused the request: {said}")]
    Refused {
        /// The destination.
        at: String,
        /// Status and message, shortened.
        said: String,
    },
    /// The name becomes too long below the destination's own prefix.
    #[error("the name of an object does not fit {at}")]
    Name {
        /// The destination.
        at: String,
        /// Why.
        source: NameError,
    },
    /// More than an object can have.
    #[error("{at} cannot take an object of more than {most}; split the data")]
    TooMuch {
        /// The destination.
        at: String,
        /// What fits.
        most: ByteCount,
    },
    /// The thread that worked is gone: the process is shutting down.
    #[error("work at {at} broke off: the agent is shutting down")]
    Broken {
        /// The destination.
        at: String,
    },
}

impl DestinationError {
    /// An error of the operating system, with what it means.
    pub(in crate::backup) fn of_io(
        at: &str,
        name: &ObjectName,
        what: &'static str,
        source: io::Error,
    ) -> Self {
        use io::ErrorKind as Kind;
        let is_link = rustix::io::Errno::from_io_error(&source) == Some(rustix::io::Errno::LOOP);
        let (at, name) = (at.to_owned(), name.clone());
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::Full { at, source },
            Kind::NotADirectory => Self::NotAFolder { at, name, source },
            _ if is_link => Self::NotAFolder { at, name, source },
            Kind::NotFound => Self::NotFound { at, name },
            _ => Self::Io { at, what, source },
        }
    }
}
