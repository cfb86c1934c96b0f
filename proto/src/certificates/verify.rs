//! Whether a chain may be believed: signatures and validity up to a trusted root and the usage (webpki's judgement), and
//! that the issuer is the leaf's environment's own (ours).

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ParsedCertificate, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;

use super::{
    chain::Chain,
    key::{Serial, SpkiDigest},
    parse::{self, ParseError, PeerCertificate},
    revocation::RevocationList,
    roots::RootBundle,
};
use crate::identity::{Identity, IdentityError, TrustDomain};

/// A chain is not believed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The roots cannot be used.
    #[error("the trusted roots cannot be used")]
    Roots(#[source] rustls::Error),
    /// The roots cannot be used to verify clients.
    #[error("the trusted roots cannot be used")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    /// Another length than two.
    #[error("the chain has to be exactly the certificate and its issuer; it holds {found} certificates")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// The certificate is not of our kind.
    #[error("the certificate is refused")]
    Certificate(#[source] ParseError),
    /// The issuer's certificate is not of our kind.
    #[error("the issuer's certificate is refused")]
    Issuer(#[source] ParseError),
    /// The issuer's certificate names no environment.
    #[error("the issuer's certificate names no fleet and environment")]
    IssuerDomain(#[source] IdentityError),
    /// It ended.
    #[error("the certificate of {identity} ended at {not_after}; renew it")]
    Expired {
        /// Whose.
        identity: String,
        /// When.
        not_after: Timestamp,
    },
    /// It has not begun.
    #[error(
        "the certificate of {identity} is valid only from {not_before} on; check the clocks of both machines"
    )]
    NotYetValid {
        /// Whose.
        identity: String,
        /// When.
        not_before: Timestamp,
    },
    /// No trusted root, a wrong signature or a wrong usage.
    #[error(
        "the certificate is not trusted: no known root of the fleet stands behind it, or it is made for another use"
    )]
    Untrusted(#[source] rustls::Error),
    /// The issuer is another environment's.
    #[error("the certificate of {identity} was signed by the issuer of {issuer}, which may not sign it")]
    OtherIssuer {
        /// Whose.
        identity: String,
        /// Whose issuer.
        issuer: TrustDomain,
    },
    /// An issuer's signature is wrong.
    #[error("the given issuer did not sign the certificate, or no trusted root signed the issuer")]
    Signature,
    /// A chain that was issued for somebody else.
    #[error("the issued certificate is for {found}, not for {wanted}; nothing was changed")]
    OtherIdentity {
        /// Who it is for.
        found: String,
        /// Who asked.
        wanted: String,
    },
    /// A chain that was issued for another key.
    #[error("the issued certificate is for another key than the one in the request; nothing was changed")]
    OtherKey,
    /// It was revoked.
    #[error(
        "the certificate of {identity} (serial {serial}) was revoked; ask an admin of the fleet for a new one"
    )]
    Revoked {
        /// Whose.
        identity: String,
        /// Which.
        serial: Serial,
    },
}

/// What a certificate is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// To call.
    Client,
    /// To be called.
    Server,
}

/// Judges chains by one bundle of roots.
#[derive(Debug)]
pub struct ChainVerifier {
    roots: Vec<CertificateDer<'static>>,
    store: Arc<RootCertStore>,
    clients: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
}

impl ChainVerifier {
    /// A verifier that trusts the bundle's roots.
    ///
    /// # Errors
    /// A root cannot be used as a trust anchor.
    pub fn new(bundle: &RootBundle) -> Result<Self, VerifyError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut store = RootCertStore::empty();
        for root in bundle.roots() {
            store.add(root.clone()).map_err(VerifyError::Roots)?;
        }
        let store = Arc::new(store);
        let clients = WebPkiClientVerifier::builder_with_provider(store.clone(), provider.clone())
            .build()
            .map_err(VerifyError::Verifier)?;
        Ok(Self { roots: bundle.roots().to_vec(), store, clients, provider })
    }

    /// Judges a chain as it came over the wire: leaf, then issuer.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        usage: Usage,
        revoked: Option<&RevocationList>,
        now: Timestamp,
    ) -> Result<PeerCertificate, VerifyError> {
        let [leaf, issuer] = chain else {
            return Err(VerifyError::Length { found: chain.len() });
        };
        let peer = PeerCertificate::parse(leaf).map_err(VerifyError::Certificate)?;
        in_time(&peer, now)?;
        self.anchored(leaf, issuer, usage, now)?;
        signed_by(leaf, issuer, &peer)?;
        match revoked {
            Some(list) if list.contains(&peer.serial) => {
                Err(VerifyError::Revoked { identity: peer.identity.to_string(), serial: peer.serial })
            }
            _ => Ok(peer),
        }
    }

    /// Judges a chain that an agent got for its request: in enrolment and in renewal.
    ///
    /// # Errors
    /// It is not believed, or is not for this identity and this key.
    pub fn verify_issued(
        &self,
        chain: &Chain,
        identity: &Identity,
        key: SpkiDigest,
        now: Timestamp,
    ) -> Result<PeerCertificate, VerifyError> {
        let peer = self.verify(&chain.to_certificates(), Usage::Server, None, now)?;
        if peer.identity != *identity {
            let (found, wanted) = (peer.identity.to_string(), identity.to_string());
            return Err(VerifyError::OtherIdentity { found, wanted });
        }
        if peer.spki == key { Ok(peer) } else { Err(VerifyError::OtherKey) }
    }

    /// Judges an issuer's certificate by itself, whatever its dates: what it signed in its time stays signed.
    pub(super) fn verify_issuer<'a>(
        &self,
        issuer: &'a CertificateDer<'_>,
        domain: &TrustDomain,
    ) -> Result<X509Certificate<'a>, VerifyError> {
        let parsed = parse::x509(issuer).map_err(VerifyError::Issuer)?;
        if !parsed.is_ca() {
            return Err(VerifyError::Issuer(ParseError::Authority));
        }
        let found = domain_of(&parsed)?;
        if found != *domain {
            return Err(VerifyError::OtherIssuer { identity: domain.to_string(), issuer: found });
        }
        let signed = self.roots.iter().any(|root| {
            parse::x509(root).is_ok_and(|root| parsed.verify_signature(Some(root.public_key())).is_ok())
        });
        if signed { Ok(parsed) } else { Err(VerifyError::Signature) }
    }

    fn anchored(
        &self,
        leaf: &CertificateDer<'_>,
        issuer: &CertificateDer<'_>,
        usage: Usage,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        let now =
            UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)));
        let issuers = std::slice::from_ref(issuer);
        match usage {
            Usage::Client => self.clients.verify_client_cert(leaf, issuers, now).map(drop),
            Usage::Server => ParsedCertificate::try_from(leaf).and_then(|leaf| {
                let algorithms = self.provider.signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&leaf, &self.store, issuers, now, algorithms)
            }),
        }
        .map_err(VerifyError::Untrusted)
    }
}

fn in_time(peer: &PeerCertificate, now: Timestamp) -> Result<(), VerifyError> {
    let identity = || peer.identity.to_string();
    if now > peer.not_after {
        return Err(VerifyError::Expired { identity: identity(), not_after: peer.not_after });
    }
    if now < peer.not_before {
        return Err(VerifyError::NotYetValid { identity: identity(), not_before: peer.not_before });
    }
    Ok(())
}

/// webpki may have gone from the leaf straight to a root: the issuer that names the environment has to be the signer.
fn signed_by(
    leaf: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
    peer: &PeerCertificate,
) -> Result<(), VerifyError> {
    let issuer = parse::x509(issuer).map_err(VerifyError::Issuer)?;
    let leaf = parse::x509(leaf).map_err(VerifyError::Certificate)?;
    if !issuer.is_ca() {
        return Err(VerifyError::Issuer(ParseError::Authority));
    }
    let domain = domain_of(&issuer)?;
    if domain != *peer.identity.domain() {
        return Err(VerifyError::OtherIssuer { identity: peer.identity.to_string(), issuer: domain });
    }
    leaf.verify_signature(Some(issuer.public_key())).map_err(|_| VerifyError::Signature)
}

fn domain_of(issuer: &X509Certificate<'_>) -> Result<TrustDomain, VerifyError> {
    let uri = parse::only_uri(issuer).map_err(VerifyError::Issuer)?;
    TrustDomain::from_uri(uri).map_err(VerifyError::IssuerDomain)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
