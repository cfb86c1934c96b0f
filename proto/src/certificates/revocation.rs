//! The list of revoked certificates: an X.509 CRL (version 2) signed by an issuer of the environment, with a number that
//! only rises and no hard end: an old list is better than none, so its next-update time is ignored.
//!
//! A serial number on the list is refused whichever issuer of the environment signed the certificate; serial numbers are
//! random, and issuers follow each other every year. In files a list is its DER.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList};

use super::{
    asn1_time,
    authority::{self, Issuer},
    issue_error::IssueError,
    key::Serial,
    verify::{ChainVerifier, VerifyError},
};
use crate::{identity::TrustDomain, limits::MAX_REVOCATION_LIST_BYTES};

/// A revocation list is refused.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// The issuer cannot sign.
    #[error("the revocation list cannot be signed")]
    Issuer(#[source] IssueError),
    /// rcgen refused.
    #[error("the revocation list cannot be made")]
    Make(#[source] rcgen::Error),
    /// A time X.509 cannot say.
    #[error("the time is outside of what a revocation list can say")]
    Time,
    /// No CRL.
    #[error(
        "the revocation list is no X.509 CRL, DER, of at most {MAX_REVOCATION_LIST_BYTES} bytes, with a number"
    )]
    Syntax,
    /// The signer is not trusted.
    #[error("the issuer that should have signed the revocation list is not trusted")]
    Signer(#[source] VerifyError),
    /// The signature is wrong.
    #[error("no trusted issuer of {domain} signed the revocation list")]
    Signature {
        /// The environment.
        domain: TrustDomain,
    },
    /// The number does not rise.
    #[error(
        "the revocation list has number {found}, the one in force {present}; only a higher number replaces it"
    )]
    Number {
        /// The number in force.
        present: u64,
        /// The number offered.
        found: u64,
    },
}

/// A certificate that is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Which.
    pub serial: Serial,
    /// Since when.
    pub at: Timestamp,
}

/// A list of revoked certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    number: u64,
    serials: BTreeSet<Serial>,
    der: Vec<u8>,
}

impl RevocationList {
    /// Makes and signs a list. It has to hold all that are revoked and not expired, not only the new ones.
    ///
    /// # Errors
    /// The issuer cannot sign, or a time is out of range.
    pub fn issue(
        issuer: &Issuer,
        number: u64,
        revoked: &[Revoked],
        now: Timestamp,
    ) -> Result<Self, RevocationError> {
        let time = |at: Timestamp| asn1_time(at).map(|at| at.to_datetime()).ok_or(RevocationError::Time);
        let next = now.checked_add(authority::ROOT_LIFE).map_err(|_| RevocationError::Time)?;
        let revoked_certs = revoked
            .iter()
            .map(|revoked| {
                Ok(RevokedCertParams {
                    serial_number: revoked.serial.to_rcgen(),
                    revocation_time: time(revoked.at)?,
                    reason_code: Some(RevocationReason::PrivilegeWithdrawn),
                    invalidity_date: None,
                })
            })
            .collect::<Result<_, RevocationError>>()?;
        let params = CertificateRevocationListParams {
            this_update: time(now)?,
            next_update: time(next)?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signer =
            authority::signer(issuer.certificate(), issuer.key()).map_err(RevocationError::Issuer)?;
        Self::from_own_der(params.signed_by(&signer).map_err(RevocationError::Make)?.der())
    }

    /// Reads a list that this side verified before and stored itself: no signature is checked.
    ///
    /// # Errors
    /// The bytes are no revocation list.
    pub fn from_own_der(der: &[u8]) -> Result<Self, RevocationError> {
        let parsed = parse(der)?;
        let number = parsed
            .crl_number()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or(RevocationError::Syntax)?;
        let serials = parsed
            .iter_revoked_certificates()
            .map(|revoked| Serial::from_der(revoked.raw_serial()).map_err(|_| RevocationError::Syntax))
            .collect::<Result<_, _>>()?;
        Ok(Self { number, serials, der: der.to_vec() })
    }

    /// Reads a list from outside: one of the issuers, which has to be the domain's and below a trusted root, signed it.
    /// A natural choice of issuers is that of the agent's own chain and that of the caller's.
    ///
    /// # Errors
    /// The bytes are no revocation list, or no such issuer signed it.
    pub fn verify(
        der: &[u8],
        issuers: &[&CertificateDer<'_>],
        verifier: &ChainVerifier,
        domain: &TrustDomain,
    ) -> Result<Self, RevocationError> {
        let parsed = parse(der)?;
        let mut refusal = RevocationError::Signature { domain: domain.clone() };
        for issuer in issuers {
            match verifier.verify_issuer(issuer, domain) {
                Ok(certificate) if parsed.verify_signature(certificate.public_key()).is_ok() => {
                    return Self::from_own_der(der);
                }
                Ok(_) => {}
                Err(error) => refusal = RevocationError::Signer(error),
            }
        }
        Err(refusal)
    }

    /// Whether this list may take the place of the one in force.
    ///
    /// # Errors
    /// Its number is not higher. The very same list is fine.
    pub fn check_replaces(&self, present: Option<&Self>) -> Result<(), RevocationError> {
        match present {
            Some(present) if present.number >= self.number && present != self => {
                Err(RevocationError::Number { present: present.number, found: self.number })
            }
            _ => Ok(()),
        }
    }

    /// Rises with every list of the environment.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether a certificate is on the list.
    pub fn contains(&self, serial: &Serial) -> bool {
        self.serials.contains(serial)
    }

    /// The bytes for the wire and for a file.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

fn parse(der: &[u8]) -> Result<CertificateRevocationList<'_>, RevocationError> {
    if der.len() > MAX_REVOCATION_LIST_BYTES {
        return Err(RevocationError::Syntax);
    }
    match CertificateRevocationList::from_der(der) {
        Ok(([], list)) => Ok(list),
        _ => Err(RevocationError::Syntax),
    }
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
