//! The agent's keys and certificates on disk.
//!
//! Owns `/var/lib/tidegate/pki/` (0700), and reads the two files that cloud-init left. Must not judge what they hold.
//!
//! # Format
//! All files are 0600 and replaced atomically.
//! - `pending.pem`: the key made for the first certificate, until there is one.
//! - `identity.pem`: the key (PKCS#8), the agent's certificate, its issuer's; PEM, in this order.
//! - `roots.pb`: the message `tidegate.v1.RootBundle`.
//! - `revoked.crl`: the revocation list in force, DER; absent until there is one.
//! - `enrolment.json`: `{"version":1,"droplet_id":7,"serial":7,"enrolment_id":"...","enrolled_at":"...","token":"..."}`;
//!   `serial` is the machine's serial number (null when it had none), `token` the SHA-256 of the token in hex. Written
//!   last: an agent without it is not enrolled.
//! - `aside-<seconds>/`: the above of the droplet that this one is a copy of.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use fs_err as fs;
use jiff::Timestamp;
use prost::Message;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tidegate_proto::{
    certificates::{
        Chain, ChainError, KeyError, PrivateKey, RevocationError, RevocationList, RootBundle, RootsError,
    },
    names::DropletId,
    v1,
};

use crate::store::{ReplaceError, atomic_replace, sync_directory};

const VERSION: u32 = 1;
const DISK_TIMEOUT: Duration = Duration::from_secs(20);
const PENDING: &str = "pending.pem";
const IDENTITY: &str = "identity.pem";
const ROOTS: &str = "roots.pb";
const REVOKED: &str = "revoked.crl";
const ENROLMENT: &str = "enrolment.json";

/// Why the agent's keys could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The system said no.
    #[error("the agent's keys could not be read or moved")]
    Io(#[source] io::Error),
    /// A file could not be replaced.
    #[error("the agent's keys could not be stored")]
    Replace(#[source] ReplaceError),
    /// The record of the enrolment is damaged.
    #[error("{} is damaged: the agent would not know who it is", .path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The record was written by a newer agent.
    #[error(
        "the record of the enrolment has version {found}, this agent knows {VERSION}: install the newer agent again"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// A key is damaged.
    #[error("the agent's private key is damaged")]
    Key(#[source] KeyError),
    /// The certificate is damaged.
    #[error("the agent's certificate is damaged")]
    Chain(#[source] ChainError),
    /// The roots are damaged.
    #[error("the roots that the agent trusts are damaged")]
    Roots(#[source] RootsError),
    /// The message with the roots cannot be read.
    #[error("the roots that the agent trusts cannot be read")]
    Message(#[source] prost::DecodeError),
    /// The revocation list is damaged.
    #[error("the revocation list is damaged")]
    Revoked(#[source] RevocationError),
    /// The disk hangs, or the agent is shutting down.
    #[error("the disk did not answer: it is not known whether the change was stored")]
    InDoubt,
}

/// Who the agent became, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentRecord {
    version: u32,
    /// The droplet's id.
    pub droplet_id: DropletId,
    /// The machine's serial number then, if it could be an id.
    pub serial: Option<DropletId>,
    /// The random id of this enrolment.
    pub enrolment_id: String,
    /// When.
    pub enrolled_at: Timestamp,
    /// SHA-256 of the token's text, in hex: a token counts once.
    pub token: String,
}

impl EnrolmentRecord {
    /// A record in the present version.
    pub fn new(
        droplet_id: DropletId,
        serial: Option<DropletId>,
        enrolment_id: String,
        enrolled_at: Timestamp,
        token: String,
    ) -> Self {
        Self { version: VERSION, droplet_id, serial, enrolment_id, enrolled_at, token }
    }
}

/// All that an enrolled agent keeps.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Who the agent became.
    pub record: EnrolmentRecord,
    /// Its certificate and the issuer's.
    pub chain: Chain,
    /// The certificate's key.
    pub key: PrivateKey,
    /// Callers stand below one of these.
    pub roots: RootBundle,
    /// Callers on this list are refused.
    pub revoked: Option<RevocationList>,
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct PkiFiles {
    directory: PathBuf,
}

impl PkiFiles {
    /// Makes the directory when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(directory: PathBuf) -> Result<Self, PkiError> {
        use std::os::unix::fs::PermissionsExt;

        fs::create_dir_all(&directory).map_err(PkiError::Io)?;
        fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).map_err(PkiError::Io)?;
        Ok(Self { directory })
    }

    /// Runs `work` beside the async tasks, within 20 s: it waits for the disk.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, PkiError> + Send + 'static,
    ) -> Result<T, PkiError> {
        let files = self.clone();
        let task = tokio::task::spawn_blocking(move || work(&files));
        match tokio::time::timeout(DISK_TIMEOUT, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(PkiError::InDoubt),
        }
    }

    /// What an enrolled agent keeps; `None` when it is not enrolled.
    ///
    /// # Errors
    /// When something is there, but damaged.
    pub fn identity(&self) -> Result<Option<Identity>, PkiError> {
        let Some(record) = self.record()? else {
            return Ok(None);
        };
        let pem = SecretString::from(fs::read_to_string(self.path(IDENTITY)).map_err(PkiError::Io)?);
        let roots = fs::read(self.path(ROOTS)).map_err(PkiError::Io)?;
        let roots = v1::RootBundle::decode(roots.as_slice()).map_err(PkiError::Message)?;
        Ok(Some(Identity {
            record,
            chain: Chain::from_pem(pem.expose_secret()).map_err(PkiError::Chain)?,
            key: PrivateKey::from_pem(&pem).map_err(PkiError::Key)?,
            roots: RootBundle::from_proto(Some(roots)).map_err(PkiError::Roots)?,
            revoked: self.revoked()?,
        }))
    }

    /// The key for the first certificate: made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn pending_key(&self) -> Result<PrivateKey, PkiError> {
        match fs::read_to_string(self.path(PENDING)) {
            Ok(text) => PrivateKey::from_pem(&text.into()).map_err(PkiError::Key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = PrivateKey::generate().map_err(PkiError::Key)?;
                self.write(PENDING, key.to_pem().expose_secret().as_bytes())?;
                Ok(key)
            }
            Err(error) => Err(PkiError::Io(error)),
        }
    }

    /// Stores a new enrolment. The record is written last, so that a crash leaves it whole or absent.
    ///
    /// # Errors
    /// When a file cannot be written: the agent is not enrolled then.
    pub fn store(&self, identity: &Identity) -> Result<(), PkiError> {
        self.write(ROOTS, &identity.roots.to_proto().encode_to_vec())?;
        self.store_certificate(&identity.key, &identity.chain)?;
        let record = serde_json::to_vec(&identity.record)
            .map_err(|source| PkiError::Record { path: self.path(ENROLMENT), source })?;
        self.write(ENROLMENT, &record)?;
        match fs::remove_file(self.path(PENDING)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PkiError::Io(error)),
            _ => Ok(()),
        }
    }

    /// Stores another certificate with its key, both at once.
    ///
    /// # Errors
    /// When the file cannot be written; the former certificate stays.
    pub fn store_certificate(&self, key: &PrivateKey, chain: &Chain) -> Result<(), PkiError> {
        let mut pem = zeroize::Zeroizing::new(String::with_capacity(8 * 1024));
        pem.push_str(key.to_pem().expose_secret());
        pem.push_str(&chain.to_pem());
        self.write(IDENTITY, pem.as_bytes())
    }

    /// Stores another revocation list.
    ///
    /// # Errors
    /// When the file cannot be written; the former list stays.
    pub fn store_revoked(&self, list: &RevocationList) -> Result<(), PkiError> {
        self.write(REVOKED, list.der())
    }

    /// Moves everything into a directory of its own: it belongs to another droplet.
    ///
    /// # Errors
    /// When something cannot be moved. The record goes first, so that the agent is not that droplet's in any case.
    pub fn move_aside(&self, now: Timestamp) -> Result<PathBuf, PkiError> {
        let aside = self.directory.join(format!("aside-{}", now.as_second()));
        fs::create_dir_all(&aside).map_err(PkiError::Io)?;
        for name in [ENROLMENT, IDENTITY, PENDING, ROOTS, REVOKED] {
            match fs::rename(self.path(name), aside.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(PkiError::Io(error)),
                _ => {}
            }
        }
        sync_directory(&aside).and_then(|()| sync_directory(&self.directory)).map_err(PkiError::Io)?;
        Ok(aside)
    }

    /// Whether a token was used for an enrolment that was moved aside.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn was_used(&self, token: &str) -> Result<bool, PkiError> {
        for entry in fs::read_dir(&self.directory).map_err(PkiError::Io)? {
            let path = entry.map_err(PkiError::Io)?.path().join(ENROLMENT);
            // A damaged record of another droplet is no reason to refuse.
            if read_record(&path).is_ok_and(|record| record.is_some_and(|record| record.token == token)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who the agent of this directory became, for a process that is not the agent; `None` when it is not enrolled.
    ///
    /// # Errors
    /// When the record is there, but damaged.
    pub fn record_in(directory: &Path) -> Result<Option<EnrolmentRecord>, PkiError> {
        read_record(&directory.join(ENROLMENT))
    }

    fn record(&self) -> Result<Option<EnrolmentRecord>, PkiError> {
        read_record(&self.path(ENROLMENT))
    }

    fn revoked(&self) -> Result<Option<RevocationList>, PkiError> {
        match fs::read(self.path(REVOKED)) {
            Ok(der) => RevocationList::from_own_der(&der).map(Some).map_err(PkiError::Revoked),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PkiError::Io(error)),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), PkiError> {
        atomic_replace(&self.path(name), content, 0o600).map_err(PkiError::Replace)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn read_record(path: &Path) -> Result<Option<EnrolmentRecord>, PkiError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let text = match fs::read(path) {
        Ok(text) => text,
        // Not a directory: `was_used` looks beside files too.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(PkiError::Io(error)),
    };
    let damaged = |source| PkiError::Record { path: path.to_owned(), source };
    let Version { version } = serde_json::from_slice(&text).map_err(damaged)?;
    if version != VERSION {
        return Err(PkiError::Version { found: version });
    }
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}
