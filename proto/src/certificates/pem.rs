//! PEM text of certificates and keys, with line feeds on every platform.

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::limits::MAX_CERTIFICATE_BYTES;

/// No certificates in PEM.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// A block is damaged, or there is none.
    #[error("the text holds no certificate in PEM (BEGIN CERTIFICATE)")]
    Syntax(#[source] rustls_pki_types::pem::Error),
    /// Another count than asked for, or one that is too long.
    #[error(
        "the text holds {found} certificates, or one above {MAX_CERTIFICATE_BYTES} bytes; {wanted} was expected"
    )]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: &'static str,
    },
}

const MAX_BLOCKS: usize = 16;

pub(super) fn encode(label: &str, der: &[u8]) -> String {
    const LINE: usize = 64;
    let mut text = format!("-----BEGIN {label}-----\n");
    // Whole lines at once: 48 bytes give 64 characters. The capacity avoids copies of keys left behind by growth.
    text.reserve(der.len() * 3 / 2 + 2 * LINE);
    for line in der.chunks(LINE / 4 * 3) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// A certificate as PEM.
pub fn certificate_to_pem(certificate: &CertificateDer<'_>) -> String {
    encode("CERTIFICATE", certificate)
}

/// All certificates in a text, in order; at most 16.
///
/// # Errors
/// A block is damaged, there is none, or there are too many.
pub fn certificates_from_pem(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
        .take(MAX_BLOCKS + 1)
        .collect::<Result<_, _>>()
        .map_err(PemError::Syntax)?;
    let fits = certificates.iter().all(|certificate| certificate.len() <= MAX_CERTIFICATE_BYTES);
    match certificates.len() {
        1..=MAX_BLOCKS if fits => Ok(certificates),
        found => Err(PemError::Count { found, wanted: "1 to 16" }),
    }
}

/// The only certificate in a text.
///
/// # Errors
/// A block is damaged, or there is not exactly one.
pub fn certificate_from_pem(text: &str) -> Result<CertificateDer<'static>, PemError> {
    let mut certificates = certificates_from_pem(text)?;
    match (certificates.pop(), certificates.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => Err(PemError::Count { found: others + 1, wanted: "one" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_survive_pem() {
        for length in [1, 47, 48, 49, 1000] {
            let der = CertificateDer::from(vec![7_u8; length]);
            let text = certificate_to_pem(&der);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(certificate_from_pem(&text).unwrap(), der);
        }
    }

    #[test]
    fn none_or_two_are_not_one() {
        let text = certificate_to_pem(&CertificateDer::from(vec![7_u8; 30]));
        assert!(certificate_from_pem("").is_err());
        assert!(certificate_from_pem(&format!("{text}{text}")).is_err());
        assert!(certificates_from_pem(&text.repeat(17)).is_err());
        assert!(certificate_from_pem(&text.replace("Bw", "!!")).is_err());
    }
}
