//! How much there is and what it hashes to: byte counts and SHA-256 digests as values.
//!
//! Owns their text forms and the counting. Must not know whose bytes they are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteCount(u64);

impl ByteCount {
    /// That many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// That many times 1024 * 1024 bytes.
    pub const fn mebibytes(count: u64) -> Self {
        Self(count.saturating_mul(1024 * 1024))
    }

    /// The length of something in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or the largest number there is.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The number for lengths in memory; the largest there is where it does not fit.
    pub fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

/// A SHA-256 digest; as text 64 small hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest has to be 64 small hexadecimal digits")]
pub struct DigestError;

impl Sha256Digest {
    /// The digest of something in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError)?;
        // One spelling: a changed letter has to be noticed.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Err(DigestError) } else { Ok(Self(bytes)) }
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

/// What went past: how much, and its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// How many bytes.
    pub bytes: ByteCount,
    /// Their SHA-256.
    pub sha256: Sha256Digest,
}

impl Measure {
    /// The measure of something in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: ByteCount::of(bytes), sha256: Sha256Digest::of(bytes) }
    }
}

/// Measures what goes past.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    bytes: ByteCount,
    hasher: Sha256,
}

impl Meter {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.plus(ByteCount::of(bytes));
        self.hasher.update(bytes);
    }

    pub(super) fn bytes(&self) -> ByteCount {
        self.bytes
    }

    /// What went past until now.
    pub(super) fn measure(&self) -> Measure {
        Measure { bytes: self.bytes, sha256: Sha256Digest(self.hasher.clone().finalize().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_past_in_pieces_measures_as_in_one() {
        let mut meter = Meter::default();
        meter.update(b"back");
        assert_eq!(meter.measure(), Measure::of(b"back"));
        meter.update(b"up");
        assert_eq!(meter.measure(), Measure::of(b"backup"));
        assert_eq!(meter.bytes(), ByteCount::new(6));
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Sha256Digest::of(b"");
        let text = digest.to_string();
        assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(text.parse(), Ok(digest));
        for bad in ["", "e3b0", &text.to_uppercase(), &format!("{text}0"), &text.replace('e', "g")] {
            assert_eq!(bad.parse::<Sha256Digest>(), Err(DigestError), "{bad}");
        }
    }
}
