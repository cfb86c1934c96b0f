//! Asking a container over the network whether it is well: one connection or one GET request.
//!
//! Owns the connection, the deadline-free exchange and its bounds; the caller sets the deadline. Must not know releases or
//! Docker: it is given an address.

mod dial;
mod http;

pub use dial::{Dial, DirectDial};
pub use http::{Question, get};

/// Why a container is not well, as what a sentence goes on with after the question: "GET :8000/health ...".
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Nobody took the connection.
    #[error("got no connection")]
    Connect(#[source] std::io::Error),
    /// The conversation broke.
    #[error("broke off")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another status than it should be.
    #[error("answered {status}{}", after_colon(.body))]
    Status {
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The body lacks a text.
    #[error("answered {status} without {wanted:?}{}", after_colon(.body))]
    Lacks {
        /// The status.
        status: u16,
        /// The text.
        wanted: String,
        /// The beginning of the body.
        body: String,
    },
}

fn after_colon(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

/// Whether somebody takes a connection there.
///
/// # Errors
/// When nobody does.
pub async fn connect(dial: &dyn Dial, address: std::net::SocketAddr) -> Result<(), ProbeError> {
    dial.dial(address).await.map(drop).map_err(ProbeError::Connect)
}

#[cfg(test)]
mod tests;
