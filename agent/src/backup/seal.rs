//! To whom a backup is sealed, and by what it is opened: age's recipients and keys as values.
//!
//! Owns the choice of keys. Each backup is encrypted to the recipients whom the user names, and to one fresh key that the
//! agent holds only until it has verified the backup. Later the user's key unwraps the *file key* of one part elsewhere
//! ([`Header::unwrap_with`]), and only that comes to the droplet. Must not know streams (`pipe`) or where keys are kept.
//!
//! age draws file keys, nonces and fresh identities from the system's random numbers by itself: these are not injected.

mod header;
mod key;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use age::x25519;

pub(super) use self::header::LARGEST_HEADER;
pub use self::{
    header::{Header, HeaderError},
    key::{FileKey, KeyError, OneTimeKey, OpenKey},
};

/// The most recipients that a backup is sealed to: age's header grows with each.
pub const MOST_RECIPIENTS: usize = 32;

/// Who can open a backup: age public keys.
#[derive(Clone)]
pub struct Recipients {
    keys: Vec<x25519::Recipient>,
}

/// Why a list of recipients cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// A text is no public key.
    #[error(
        "recipient {number}, {text:?}, is no age public key ({reason}): it has to read `age1...`, as `age-keygen -y` \
         prints it"
    )]
    NotAKey {
        /// Which of them, from 1.
        number: usize,
        /// Its text, shortened.
        text: String,
        /// What age says of it.
        reason: &'static str,
    },
    /// A secret key.
    #[error(
        "recipient {number} is a secret key (AGE-SECRET-KEY-...), which must stay with its owner: name its public key, \
         which `age-keygen -y` prints, and consider the secret one known to others"
    )]
    SecretKey {
        /// Which of them, from 1.
        number: usize,
    },
    /// One of them twice.
    #[error("recipient {number}, {text:?}, is named twice")]
    Twice {
        /// Which of them, from 1.
        number: usize,
        /// Its text.
        text: String,
    },
    /// None.
    #[error("no recipient is named: without one nobody but this agent could open the backup")]
    None,
    /// Too many.
    #[error("{count} recipients are named, at most {MOST_RECIPIENTS} are possible")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl Recipients {
    /// Reads public keys, `age1...` each.
    ///
    /// # Errors
    /// When one is no public key or named twice, or there are none or too many.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, RecipientError> {
        let mut keys: Vec<x25519::Recipient> = Vec::new();
        for (index, text) in texts.into_iter().enumerate() {
            let key = read(index.saturating_add(1), text)?;
            if keys.iter().any(|other| other.to_string() == key.to_string()) {
                let number = index.saturating_add(1);
                return Err(RecipientError::Twice { number, text: key.to_string() });
            }
            keys.push(key);
        }
        match keys.len() {
            0 => Err(RecipientError::None),
            count if count > MOST_RECIPIENTS => Err(RecipientError::TooMany { count }),
            _ => Ok(Self { keys }),
        }
    }

    /// The keys as texts, as the manifest names them.
    pub fn texts(&self) -> Vec<String> {
        self.keys.iter().map(ToString::to_string).collect()
    }

    /// What encrypts to all of them and to the agent's own key.
    pub(super) fn encryptor(&self, own: &OneTimeKey) -> Result<age::Encryptor, age::EncryptError> {
        let own = own.public();
        let all = self.keys.iter().chain([&own]).map(|key| -> &dyn age::Recipient { key });
        age::Encryptor::with_recipients(all)
    }
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.texts()).finish()
    }
}

fn read(number: usize, text: &str) -> Result<x25519::Recipient, RecipientError> {
    if text.trim_start().to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        return Err(RecipientError::SecretKey { number });
    }
    x25519::Recipient::from_str(text).map_err(|reason| RecipientError::NotAKey {
        number,
        text: text.chars().take(80).collect(),
        reason,
    })
}
