//! Certificate requests (PKCS#10): made by who holds the key, checked by who signs. Only the key is taken from them.

use rcgen::{CertificateParams, DistinguishedName, SubjectPublicKeyInfo};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use super::{
    key::{KeyError, PrivateKey, SpkiDigest},
    parse::is_p256,
};
use crate::limits::MAX_CERTIFICATE_BYTES;

/// A request is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The key cannot be used.
    #[error("the certificate request cannot be made")]
    Key(#[source] KeyError),
    /// rcgen refused.
    #[error("the certificate request cannot be made")]
    Make(#[source] rcgen::Error),
    /// Not a PKCS#10 request, or too long.
    #[error(
        "the certificate request is not PKCS#10, DER, of at most {MAX_CERTIFICATE_BYTES} bytes; the other side is no tidegate, or damaged"
    )]
    Syntax,
    /// The key is of another kind.
    #[error("the certificate request holds another key than ECDSA P-256")]
    Kind,
    /// The requester does not hold the key.
    #[error(
        "the signature of the certificate request is wrong: who sent it does not hold its private key, or it was changed on the way"
    )]
    Signature,
}

/// A request whose sender was shown to hold the private key.
#[derive(Debug, Clone)]
pub struct CertificateRequest {
    der: Vec<u8>,
    spki: Vec<u8>,
}

impl CertificateRequest {
    /// Makes a request for a key. It names nobody: names come from the signer.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn new(key: &PrivateKey) -> Result<Self, RequestError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request =
            params.serialize_request(&key.pair().map_err(RequestError::Key)?).map_err(RequestError::Make)?;
        Self::from_der(request.der())
    }

    /// Reads a request and checks that its sender holds the key.
    ///
    /// # Errors
    /// The bytes are no request, the key is no ECDSA P-256 key, or the signature is wrong.
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(RequestError::Syntax);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Syntax)?;
        if !rest.is_empty() {
            return Err(RequestError::Syntax);
        }
        let spki = &request.certification_request_info.subject_pki;
        if !is_p256(spki) {
            return Err(RequestError::Kind);
        }
        request.verify_signature().map_err(|_| RequestError::Signature)?;
        Ok(Self { der: der.to_vec(), spki: spki.raw.to_vec() })
    }

    /// The bytes for the wire.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Names the key.
    pub fn spki_digest(&self) -> SpkiDigest {
        SpkiDigest::of(&self.spki)
    }

    pub(super) fn public_key(&self) -> Result<SubjectPublicKeyInfo, rcgen::Error> {
        SubjectPublicKeyInfo::from_der(&self.spki)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_carries_its_key() {
        let key = PrivateKey::generate().unwrap();
        let request = CertificateRequest::new(&key).unwrap();
        assert_eq!(CertificateRequest::from_der(request.der()).unwrap().spki_digest(), key.spki_digest());
    }

    #[test]
    fn a_request_without_the_key_is_refused() {
        let mine = CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap();
        let theirs = CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap();
        // Their key in my request: the signature is mine.
        let at = mine.der.windows(mine.spki.len()).position(|bytes| bytes == mine.spki).unwrap();
        let mut forged = mine.der.clone();
        forged[at..at + theirs.spki.len()].copy_from_slice(&theirs.spki);
        assert!(matches!(CertificateRequest::from_der(&forged), Err(RequestError::Signature)));
    }

    #[test]
    fn other_keys_and_other_bytes_are_refused() {
        for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384] {
            let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let der = CertificateParams::default().serialize_request(&pair).unwrap();
            assert!(matches!(CertificateRequest::from_der(der.der()), Err(RequestError::Kind)));
        }
        let mut long = CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap().der;
        long.push(0);
        assert!(matches!(CertificateRequest::from_der(&long), Err(RequestError::Syntax)));
        assert!(matches!(CertificateRequest::from_der(&vec![0x30; 20_000]), Err(RequestError::Syntax)));
    }

    #[test]
    fn a_change_never_brings_another_key_through() {
        // Bytes outside of what is signed (the tag of an algorithm's OID) may differ; the key may not.
        let request = CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap();
        proptest!(|(position in 0..request.der.len(), flip in 1_u8..)| {
            let mut der = request.der.clone();
            der[position] ^= flip;
            if let Ok(changed) = CertificateRequest::from_der(&der) {
                prop_assert_eq!(changed.spki_digest(), request.spki_digest());
            }
        });
    }
}
