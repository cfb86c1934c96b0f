//! What a server knows of the peer of a connection; tonic puts it into every request's extensions.

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use tokio::sync::watch;

use super::server::Live;
use crate::certificates::{Chain, PeerCertificate, SpkiDigest};

/// As what the server took the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not enrolled: the enrolment service alone may run.
    Enrolment,
    /// Enrolled: the enrolment service does not run.
    Enrolled,
}

/// The peer may not go on with this connection.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PeerRefused {
    /// The server closed, or changed between enrolment and service.
    #[error("the agent changed its state since this connection began; connect again")]
    Changed,
    /// The certificate does not hold any more.
    #[error(
        "the certificate of this connection is not accepted any more: it ran out, was revoked, or its root is no longer trusted"
    )]
    Certificate(#[source] rustls::Error),
}

/// The verified peer of a server's connection.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    pub(super) certificate: PeerCertificate,
    pub(super) chain: Arc<Chain>,
    pub(super) mode: Mode,
    pub(super) server_spki: SpkiDigest,
    pub(super) remote: Option<SocketAddr>,
    pub(super) generation: u64,
    pub(super) live: watch::Receiver<Option<Arc<Live>>>,
}

impl PeerInfo {
    /// What the peer's certificate says.
    pub fn certificate(&self) -> &PeerCertificate {
        &self.certificate
    }

    /// The peer's chain; its issuer may have signed a revocation list.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// As what the connection was taken.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The server's own key in this session, for the enrolment proof.
    pub fn server_spki(&self) -> SpkiDigest {
        self.server_spki
    }

    /// Where the peer called from, if over TCP.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Whether the peer may still make calls on this connection. To be asked for every request: credentials, roots and
    /// the revocation list may have changed since the handshake, and certificates run out.
    ///
    /// # Errors
    /// It may not; the connection is to be given up.
    pub fn check(&self, now: Timestamp) -> Result<(), PeerRefused> {
        let live = self.live.borrow().clone().ok_or(PeerRefused::Changed)?;
        if live.mode != self.mode {
            return Err(PeerRefused::Changed);
        }
        if live.generation == self.generation && now <= self.certificate.not_after {
            return Ok(());
        }
        live.callers.judge(&self.chain.to_certificates(), now).map(drop).map_err(PeerRefused::Certificate)
    }
}
