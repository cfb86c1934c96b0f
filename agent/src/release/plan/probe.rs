//! What a container is asked before it counts as well.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A question to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedProbe {
    /// The question.
    pub target: ProbeTarget,
    /// How long a single answer may take.
    pub timeout: Duration,
}

/// How a container is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeTarget {
    /// By a GET request to the container's own address.
    Http {
        /// The port in the container.
        port: u16,
        /// The path, with its query.
        path: String,
        /// The `Host` of the request.
        host: String,
        /// The lowest and the highest status that is good.
        status: (u16, u16),
        /// A text that the body has to contain.
        contains: Option<String>,
    },
    /// By a connection to the container's own address.
    Tcp {
        /// The port in the container.
        port: u16,
    },
    /// By a command in the container, which has to end with exit code 0.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
    },
}

impl ProbeTarget {
    /// Whether the agent has to reach the container over a network.
    pub fn needs_address(&self) -> bool {
        match self {
            Self::Http { .. } | Self::Tcp { .. } => true,
            Self::Command { .. } => false,
        }
    }
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { port, path, .. } => write!(f, "GET :{port}{path}"),
            Self::Tcp { port } => write!(f, "a connection to :{port}"),
            // Its arguments may hold secrets.
            Self::Command { command } => {
                write!(f, "the command `{}`", command.first().map_or("", String::as_str))
            }
        }
    }
}
