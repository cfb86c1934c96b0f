//! rustls's questions, answered by [`ChainVerifier`] and our identities.

use jiff::Timestamp;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{
    client::{AgentTrust, Expiry},
    config::provider,
    info::Mode,
    problem::{WrongPeer, alerted, told},
};
use crate::{
    certificates::{ChainVerifier, PeerCertificate, RevocationList, Usage},
    identity::{Identity, TrustDomain},
};

/// Judges callers of a server.
#[derive(Debug)]
pub(super) struct CallerVerifier {
    pub(super) chains: ChainVerifier,
    pub(super) revoked: Option<RevocationList>,
    pub(super) domain: TrustDomain,
    /// Other agents get in where one is enrolled; what they may call then stands in the table of roles.
    pub(super) mode: Mode,
}

impl CallerVerifier {
    pub(super) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<PeerCertificate, Error> {
        let revoked = self.revoked.as_ref();
        let peer = self.chains.verify(chain, Usage::Client, revoked, now).map_err(alerted)?;
        let found = peer.identity.clone();
        if found.domain() != &self.domain {
            return Err(told(WrongPeer::Domain { found, wanted: self.domain.clone() }));
        }
        match (found, self.mode) {
            (Identity::User { .. }, _) | (Identity::Agent { .. }, Mode::Enrolled) => Ok(peer),
            (found @ Identity::Agent { .. }, Mode::Enrolment) => Err(told(WrongPeer::Agent { found })),
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

/// Judges the agent that was dialled. In every case the server has to hold the key of the certificate it shows.
#[derive(Debug)]
pub(super) enum AgentVerifier {
    /// Exactly one agent is believed.
    Enrolled { chains: Box<ChainVerifier>, trust: Box<AgentTrust> },
    /// Any certificate is taken: whose it is, the enrolment proof tells.
    Unenrolled,
}

impl AgentVerifier {
    fn judge(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), Error> {
        let Self::Enrolled { chains, trust } = self else {
            return Ok(());
        };
        let at = time_of_judgement(trust.expiry, chain, now);
        let found = chains.verify(chain, Usage::Server, trust.revoked.as_ref(), at).map_err(told)?.identity;
        let wanted = trust.identity.clone();
        if found == wanted { Ok(()) } else { Err(told(WrongPeer::Server { found, wanted })) }
    }
}

/// A certificate that ran out is judged as of its last second when its key is the one on record, and the caller came to
/// renew it. Issuers outlive what they sign, so the chain was whole then.
fn time_of_judgement(expiry: Expiry, chain: &[CertificateDer<'_>], now: Timestamp) -> Timestamp {
    let Expiry::RenewExpired { recorded } = expiry else {
        return now;
    };
    match chain.first().map(PeerCertificate::parse) {
        Some(Ok(leaf)) if leaf.spki == recorded => now.min(leaf.not_after),
        _ => now,
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
            .map(|()| ServerCertVerified::assertion())
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
    std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect()
}

fn timestamp(now: UnixTime) -> Result<Timestamp, Error> {
    i64::try_from(now.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(Error::FailedToGetCurrentTime)
}
