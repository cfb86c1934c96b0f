//! Why there is no connection: what this side found, and what the other side told.

use std::net::SocketAddr;

use rustls::AlertDescription;

use super::problem::PeerProblem;
use crate::{
    certificates::{ParseError, VerifyError},
    limits::CONNECT_TIMEOUT,
};

/// Why there is no connection to an agent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TCP failed.
    #[error("nothing answers at {address}; is the droplet up, its agent running, and port {} open in the firewall?", address.port())]
    Dial {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{address} did not answer within {} s; is the droplet up, and port {} open in the firewall?", CONNECT_TIMEOUT.as_secs(), address.port())]
    Timeout {
        /// The address.
        address: SocketAddr,
    },
    /// TLS failed.
    #[error("the TLS handshake failed; does a tidegate agent listen there?")]
    Handshake(#[source] std::io::Error),
    /// The server was not believed.
    #[error("the server is not believed to be the agent that was dialled")]
    NotBelieved(#[source] PeerProblem),
    /// The server shows a certificate without an issuer, as agents do until they are enrolled.
    #[error("the agent is not enrolled yet")]
    NotEnrolled,
    /// The server's certificate cannot be read.
    #[error("the server's certificate cannot be read")]
    Server(#[source] ParseError),
    /// The server showed no certificate, or not HTTP/2.
    #[error("the server does not speak gRPC over TLS as an agent does")]
    Protocol,
    /// HTTP/2 failed.
    #[error("the gRPC connection could not be set up")]
    Http2(#[source] tonic::transport::Error),
}

impl ConnectError {
    pub(super) fn handshake(error: std::io::Error) -> Self {
        match PeerProblem::of(&error) {
            Some(problem) if matches!(problem.chain(), Some(VerifyError::Length { found: 1 })) => {
                Self::NotEnrolled
            }
            Some(problem) => Self::NotBelieved(problem),
            None => Self::Handshake(error),
        }
    }
}

/// The server told why it refused this client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None was shown.
    #[error("the agent asks for a client certificate, and none was shown")]
    Required,
    /// It ran out.
    #[error("the agent says that this certificate ran out; get a new one, and check this machine's clock")]
    Expired,
    /// It was revoked.
    #[error("the agent says that this certificate was revoked; ask an admin of the fleet for a new one")]
    Revoked,
    /// Not below the agent's root.
    #[error(
        "the agent does not know the root behind this certificate: it belongs to another fleet, or was made anew"
    )]
    UnknownRoot,
    /// Another environment, an agent's certificate, or a certificate not of tidegate.
    #[error("the agent does not take this certificate: it is of another environment, or no user's")]
    NotAccepted,
    /// Versions or algorithms do not fit.
    #[error("the agent speaks another version of TLS")]
    Incompatible,
}

impl Refusal {
    pub(super) fn of(error: &std::io::Error) -> Option<Self> {
        let rustls::Error::AlertReceived(alert) = error.get_ref()?.downcast_ref()? else {
            return None;
        };
        match alert {
            AlertDescription::CertificateRequired => Some(Self::Required),
            AlertDescription::CertificateExpired => Some(Self::Expired),
            AlertDescription::CertificateRevoked => Some(Self::Revoked),
            AlertDescription::UnknownCA => Some(Self::UnknownRoot),
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied => Some(Self::NotAccepted),
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
                Some(Self::Incompatible)
            }
            _ => None,
        }
    }
}
