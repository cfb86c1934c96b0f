//! What an app's containers write, line by line.
//!
//! Owns which containers are read, and in which order their lines come. Must not know gRPC or releases. Lines of several
//! containers are merged by time as long as there is an end; while following they come as they are written, and
//! containers that start later are followed too.

mod follow;
mod line;
mod merge;
mod source;

use std::sync::Arc;

use bollard::Docker;
use futures::stream::BoxStream;
use jiff::Timestamp;

pub use crate::docker_stream::{Channel, StreamError};
use crate::{clock::Clock, docker_stream::DockerStreams};

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// The app, which is the Compose project.
    pub app: String,
    /// Only these services; empty: all.
    pub services: Vec<String>,
    /// Whether to go on with what is written later.
    pub follow: Follow,
    /// Nothing before this.
    pub since: Option<Timestamp>,
    /// Nothing from this on.
    pub until: Option<Timestamp>,
    /// Of each container only so many lines, counted from the end.
    pub tail: Option<u32>,
}

/// Whether to go on with what is written later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Only what is there.
    No,
    /// What is there, and then what comes.
    Yes,
}

/// One line, or a piece of one that is longer than 64 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The service.
    pub service: String,
    /// The container's name.
    pub container: String,
    /// When Docker read it.
    pub at: Timestamp,
    /// Where it was written to.
    pub channel: Channel,
    /// Without its line feed.
    pub text: Vec<u8>,
}

/// Why the lines cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Docker could not be asked which containers there are.
    #[error("Docker could not be asked for the containers of {app}")]
    Docker {
        /// The app.
        app: String,
        /// What bollard said.
        source: bollard::errors::Error,
    },
    /// Nothing of this app is here.
    #[error("there is no app {app} on this droplet")]
    NoApp {
        /// The app.
        app: String,
    },
    /// The app has no such service.
    #[error("app {app} has no service {service} on this droplet; it has {}", services.join(", "))]
    NoService {
        /// The app.
        app: String,
        /// The service.
        service: String,
        /// Those that it has.
        services: Vec<String>,
    },
    /// A container's log cannot be read: its logging driver may not allow that.
    #[error("the log of {container} cannot be read")]
    Stream {
        /// The container's name.
        container: String,
        /// What Docker said.
        source: StreamError,
    },
    /// Reading broke off.
    #[error("the log of {container} broke off")]
    Broken {
        /// The container's name.
        container: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Reads logs.
#[derive(Debug, Clone)]
pub struct Logs {
    docker: Docker,
    streams: DockerStreams,
    clock: Arc<dyn Clock>,
}

/// Lines, in order.
pub type Lines = BoxStream<'static, Result<LogLine, LogsError>>;

impl Logs {
    /// `docker` and `streams` have to lead to the same daemon, which has to be on this machine.
    pub fn new(docker: Docker, streams: DockerStreams, clock: Arc<dyn Clock>) -> Self {
        Self { docker, streams, clock }
    }

    /// Starts reading.
    ///
    /// # Errors
    /// When the app or a service is not here, or a log cannot be read.
    pub async fn read(&self, query: LogQuery) -> Result<Lines, LogsError> {
        match query.follow {
            Follow::No => {
                let containers = source::containers(&self.docker, &query).await?;
                let mut lines = Vec::with_capacity(containers.len());
                for container in containers {
                    lines.push(source::open(&self.docker, &self.streams, container, &query).await?);
                }
                Ok(Box::pin(merge::by_time(lines)))
            }
            Follow::Yes => follow::lines(self.clone(), query).await,
        }
    }
}
