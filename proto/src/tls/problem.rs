//! Why a peer was not believed, as it travels through rustls, whose errors are about TLS in general.

use std::{error::Error, fmt, sync::Arc};

use rustls::{CertificateError, OtherError};

use crate::{
    certificates::VerifyError,
    identity::{Identity, TrustDomain},
};

/// A chain that is trusted, but of somebody else than was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongPeer {
    /// Of another fleet or environment.
    #[error("{found} belongs to another fleet or environment than {wanted}")]
    Domain {
        /// Who it is.
        found: Identity,
        /// Whom we serve.
        wanted: TrustDomain,
    },
    /// An agent's certificate used to call a server that is not enrolled.
    #[error("{found} is an agent; only users may call an agent that is not enrolled")]
    Agent {
        /// Who it is.
        found: Identity,
    },
    /// Another agent.
    #[error("the server is {found}, not {wanted}")]
    Server {
        /// Who it is.
        found: Identity,
        /// Whom we dialled.
        wanted: Identity,
    },
}

/// Why a peer was not believed.
#[derive(Debug, Clone)]
pub struct PeerProblem(Arc<dyn Error + Send + Sync>);

impl PeerProblem {
    /// If a handshake failed because of a judgement of ours.
    pub(super) fn of(error: &std::io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(problem))) => {
                Some(Self(problem.clone()))
            }
            _ => None,
        }
    }

    /// If the chain was not believed.
    pub fn chain(&self) -> Option<&VerifyError> {
        self.0.downcast_ref()
    }

    /// If the chain was believed, but is somebody else's.
    pub fn wrong_peer(&self) -> Option<&WrongPeer> {
        self.0.downcast_ref()
    }
}

impl fmt::Display for PeerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for PeerProblem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// The problem as it is, for who reads it on this side. The peer learns only that its certificate was not taken.
pub(super) fn told(problem: impl Error + Send + Sync + 'static) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(problem))))
}

/// The problem as an alert can tell it to a caller: expired, revoked and unknown roots are told apart.
pub(super) fn alerted(problem: VerifyError) -> rustls::Error {
    let certificate = rustls::Error::InvalidCertificate;
    match problem {
        VerifyError::Expired { .. } => certificate(CertificateError::Expired),
        VerifyError::NotYetValid { .. } => certificate(CertificateError::NotValidYet),
        VerifyError::Revoked { .. } => certificate(CertificateError::Revoked),
        // A root of the same name with another key: to the caller the same as a root of another name.
        VerifyError::Untrusted(rustls::Error::InvalidCertificate(CertificateError::BadSignature)) => {
            certificate(CertificateError::UnknownIssuer)
        }
        VerifyError::Untrusted(error) => error,
        problem => told(problem),
    }
}
