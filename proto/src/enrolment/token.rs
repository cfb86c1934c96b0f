//! The one-time token and the secret it is derived from.

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{canonical::Canonical, identity::TrustDomain, names::IntentId};

const PREFIX: &str = "tidegate-enrol-1.";

/// A token or secret is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not the text form.
    #[error(
        "the enrolment token lacks its form (tidegate-enrol-1.<seconds>.<64 hexadecimal digits>); the droplet's user_data was changed or cut"
    )]
    Form,
    /// Not 32 bytes in hexadecimal.
    #[error("the enrolment secret is not 64 hexadecimal digits; restore the state directory from a backup")]
    Secret,
    /// Its time is over.
    #[error(
        "the enrolment token ran out at {expires_at}; run `tidegate up` again, which replaces a droplet that never enrolled"
    )]
    Expired {
        /// When.
        expires_at: Timestamp,
    },
    /// Not a time from 1970 on.
    #[error("the expiry of an enrolment token has to lie after 1970")]
    Time,
}

/// The secret of an environment that tokens are derived from: 32 random bytes.
#[derive(Clone)]
pub struct EnrolmentSecret(Arc<SecretBox<[u8; 32]>>);

impl EnrolmentSecret {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// The secret as text, to be stored with mode 0600 or encrypted.
    pub fn to_text(&self) -> SecretString {
        SecretString::from(hex::encode(self.0.expose_secret()))
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// The text is not 64 hexadecimal digits.
    pub fn from_text(text: &SecretString) -> Result<Self, TokenError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.expose_secret().trim(), &mut bytes).map_err(|_| TokenError::Secret)?;
        Ok(Self::new(bytes))
    }
}

impl fmt::Debug for EnrolmentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentSecret(hidden)")
    }
}

/// What lets one droplet enrol, until a fixed time.
#[derive(Clone)]
pub struct EnrolmentToken {
    key: Arc<SecretBox<[u8; 32]>>,
    expires_at: Timestamp,
}

impl EnrolmentToken {
    /// Derives the token of an intent. The expiry counts in whole seconds.
    ///
    /// # Errors
    /// The expiry lies before 1970.
    pub fn derive(
        secret: &EnrolmentSecret,
        domain: &TrustDomain,
        intent: &IntentId,
        expires_at: Timestamp,
    ) -> Result<Self, TokenError> {
        let seconds = u64::try_from(expires_at.as_second()).map_err(|_| TokenError::Time)?;
        let message = Canonical::new("tidegate enrolment token v1")
            .text(domain.fleet.as_str())
            .text(domain.environment.as_str())
            .text(intent.as_str())
            .number(seconds)
            .finish();
        let key = mac(secret.0.expose_secret(), &message).finalize().into_bytes().into();
        Ok(Self { key: Arc::new(SecretBox::new(Box::new(key))), expires_at: whole(seconds)? })
    }

    /// When it runs out.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether it can still be used.
    ///
    /// # Errors
    /// Its time is over.
    pub fn check(&self, now: Timestamp) -> Result<(), TokenError> {
        if now < self.expires_at { Ok(()) } else { Err(TokenError::Expired { expires_at: self.expires_at }) }
    }

    /// The text form, for `user_data`.
    pub fn to_text(&self) -> SecretString {
        let digits = Zeroizing::new(hex::encode(self.key.expose_secret()));
        SecretString::from(format!("{PREFIX}{}.{}", self.expires_at.as_second(), *digits))
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// The text lacks the form.
    pub fn from_text(text: &SecretString) -> Result<Self, TokenError> {
        let rest = text.expose_secret().strip_prefix(PREFIX).ok_or(TokenError::Form)?;
        let (seconds, digits) = rest.split_once('.').ok_or(TokenError::Form)?;
        let canonical = !seconds.starts_with('0') && seconds.bytes().all(|byte| byte.is_ascii_digit());
        if !canonical || digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(TokenError::Form);
        }
        let seconds = seconds.parse().map_err(|_| TokenError::Form)?;
        let mut key = [0; 32];
        hex::decode_to_slice(digits, &mut key).map_err(|_| TokenError::Form)?;
        Ok(Self {
            key: Arc::new(SecretBox::new(Box::new(key))),
            expires_at: whole(seconds).map_err(|_| TokenError::Form)?,
        })
    }

    pub(super) fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        mac(self.key.expose_secret(), message)
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

fn whole(seconds: u64) -> Result<Timestamp, TokenError> {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(TokenError::Time)
}

fn mac(key: &[u8; 32], message: &[u8]) -> Hmac<Sha256> {
    // A key of 32 bytes, shorter than its block, is used as it is.
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&padded(key).into());
    mac.update(message);
    mac
}

/// HMAC pads a short key with zeros to the block size itself; doing it here makes the key's type infallible.
fn padded(key: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    block
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
