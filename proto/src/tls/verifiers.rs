//! rustls's questions, answered by [`ChainVerifier`] and our identities.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{
    client::{AgentTrust, Expiry},
    config::provider,
};
use crate::{
    certificates::{ChainVerifier, PeerCertificate, RevocationList, Usage, VerifyError},
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
    /// An agent's certificate used to call.
    #[error("{found} is an agent; only users may call")]
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

/// Judges callers of a server.
#[derive(Debug)]
pub(super) struct CallerVerifier {
    pub(super) chains: ChainVerifier,
    pub(super) revoked: Option<RevocationList>,
    pub(super) domain: TrustDomain,
}

impl CallerVerifier {
    pub(super) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<PeerCertificate, Error> {
        let peer = self
            .chains
            .verify(chain, Usage::Client, self.revoked.as_ref(), now)
            .map_err(to_rustls)?;
        let found = peer.identity.clone();
        if found.domain() != &self.domain {
            return Err(other(WrongPeer::Domain {
                found,
                wanted: self.domain.clone(),
            }));
        }
        match found {
            Identity::User { .. } => Ok(peer),
            Identity::Agent { .. } => Err(other(WrongPeer::Agent { found })),
        }
    }
}

impl ClientCertVerifier for CallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Who may call knows which certificate to show; nobody else learns whose port this is.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.judge(&chain(end_entity, intermediates), timestamp(now)?)
            .map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// Judges the agent that was dialled.
#[derive(Debug)]
pub(super) struct AgentVerifier {
    pub(super) chains: ChainVerifier,
    pub(super) trust: AgentTrust,
}

impl AgentVerifier {
    fn judge(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<PeerCertificate, Error> {
        let at = self.time_of_judgement(chain, now);
        let revoked = self.trust.revoked.as_ref();
        let peer = self
            .chains
            .verify(chain, Usage::Server, revoked, at)
            .map_err(to_rustls)?;
        let wanted = &self.trust.identity;
        if peer.identity == *wanted {
            Ok(peer)
        } else {
            Err(other(WrongPeer::Server {
                found: peer.identity,
                wanted: wanted.clone(),
            }))
        }
    }

    /// A certificate that ran out is judged as of its last second when its key is the one on record, and the caller came
    /// to renew it. Issuers outlive what they sign, so the chain was whole then.
    fn time_of_judgement(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Timestamp {
        let Expiry::RenewExpired { recorded } = self.trust.expiry else {
            return now;
        };
        match chain.first().map(PeerCertificate::parse) {
            Some(Ok(leaf)) if leaf.spki == recorded => now.min(leaf.not_after),
            _ => now,
        }
    }
}

impl ServerCertVerifier for AgentVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(&chain(end_entity, intermediates), timestamp(now)?)
            .map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// Takes any certificate whose key the server holds: whose key that is, the enrolment proof tells.
#[derive(Debug)]
pub(super) struct UnenrolledVerifier;

impl ServerCertVerifier for UnenrolledVerifier {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    provider().signature_verification_algorithms
}

fn no_tls12() -> Error {
    Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)
}

fn chain(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Vec<CertificateDer<'static>> {
    std::iter::once(end_entity)
        .chain(intermediates)
        .map(|der| der.clone().into_owned())
        .collect()
}

fn timestamp(now: UnixTime) -> Result<Timestamp, Error> {
    i64::try_from(now.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(Error::FailedToGetCurrentTime)
}

/// The alert that the peer gets follows from rustls's error: expired, revoked and unknown roots are told apart.
fn to_rustls(error: VerifyError) -> Error {
    match error {
        VerifyError::Expired { .. } => Error::InvalidCertificate(CertificateError::Expired),
        VerifyError::NotYetValid { .. } => Error::InvalidCertificate(CertificateError::NotValidYet),
        VerifyError::Revoked { .. } => Error::InvalidCertificate(CertificateError::Revoked),
        VerifyError::Untrusted(error) => error,
        error => Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error)))),
    }
}

fn other(error: WrongPeer) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}
