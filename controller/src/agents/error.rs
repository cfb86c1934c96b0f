//! What goes wrong between us and an agent, with the cause and cure that the agent itself tells.

use std::fmt;

use tidegate_proto::{
    status::RichError,
    tls::{ConnectError, Refusal, TlsError},
    v1,
};
use tonic::{Code, Status};

/// A call to an agent that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// TLS cannot be set up on this side.
    #[error("this machine's certificate cannot be used")]
    Tls(#[source] TlsError),
    /// No connection.
    #[error("{droplet} cannot be reached")]
    Connect {
        /// Its name.
        droplet: String,
        /// Why.
        #[source]
        source: ConnectError,
    },
    /// The agent does not take our certificate.
    #[error("{droplet} refuses this machine")]
    Refused {
        /// Its name.
        droplet: String,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// The agent answered with an error.
    #[error(transparent)]
    Call(Box<CallError>),
    /// The connection broke before the answer was whole.
    #[error("the connection to {droplet} was lost in the middle of an answer")]
    Lost {
        /// Its name.
        droplet: String,
        /// What the transport said.
        #[source]
        source: Box<Status>,
    },
    /// A peer that breaks the contract.
    #[error("{droplet} answered with something this version does not understand: {what}")]
    Contract {
        /// Its name.
        droplet: String,
        /// What.
        what: String,
    },
}

/// What an agent says when it refuses or fails: what, where, why, what to do.
#[derive(Debug)]
pub struct CallError {
    droplet: String,
    rich: RichError,
    cause: Option<Cause>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

impl CallError {
    /// From what came over the wire.
    pub fn new(droplet: &str, status: &Status) -> Self {
        Self::rich(droplet, RichError::from_status(status))
    }

    /// From a failure inside a stream of events.
    pub fn of_failure(droplet: &str, failure: v1::Failure) -> Self {
        let v1::Failure { what, place, cause, hint, details } = failure;
        let rich = RichError::new(Code::Aborted, "failed", what)
            .at(place)
            .because(cause)
            .hint(hint)
            .details(details);
        Self::rich(droplet, rich)
    }

    fn rich(droplet: &str, rich: RichError) -> Self {
        let cause = (!rich.cause.is_empty()).then(|| Cause(rich.cause.clone()));
        Self { droplet: droplet.to_owned(), rich, cause }
    }

    /// gRPC's code.
    pub fn code(&self) -> Code {
        self.rich.code
    }

    /// Which error it is, for programs.
    pub fn reason(&self) -> &str {
        &self.rich.reason
    }

    /// What to do.
    pub fn hint(&self) -> Option<&str> {
        Some(self.rich.hint.as_str()).filter(|hint| !hint.is_empty())
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RichError { code: _, reason: _, what, place, cause: _, hint: _, details } = &self.rich;
        if !place.is_empty() && place != &self.droplet {
            write!(f, "{place}: ")?;
        }
        write!(f, "{what} (on {})", self.droplet)?;
        for line in details {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| -> &(dyn std::error::Error + 'static) { cause })
    }
}

impl AgentError {
    /// What a call that failed means: the agent's own words, or those for a connection that broke.
    pub(super) fn of_call(droplet: &str, status: &Status) -> Self {
        // What an agent says came over the wire; a source is there only when this side could not read on.
        let lost = std::error::Error::source(status).is_some()
            && matches!(status.code(), Code::Unknown | Code::Internal | Code::Unavailable | Code::Cancelled);
        if lost {
            return Self::Lost { droplet: droplet.to_owned(), source: Box::new(status.clone()) };
        }
        Self::Call(Box::new(CallError::new(droplet, status)))
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Call(call) => call.hint().map(str::to_owned),
            Self::Connect { .. } => Some(
                "`tidegate info` tells whether the droplet is there; \
                 [addresses] in tidegate.toml has to hold your own address for port 7443"
                    .to_owned(),
            ),
            Self::Lost { droplet, .. } => Some(format!(
                "the agent or the way to it went away, and what was begun there may go on; \
                 `tidegate status --droplet {droplet}` tells"
            )),
            Self::Contract { .. } => {
                Some("agent and controller may be of different versions: `tidegate status` tells".to_owned())
            }
            Self::Tls(_) | Self::Refused { .. } => None,
        }
    }

    /// Whether the agent has nothing of that name: no such app, service or backup.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Call(call) if call.code() == Code::NotFound)
    }

    /// Whether it is not known what became of the call.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Contract { .. })
    }

    /// Whether the request itself was wrong.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Call(call) if matches!(call.code(), Code::InvalidArgument | Code::NotFound))
    }
}
