//! The state directory on the workstation: certificates, secrets and what `up` remembers. It owns where files lie and
//! that they are replaced atomically; what stands in the certificates is `authority`'s.
//!
//! ```text
//! <state>/<fleet>/root.age                    root key, encrypted with a passphrase
//! <state>/<fleet>/root.pem                    root certificate
//! <state>/<fleet>/<environment>/issuer.key    PEM
//! <state>/<fleet>/<environment>/issuer.pem    issuer certificate
//! <state>/<fleet>/<environment>/users/<name>.key, <name>.pem
//! <state>/<fleet>/<environment>/enrolment.secret   hex; one-time tokens are derived from it
//! <state>/<fleet>/<environment>/ssh_ed25519, ssh_ed25519.pub
//! <state>/<fleet>/<environment>/inventory.json     see `inventory`
//! <state>/<fleet>/<environment>/up.journal         see `tidegate_saga::file`
//! <state>/<fleet>/<environment>/lock               held while a command changes something
//! ```
//!
//! Files are readable by their owner alone and replaced by rename, so a torn write leaves the old file.

mod atomic;
mod inventory;

use std::{
    fs::TryLockError,
    io,
    path::{Path, PathBuf},
};

pub use atomic::{private_directory, replace};
pub use inventory::{DropletRecord, Inventory};
use secrecy::SecretString;

use crate::{environ::Environ, names::Scope};

/// Where one environment's state lies.
#[derive(Debug, Clone)]
pub struct StateDir {
    fleet: PathBuf,
    environment: PathBuf,
}

/// State that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither flag nor variable nor platform says where.
    #[error("there is no place for state: give --state-dir or set TIDEGATE_STATE_DIR")]
    NoPlace,
    /// `init` was not run here.
    #[error("{} is not there: this workstation has no state of {scope}", path.display())]
    Missing {
        /// The file looked for.
        path: PathBuf,
        /// Whose state.
        scope: String,
    },
    /// A file cannot be read or written.
    #[error("state cannot be kept")]
    Io(#[from] io::Error),
    /// A file is not what it was written as.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: serde_json::Error,
    },
    /// Another command is changing this environment.
    #[error("another tidegate command is changing {0} on this machine")]
    Locked(String),
}

/// Held while a command changes something; let go when dropped or when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: fs_err::File,
}

/// The directory of all fleets: flag, variable, or the platform's place.
///
/// # Errors
/// When none of them is there.
pub fn root(flag: Option<&Path>, environ: &Environ) -> Result<PathBuf, StateError> {
    if let Some(path) = flag {
        return Ok(path.to_owned());
    }
    if let Some(path) = environ.get("TIDEGATE_STATE_DIR").or(environ.get("XDG_STATE_HOME")) {
        let own = environ.get("TIDEGATE_STATE_DIR").is_some();
        return Ok(if own { PathBuf::from(path) } else { Path::new(path).join("tidegate") });
    }
    let place = match std::env::consts::OS {
        "windows" => environ.get("LOCALAPPDATA").map(PathBuf::from),
        "macos" => environ.home().map(|home| home.join("Library").join("Application Support")),
        _ => environ.home().map(|home| home.join(".local").join("state")),
    };
    place.map(|place| place.join("tidegate")).ok_or(StateError::NoPlace)
}

impl StateDir {
    /// The state of one environment below the directory of all fleets.
    pub fn new(root: &Path, scope: &Scope) -> Self {
        let fleet = root.join(scope.fleet.as_str());
        Self { environment: fleet.join(scope.environment.as_str()), fleet }
    }

    /// The fleet's directory.
    pub fn fleet_dir(&self) -> &Path {
        &self.fleet
    }

    /// The environment's directory.
    pub fn environment_dir(&self) -> &Path {
        &self.environment
    }

    /// A file of the fleet.
    pub fn fleet_file(&self, name: &str) -> PathBuf {
        self.fleet.join(name)
    }

    /// A file of the environment.
    pub fn file(&self, name: &str) -> PathBuf {
        self.environment.join(name)
    }

    /// Reads a text that `init` wrote.
    ///
    /// # Errors
    /// [`StateError::Missing`] when `init` was not run here.
    pub fn read(&self, path: &Path, scope: &Scope) -> Result<String, StateError> {
        match fs_err::read_to_string(path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StateError::Missing { path: path.to_owned(), scope: scope.to_string() })
            }
            Err(error) => Err(StateError::Io(error)),
        }
    }

    /// The secret that one-time tokens are derived from.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn enrolment_secret(&self, scope: &Scope) -> Result<SecretString, StateError> {
        self.read(&self.file("enrolment.secret"), scope)
            .map(|text| SecretString::from(text.trim().to_owned()))
    }

    /// The fleet's own public ssh key.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn ssh_public_key(&self, scope: &Scope) -> Result<String, StateError> {
        self.read(&self.file("ssh_ed25519.pub"), scope).map(|text| text.trim().to_owned())
    }

    /// Keeps other commands on this machine from changing the environment.
    ///
    /// # Errors
    /// [`StateError::Locked`] when one is at it.
    pub fn lock(&self, scope: &Scope) -> Result<Lock, StateError> {
        let path = self.file("lock");
        let file = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
        match file.file().try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateError::Locked(scope.to_string())),
            Err(TryLockError::Error(error)) => Err(StateError::Io(error)),
        }
    }
}
