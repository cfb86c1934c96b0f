//! The roots that are trusted: a numbered bundle, replaced by one with a higher number that a root of the present bundle
//! signed.
//!
//! # Bytes
//! What is signed (ECDSA P-256 with SHA-256, ASN.1) and what the enrolment proof covers is a sequence of fields, each
//! preceded by its length as 8 bytes, big endian: the text `tidegate root bundle v1`, the number as 8 bytes, the count of
//! the roots as 8 bytes, then each root, DER. In files a bundle is the encoded message `tidegate.v1.RootBundle`.

use rcgen::SigningKey;
use rustls::{SignatureScheme, crypto::aws_lc_rs};
use rustls_pki_types::CertificateDer;

use super::{
    key::{KeyError, PrivateKey},
    parse,
};
use crate::{canonical::Canonical, limits::MAX_ROOTS, v1};

/// A bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// None, or too many.
    #[error("a bundle holds 1 to {MAX_ROOTS} roots; this one holds {found}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// One is no root.
    #[error("a certificate in the bundle of roots is no authority's")]
    NoRoot,
    /// The bundle is absent from the message.
    #[error("the message holds no bundle of roots")]
    Absent,
    /// The number does not rise.
    #[error(
        "the bundle of roots has number {found}, the present one {present}; only a higher number replaces it"
    )]
    Number {
        /// The number trusted now.
        present: u64,
        /// The number offered.
        found: u64,
    },
    /// No root of the present bundle signed it.
    #[error("no root that is trusted now signed the new bundle of roots")]
    Signature,
    /// The key cannot be used.
    #[error("the root's key cannot sign")]
    Key(#[source] KeyError),
    /// Signing failed.
    #[error("the bundle cannot be signed")]
    Sign(#[source] rcgen::Error),
}

/// The roots an agent or a controller trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootBundle {
    number: u64,
    roots: Vec<CertificateDer<'static>>,
}

impl RootBundle {
    /// Takes roots under a number. An agent that is not enrolled has the root from cloud-init under the number 0.
    ///
    /// # Errors
    /// There are none or too many, or one is no authority's certificate.
    pub fn new(number: u64, roots: Vec<CertificateDer<'static>>) -> Result<Self, RootsError> {
        if roots.is_empty() || roots.len() > MAX_ROOTS {
            return Err(RootsError::Count { found: roots.len() });
        }
        for root in &roots {
            let parsed = parse::x509(root).map_err(|_| RootsError::NoRoot)?;
            if !parsed.is_ca() || !parse::is_p256(parsed.public_key()) {
                return Err(RootsError::NoRoot);
            }
        }
        Ok(Self { number, roots })
    }

    /// Rises with every replacement.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The certificates.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// From the wire or a file.
    ///
    /// # Errors
    /// As [`RootBundle::new`], or the message is absent.
    pub fn from_proto(message: Option<v1::RootBundle>) -> Result<Self, RootsError> {
        let message = message.ok_or(RootsError::Absent)?;
        Self::new(message.number, message.roots.into_iter().map(CertificateDer::from).collect())
    }

    /// For the wire or a file.
    pub fn to_proto(&self) -> v1::RootBundle {
        v1::RootBundle { number: self.number, roots: self.roots.iter().map(|root| root.to_vec()).collect() }
    }

    /// Signs this bundle with the key of a root of the bundle it shall replace.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn sign(&self, old_root: &PrivateKey) -> Result<v1::SignedRootBundle, RootsError> {
        let pair = old_root.pair().map_err(RootsError::Key)?;
        let signature = pair.sign(&self.canonical_bytes()).map_err(RootsError::Sign)?;
        Ok(v1::SignedRootBundle { bundle: Some(self.to_proto()), signature })
    }

    /// Checks a bundle that is to replace this one.
    ///
    /// # Errors
    /// Its number is not higher, or no root of this bundle signed it.
    pub fn verify_update(&self, signed: v1::SignedRootBundle) -> Result<Self, RootsError> {
        let next = Self::from_proto(signed.bundle)?;
        if next.number <= self.number {
            return Err(RootsError::Number { present: self.number, found: next.number });
        }
        let message = next.canonical_bytes();
        if self.roots.iter().any(|root| verifies(root, &message, &signed.signature)) {
            Ok(next)
        } else {
            Err(RootsError::Signature)
        }
    }

    pub(crate) fn canonical_bytes(&self) -> Vec<u8> {
        Canonical::new("tidegate root bundle v1")
            .number(self.number)
            .list(self.roots.iter().map(AsRef::as_ref))
            .finish()
    }
}

fn verifies(root: &CertificateDer<'_>, message: &[u8], signature: &[u8]) -> bool {
    let Ok(parsed) = parse::x509(root) else {
        return false;
    };
    let point = &parsed.public_key().subject_public_key.data;
    let supported = aws_lc_rs::default_provider().signature_verification_algorithms;
    supported
        .mapping
        .iter()
        .filter(|(scheme, _)| *scheme == SignatureScheme::ECDSA_NISTP256_SHA256)
        .flat_map(|(_, algorithms)| algorithms.iter())
        .any(|algorithm| algorithm.verify_signature(point, message, signature).is_ok())
}

#[cfg(test)]
#[path = "roots_tests.rs"]
mod tests;
