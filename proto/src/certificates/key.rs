//! Private keys (PKCS#8, wiped when dropped), serial numbers, and the digest that names a public key.

use std::{fmt, str::FromStr};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::pem;

/// A key cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// aws-lc could not make one.
    #[error("no private key could be made")]
    Generate(#[source] rcgen::Error),
    /// Not PEM with a PKCS#8 block.
    #[error(
        "the text holds no private key in PEM (BEGIN PRIVATE KEY); restore the file from a backup or make a new key"
    )]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// Not an ECDSA P-256 key.
    #[error("the private key is no ECDSA P-256 key in PKCS#8, the only kind tidegate makes")]
    Kind(#[source] rcgen::Error),
}

/// An ECDSA P-256 key.
#[derive(Clone)]
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    spki: SpkiDigest,
}

impl PrivateKey {
    /// Makes a key from the operating system's randomness.
    ///
    /// # Errors
    /// There is none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(KeyError::Generate)?;
        let key = Self { pkcs8: Zeroizing::new(pair.serialized_der().to_vec()), spki: digest_of(&pair) };
        pair.zeroize();
        Ok(key)
    }

    /// Reads a key from PEM.
    ///
    /// # Errors
    /// The text holds no PKCS#8 key, or one of another kind.
    pub fn from_pem(text: &SecretString) -> Result<Self, KeyError> {
        let der =
            PrivatePkcs8KeyDer::from_pem_slice(text.expose_secret().as_bytes()).map_err(KeyError::Pem)?;
        let mut pair =
            KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).map_err(KeyError::Kind)?;
        let key = Self { pkcs8: Zeroizing::new(der.secret_pkcs8_der().to_vec()), spki: digest_of(&pair) };
        pair.zeroize();
        Ok(key)
    }

    /// The key as PEM, to be stored with mode 0600 or encrypted.
    pub fn to_pem(&self) -> SecretString {
        SecretString::from(pem::encode("PRIVATE KEY", &self.pkcs8))
    }

    /// Names the public half.
    pub fn spki_digest(&self) -> SpkiDigest {
        self.spki
    }

    /// For rcgen; the caller drops it soon.
    pub(super) fn pair(&self) -> Result<Pair, KeyError> {
        let der = PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).map(Pair).map_err(KeyError::Kind)
    }

    /// For rustls, which keeps its own copy as long as the configuration lives.
    pub(crate) fn pkcs8(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.to_vec())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("spki", &self.spki).finish_non_exhaustive()
    }
}

/// rcgen's key, wiped when dropped (rcgen leaves that to its users).
pub(super) struct Pair(KeyPair);

impl Drop for Pair {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl rcgen::PublicKeyData for Pair {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl rcgen::SigningKey for Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

fn digest_of(pair: &KeyPair) -> SpkiDigest {
    SpkiDigest::of(&pair.subject_public_key_info())
}

/// SHA-256 of a `SubjectPublicKeyInfo`, DER: the name of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpkiDigest([u8; 32]);

impl SpkiDigest {
    /// Of a `SubjectPublicKeyInfo`, DER.
    pub fn of(spki_der: &[u8]) -> Self {
        Self(Sha256::digest(spki_der).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 32 bytes that were stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for SpkiDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SpkiDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpkiDigest({self})")
    }
}

impl FromStr for SpkiDigest {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// No serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a certificate's serial number has 1 to 20 bytes, in hexadecimal digits, and is not 0")]
pub struct SerialError;

/// A certificate's serial number: big endian, without leading zeros. Random, so unique over all issuers of a fleet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// From random bytes.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        // X.509 serials are positive (first bit 0); the second bit keeps all of them 16 bytes long.
        if let Some(first) = bytes.first_mut() {
            *first = (*first & 0x3f) | 0x40;
        }
        Self(bytes.to_vec())
    }

    pub(super) fn from_der(bytes: &[u8]) -> Result<Self, SerialError> {
        let start = bytes.iter().position(|byte| *byte != 0).ok_or(SerialError)?;
        match bytes.get(start..) {
            Some(digits) if digits.len() <= 20 => Ok(Self(digits.to_vec())),
            _ => Err(SerialError),
        }
    }

    pub(super) fn to_rcgen(&self) -> rcgen::SerialNumber {
        rcgen::SerialNumber::from_slice(&self.0)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl FromStr for Serial {
    type Err = SerialError;
    fn from_str(text: &str) -> Result<Self, SerialError> {
        Self::from_der(&hex::decode(text).map_err(|_| SerialError)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_pem() {
        let key = PrivateKey::generate().unwrap();
        let again = PrivateKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(again.spki_digest(), key.spki_digest());
        assert_eq!(again.to_pem().expose_secret(), key.to_pem().expose_secret());
        assert_ne!(PrivateKey::generate().unwrap().spki_digest(), key.spki_digest());
    }

    #[test]
    fn debug_output_hides_the_key() {
        let key = PrivateKey::generate().unwrap();
        let shown = format!("{key:?}");
        let digits = hex::encode(key.pkcs8.as_slice());
        assert!(!shown.contains(digits.get(40..80).unwrap()) && shown.len() < 120, "{shown}");
    }

    #[test]
    fn other_keys_are_refused() {
        let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        assert!(matches!(PrivateKey::from_pem(&ed25519.into()), Err(KeyError::Kind(_))));
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        assert!(matches!(PrivateKey::from_pem(&p384.into()), Err(KeyError::Kind(_))));
        assert!(matches!(PrivateKey::from_pem(&"no key".into()), Err(KeyError::Pem(_))));
    }

    #[test]
    fn serials_are_positive_and_of_one_length() {
        for byte in [0, 0xff] {
            let serial = Serial::from_random([byte; 16]);
            assert_eq!(serial.0.len(), 16);
            assert!(serial.0[0] < 0x80 && serial.0[0] != 0);
            assert_eq!(serial.to_string().parse::<Serial>().unwrap(), serial);
        }
        for bad in ["", "00", "zz", "010203040506070809101112131415161718192021"] {
            assert!(bad.parse::<Serial>().is_err(), "{bad}");
        }
    }
}
