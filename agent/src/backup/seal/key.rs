//! The keys that open a backup. They hold secrecy: no `Debug`, no text but by asking for it.

use age::x25519;
use age_core::format::Stanza;
use secrecy::{ExposeSecret as _, SecretString};

/// Length of an age file key.
const FILE_KEY_BYTES: usize = age_core::format::FILE_KEY_BYTES;

/// A key that was made for one backup, held by the agent until that backup is verified.
#[derive(Clone)]
pub struct OneTimeKey(x25519::Identity);

/// The key that one part's data is encrypted with; whoever holds a recipient's secret key unwraps it from the header.
pub struct FileKey(age_core::format::FileKey);

/// What a part is opened with.
#[derive(Debug)]
pub enum OpenKey {
    /// The agent's own, from its database.
    OneTime(OneTimeKey),
    /// A part's file key, from whoever could unwrap it.
    File(FileKey),
}

/// Why a text or bytes are no key. The text is not told: it may be a secret with a typing error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No secret key of age.
    #[error(
        "the stored key of this backup is no age secret key ({reason}): open the backup with a recipient's key"
    )]
    NotAKey {
        /// What age says of it.
        reason: &'static str,
    },
    /// Of another length.
    #[error("a file key has {found} bytes, it has to have {FILE_KEY_BYTES}: unwrap it again")]
    Length {
        /// How many it has.
        found: usize,
    },
}

impl OneTimeKey {
    /// A fresh one.
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// Reads what [`OneTimeKey::secret`] gave.
    ///
    /// # Errors
    /// When the text is no age secret key.
    pub fn parse(secret: &SecretString) -> Result<Self, KeyError> {
        let key = secret.expose_secret().parse();
        key.map(Self).map_err(|reason| KeyError::NotAKey { reason })
    }

    /// As text, for the agent's database alone.
    pub fn secret(&self) -> SecretString {
        self.0.to_string()
    }

    pub(super) fn public(&self) -> x25519::Recipient {
        self.0.to_public()
    }
}

impl std::fmt::Debug for OneTimeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneTimeKey(..)")
    }
}

impl FileKey {
    /// Takes an unwrapped key, 16 bytes. The caller wipes its own copy.
    ///
    /// # Errors
    /// When it has another length.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let error = KeyError::Length { found: bytes.len() };
        let key: &[u8; FILE_KEY_BYTES] = bytes.try_into().map_err(|_| error)?;
        Ok(Self(age_core::format::FileKey::init_with_mut(|place| place.copy_from_slice(key))))
    }

    /// The bytes, to be sent to the agent that opens the part.
    pub fn expose(&self) -> &[u8; FILE_KEY_BYTES] {
        self.0.expose_secret()
    }

    pub(super) fn from_age(key: age_core::format::FileKey) -> Self {
        Self(key)
    }
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(..)")
    }
}

/// Answers for any header with the file key that is already known; age checks it by the header's authentication code.
impl age::Identity for FileKey {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<age_core::format::FileKey, age::DecryptError>> {
        let copy = age_core::format::FileKey::init_with_mut(|place| place.copy_from_slice(self.expose()));
        Some(Ok(copy))
    }
}

impl OpenKey {
    /// As age takes it.
    pub(in crate::backup) fn identity(&self) -> &dyn age::Identity {
        match self {
            Self::OneTime(key) => &key.0,
            Self::File(key) => key,
        }
    }
}
