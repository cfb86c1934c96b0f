//! The beginning of a stored part: age's header, with the file key wrapped for each recipient.
//!
//! Owns reading it where the data is not at hand: whoever holds a recipient's secret key gets this, and gives back the file
//! key alone. Must not know who that is.

use std::{cell::RefCell, fmt};

use age_core::format::Stanza;

use super::FileKey;
use crate::backup::ByteCount;

/// No header of ours is larger: one line of some hundred bytes per recipient.
pub(in crate::backup) const LARGEST_HEADER: ByteCount = ByteCount::new(64 * 1024);

/// A stored part's header.
pub struct Header {
    bytes: Vec<u8>,
    stanzas: Vec<Stanza>,
}

/// Why there is no header, or no file key in it.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// No header.
    #[error("this is not the beginning of a stored part: age finds no header in it")]
    NotAge(#[source] age::DecryptError),
    /// Not for this key.
    #[error(
        "the part is not sealed to this key: use the secret key of one of the recipients that the manifest names"
    )]
    WrongKey,
    /// The key's stanza is damaged.
    #[error("the part's header is damaged: use another copy of the backup")]
    Damaged(#[source] age::DecryptError),
}

impl Header {
    /// Reads the header from a stored part's first bytes; what follows it is not looked at.
    ///
    /// # Errors
    /// When they do not begin with a whole header.
    pub fn of(bytes: &[u8]) -> Result<Self, HeaderError> {
        let within = bytes.get(..LARGEST_HEADER.to_usize()).unwrap_or(bytes);
        let mut rest = within;
        let stanzas = {
            let decryptor = age::Decryptor::new_buffered(&mut rest).map_err(HeaderError::NotAge)?;
            let listener = Listener::default();
            let asked: &dyn age::Identity = &listener;
            // It answers to no stanza: that the key does not fit is what is expected.
            drop(decryptor.decrypt(std::iter::once(asked)));
            listener.heard.into_inner()
        };
        let length = within.len().saturating_sub(rest.len());
        Ok(Self { bytes: within.get(..length).unwrap_or_default().to_vec(), stanzas })
    }

    /// Its bytes with age's nonce, as [`Header::of`] reads them: what is sent to the holder of a key.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The wrapped keys.
    pub fn stanzas(&self) -> &[Stanza] {
        &self.stanzas
    }

    /// The file key, by the secret key of a recipient.
    ///
    /// # Errors
    /// When the part is not sealed to that key, or the header is damaged.
    pub fn unwrap_with(&self, identity: &dyn age::Identity) -> Result<FileKey, HeaderError> {
        match identity.unwrap_stanzas(&self.stanzas) {
            Some(Ok(key)) => Ok(FileKey::from_age(key)),
            Some(Err(error)) => Err(HeaderError::Damaged(error)),
            None => Err(HeaderError::WrongKey),
        }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("stanzas", &self.stanzas.len()).finish_non_exhaustive()
    }
}

/// An identity that opens nothing and notes what it is asked.
#[derive(Default)]
struct Listener {
    heard: RefCell<Vec<Stanza>>,
}

impl age::Identity for Listener {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<age_core::format::FileKey, age::DecryptError>> {
        None
    }

    fn unwrap_stanzas(
        &self,
        stanzas: &[Stanza],
    ) -> Option<Result<age_core::format::FileKey, age::DecryptError>> {
        let copy = |stanza: &Stanza| Stanza {
            tag: stanza.tag.clone(),
            args: stanza.args.clone(),
            body: stanza.body.clone(),
        };
        *self.heard.borrow_mut() = stanzas.iter().map(copy).collect();
        None
    }
}
