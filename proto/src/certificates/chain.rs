//! A chain as it goes over the wire and into files: exactly a leaf and its issuer.

use rustls_pki_types::CertificateDer;

use super::pem::{self, PemError};
use crate::limits::MAX_CERTIFICATE_BYTES;

/// No chain of leaf and issuer.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Another count than two.
    #[error("a certificate chain has to hold exactly a leaf and its issuer; this one holds {found}")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// One is too long.
    #[error("a certificate of the chain has more than {MAX_CERTIFICATE_BYTES} bytes")]
    TooLong,
    /// The text is no PEM.
    #[error("the certificate chain cannot be read")]
    Pem(#[source] PemError),
}

/// A leaf and the issuer that signed it. That they belong together is for [`super::ChainVerifier`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The agent's or user's certificate.
    pub leaf: CertificateDer<'static>,
    /// The environment's issuer.
    pub issuer: CertificateDer<'static>,
}

impl Chain {
    /// From the wire: leaf first.
    ///
    /// # Errors
    /// There are not exactly two, or one is too long.
    pub fn from_ders(ders: Vec<Vec<u8>>) -> Result<Self, ChainError> {
        Self::from_certificates(ders.into_iter().map(CertificateDer::from).collect())
    }

    /// For the wire: leaf first.
    pub fn to_ders(&self) -> Vec<Vec<u8>> {
        vec![self.leaf.to_vec(), self.issuer.to_vec()]
    }

    /// From PEM: leaf first.
    ///
    /// # Errors
    /// The text does not hold exactly two certificates.
    pub fn from_pem(text: &str) -> Result<Self, ChainError> {
        Self::from_certificates(pem::certificates_from_pem(text).map_err(ChainError::Pem)?)
    }

    /// As PEM: leaf first.
    pub fn to_pem(&self) -> String {
        pem::certificate_to_pem(&self.leaf) + &pem::certificate_to_pem(&self.issuer)
    }

    /// From certificates as TLS gives them: leaf first.
    ///
    /// # Errors
    /// There are not exactly two, or one is too long.
    pub fn from_certificates(certificates: Vec<CertificateDer<'static>>) -> Result<Self, ChainError> {
        if certificates.iter().any(|certificate| certificate.len() > MAX_CERTIFICATE_BYTES) {
            return Err(ChainError::TooLong);
        }
        let found = certificates.len();
        let [leaf, issuer] = <[_; 2]>::try_from(certificates).map_err(|_| ChainError::Length { found })?;
        Ok(Self { leaf, issuer })
    }

    /// As TLS and [`super::ChainVerifier`] take them: leaf first.
    pub fn to_certificates(&self) -> Vec<CertificateDer<'static>> {
        vec![self.leaf.clone(), self.issuer.clone()]
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
