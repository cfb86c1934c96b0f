//! The keys of a backup, unwrapped on this machine: the secret key of a recipient opens the headers of a backup's parts, and
//! only what these hold, one file key per part, goes to the agent.
//!
//! Owns reading the identity file and the unwrapping. Must not know who is asked for headers, or what is done with the keys.

use std::{
    cell::RefCell,
    io::BufReader,
    path::{Path, PathBuf},
};

use age_core::format::{FileKey, Stanza};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

/// How an encrypted file of age begins.
const ENCRYPTED: &[u8] = b"age-encryption.org/";
/// No file of identities is larger.
const LARGEST: u64 = 1024 * 1024;

/// The secret keys of recipients.
pub struct Identities {
    path: PathBuf,
    all: Vec<Box<dyn age::Identity + Send + Sync>>,
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identities").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file.
    #[error("the file with the secret key cannot be read")]
    Read(#[source] std::io::Error),
    /// It is encrypted itself.
    #[error(
        "{} is encrypted: decrypt it first (`age -d {} > FILE`), and remove what that made afterwards",
        .0.display(), .0.display()
    )]
    Encrypted(PathBuf),
    /// No key in it.
    #[error("{} holds no secret key of age: a line of it has to begin with AGE-SECRET-KEY-1", .0.display())]
    None(PathBuf),
    /// Not what age writes.
    #[error("the agent sent what is no header of a backup's part {part}")]
    Header {
        /// The part.
        part: String,
        /// What age says.
        source: age::DecryptError,
    },
    /// Another one's.
    #[error(
        "no key in {} opens the backup: use that of one of its recipients, which `tidegate backup show` names",
        path.display()
    )]
    Wrong {
        /// The file.
        path: PathBuf,
    },
}

impl Identities {
    /// Reads a file as `age-keygen` writes it.
    ///
    /// # Errors
    /// When it cannot be read, is encrypted, or holds none.
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        let file = fs_err::File::open(path).map_err(KeysError::Read)?;
        let mut text = Zeroizing::new(Vec::new());
        std::io::Read::read_to_end(&mut std::io::Read::take(BufReader::new(file), LARGEST), &mut text)
            .map_err(KeysError::Read)?;
        if text.starts_with(ENCRYPTED) {
            return Err(KeysError::Encrypted(path.to_owned()));
        }
        let none = || KeysError::None(path.to_owned());
        let file = age::IdentityFile::from_buffer(text.as_slice()).map_err(|_| none())?;
        let all = file.into_identities().map_err(|_| none())?;
        if all.is_empty() {
            return Err(none());
        }
        Ok(Self { path: path.to_owned(), all })
    }

    /// The file key of one part, 16 bytes, from the beginning of what is stored of it.
    ///
    /// # Errors
    /// When that is no header, or no key opens it.
    pub fn unwrap(&self, part: &str, header: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        let broken = |source| KeysError::Header { part: part.to_owned(), source };
        let decryptor = age::Decryptor::new_buffered(header).map_err(broken)?;
        let listener = Listener { identities: &self.all, heard: RefCell::new(None) };
        let asked: &dyn age::Identity = &listener;
        match decryptor.decrypt(std::iter::once(asked)) {
            Ok(_) => listener.heard.take().ok_or_else(|| self.wrong()),
            Err(age::DecryptError::NoMatchingKeys) => Err(self.wrong()),
            Err(error) => Err(broken(error)),
        }
    }

    fn wrong(&self) -> KeysError {
        KeysError::Wrong { path: self.path.clone() }
    }
}

/// Opens what one of them opens, and notes the key; age proves by the header's authentication code that it is the right one.
struct Listener<'a> {
    identities: &'a [Box<dyn age::Identity + Send + Sync>],
    heard: RefCell<Option<Zeroizing<Vec<u8>>>>,
}

impl age::Identity for Listener<'_> {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        None
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
        let opened = self.identities.iter().find_map(|identity| identity.unwrap_stanzas(stanzas))?;
        if let Ok(key) = &opened {
            *self.heard.borrow_mut() = Some(Zeroizing::new(key.expose_secret().to_vec()));
        }
        Some(opened)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn identities(identity: &age::x25519::Identity) -> Identities {
        let text = format!("# created: today\n{}\n", identity.to_string().expose_secret());
        Identities::read(file(&text).path()).unwrap()
    }

    #[test]
    fn a_header_gives_its_file_key_to_a_recipient_alone() {
        let (ours, theirs) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let sealed = age::encrypt(&ours.to_public(), b"data").unwrap();
        let key = identities(&ours).unwrap("shop.dump", &sealed).unwrap();
        assert_eq!(key.len(), 16);
        let refused = identities(&theirs).unwrap("shop.dump", &sealed).unwrap_err();
        assert!(matches!(refused, KeysError::Wrong { .. }), "{refused}");
        let broken = identities(&ours).unwrap("shop.dump", b"nothing").unwrap_err();
        assert!(matches!(broken, KeysError::Header { .. }), "{broken}");
    }

    #[test]
    fn what_is_no_file_of_keys_is_refused_without_showing_it() {
        let secret = "AGE-SECRET-KEY-1QQQQ";
        for (text, told) in [
            ("age-encryption.org/v1\n-> scrypt", "is encrypted"),
            (secret, "holds no secret key"),
            ("# nothing\n", "holds no secret key"),
        ] {
            let refused = Identities::read(file(text).path()).unwrap_err().to_string();
            assert!(refused.contains(told) && !refused.contains("QQQQ"), "{refused}");
        }
        let missing = Identities::read(Path::new("no-such-file")).unwrap_err();
        assert!(format!("{:#}", anyhow::Error::from(missing)).contains("no-such-file"));
    }
}
