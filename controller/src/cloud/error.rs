//! What can go wrong between us and the API, as a caller has to tell it apart: answered or not, and if not, whether the
//! request may have taken effect. Decided on the status first; messages are for people.

use std::fmt;

use crate::cloud::Endpoint;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// No connection was made, so nothing was changed.
    #[error("the API at {endpoint} cannot be reached")]
    Unreachable {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The request was sent and its end is unknown: it may have taken effect.
    #[error("{call} may or may not have taken effect: the API did not answer properly")]
    Ambiguous {
        /// `POST /v2/droplets`.
        call: String,
        /// Why.
        #[source]
        source: Box<CloudError>,
    },
    /// The connection broke, or no answer came in time.
    #[error("{call} was not answered")]
    NoAnswer {
        /// `GET /v2/droplets`.
        call: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The API answered with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The answer is not what the API's documentation promises.
    #[error("the answer to {call} cannot be understood")]
    Malformed {
        /// `GET /v2/droplets`.
        call: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The answer is larger than any proper one.
    #[error("the answer to {call} is larger than {limit} bytes")]
    TooLarge {
        /// `GET /v2/droplets`.
        call: String,
        /// The bound.
        limit: usize,
    },
    /// The client itself could not be made.
    #[error("the HTTPS client cannot be set up")]
    Setup(#[source] reqwest::Error),
}

/// The API's own error body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ApiError {
    /// `POST /v2/droplets`.
    pub call: String,
    /// HTTP status.
    pub status: u16,
    /// `unprocessable_entity`; empty when the body was not the API's.
    pub id: String,
    /// For people.
    pub message: String,
    /// For DigitalOcean's support.
    pub request_id: Option<String>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, status, id: _, message, request_id } = self;
        write!(f, "{call} was refused with {status}: {message}")?;
        match request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl CloudError {
    /// The status of an answered call, looked for below `Ambiguous` too.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.status),
            Self::Ambiguous { source, .. } => source.status(),
            Self::Unreachable { .. }
            | Self::NoAnswer { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Setup(_) => None,
        }
    }

    /// 404: it is not there, or not there yet.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the call may have taken effect.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Ambiguous { .. })
    }

    /// 409, or 422 that says that it exists: the name is taken.
    pub fn is_taken(&self) -> bool {
        match self {
            Self::Api(error) => {
                let text = error.message.to_lowercase();
                error.status == 409
                    || (error.status == 422
                        && ["already", "not unique", "duplicate", "in use"].iter().any(|w| text.contains(w)))
            }
            _ => false,
        }
    }

    /// The resource is busy and will not be for ever: 403 and 409 while members linger, 422 on a pending event.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Api(error) => {
                let text = error.message.to_lowercase();
                error.status == 409
                    || error.status == 412
                    || (matches!(error.status, 403 | 422)
                        && ["member", "pending", "process", "in use", "busy"]
                            .iter()
                            .any(|w| text.contains(w)))
            }
            _ => false,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { endpoint, .. } if endpoint.is_loopback() => {
                "is the sandbox running? `tidegate sandbox start` starts it, `tidegate sandbox status` tells"
            }
            Self::Unreachable { .. } => "check the network, and DIGITALOCEAN_API_URL if you set it",
            Self::Ambiguous { .. } => "run the same command again: it looks first and makes nothing twice",
            Self::NoAnswer { .. } => "try again; https://status.digitalocean.com tells about outages",
            Self::Api(error) => return api_hint(error).map(str::to_owned),
            Self::Malformed { .. } | Self::TooLarge { .. } => {
                "is DIGITALOCEAN_API_URL the address of a DigitalOcean API?"
            }
            Self::Setup(_) => return None,
        };
        Some(hint.to_owned())
    }
}

fn api_hint(error: &ApiError) -> Option<&'static str> {
    let text = error.message.to_lowercase();
    match error.status {
        401 => Some(
            "the token is wrong, expired or revoked: make one under API > Tokens and put it into DIGITALOCEAN_TOKEN",
        ),
        403 if text.contains("author") || text.contains("access") => Some(
            "the token lacks a right: `tidegate up` needs read and write (scopes droplet, vpc, firewall, ssh_key, tag: create, read, update, delete; account, regions, sizes, image: read)",
        ),
        422 if text.contains("droplet limit") => Some(
            "ask for a higher droplet limit in DigitalOcean's control panel, or delete droplets you no longer need",
        ),
        429 => Some(
            "the account's rate limit is used up, perhaps by other tools with the same token: try again in some minutes",
        ),
        500..=599 => {
            Some("https://status.digitalocean.com tells about outages; run the same command again later")
        }
        _ => None,
    }
}
