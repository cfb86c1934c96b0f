//! Who can open a backup: age's x25519 recipients.

use std::fmt;

use bech32::{Bech32, Hrp, primitives::decode::CheckedHrpstring};

use crate::node::{Map, Node};
use crate::x_tidegate::reader::Reader;

/// The public half of an age key: `age1...`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient(String);

/// Why a text cannot be a recipient. The text itself is not told: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// The half that opens backups.
    #[error("this is a secret key, which opens the backups: it must not stand here")]
    Secret,
    /// A key of ssh.
    #[error("this is a key of ssh; only age's own are taken")]
    Ssh,
    /// Another kind of age recipient, or none.
    #[error("this is not an age recipient: it does not begin with `age1`")]
    Other,
    /// Its checksum does not fit, or a character cannot be in it.
    #[error("a character of this recipient is wrong or missing")]
    Damaged(#[source] Option<bech32::primitives::decode::CheckedHrpstringError>),
}

/// An x25519 public key has so many bytes.
const KEY_BYTES: usize = 32;

impl Recipient {
    /// Checks prefix, checksum and length.
    ///
    /// # Errors
    /// When it is not bech32 of 32 bytes with the prefix `age`.
    pub fn parse(text: &str) -> Result<Self, RecipientError> {
        if holds_secret(text) {
            return Err(RecipientError::Secret);
        }
        if text.starts_with("ssh-") || text.starts_with("sk-ssh-") {
            return Err(RecipientError::Ssh);
        }
        if !text.starts_with("age1") {
            return Err(RecipientError::Other);
        }
        let checked =
            CheckedHrpstring::new::<Bech32>(text).map_err(|error| RecipientError::Damaged(Some(error)))?;
        let is_age = Hrp::parse("age").is_ok_and(|hrp| checked.hrp() == hrp);
        if !is_age || checked.byte_iter().count() != KEY_BYTES {
            return Err(RecipientError::Damaged(None));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text has an age key in it that opens backups.
pub(in crate::x_tidegate) fn holds_secret(text: &str) -> bool {
    text.to_ascii_uppercase().contains("AGE-SECRET-KEY-")
}

impl fmt::Display for Recipient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Reader<'_> {
    pub(super) fn recipients(&mut self, map: &Map, (node, path): (&Node, &str)) -> Vec<Recipient> {
        let value = map.get("encrypt_to");
        let path = format!("{path}.encrypt_to");
        let is_empty = value.is_none_or(|value| value.as_list().is_some_and(<[Node]>::is_empty));
        if is_empty {
            let at = value.map_or(node.key, |value| value.at);
            let message = "nobody is named who can open the backups, and none is made in clear".to_owned();
            self.fail(at, &path, (message, Some(MAKE.to_owned())));
            return Vec::new();
        }
        let mut found = Vec::new();
        let items = value.and_then(|value| self.list(value, &path)).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}.{index}");
            let Some(text) = self.text(item, &path) else { continue };
            match Recipient::parse(&text) {
                Ok(recipient) if found.contains(&recipient) => {
                    let hint = Some("remove one of them".to_owned());
                    self.fail(item.at, &path, (format!("{recipient} is there twice"), hint));
                }
                Ok(recipient) => found.push(recipient),
                Err(error) => self.no_recipient(item, &path, &error),
            }
        }
        found
    }

    fn no_recipient(&mut self, item: &Node, path: &str, error: &RecipientError) {
        let hint = match error {
            RecipientError::Secret => {
                "write its public half, which `age-keygen -y FILE` prints; if others have seen this file, make a new key"
            }
            RecipientError::Damaged(_) => "copy it again; `age-keygen -y FILE` prints it from its key",
            RecipientError::Ssh | RecipientError::Other => MAKE,
        };
        self.fail(item.at, path, (error.to_string(), Some(hint.to_owned())));
    }
}

const MAKE: &str = "`age-keygen -o backup.key` makes a key: keep it away from the droplets, \
                    and write its public half here: `encrypt_to: [age1...]`";
