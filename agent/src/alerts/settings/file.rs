//! The file that keeps the settings, where the timer's process finds them when the agent is dead.
//!
//! # Format
//! `alerts.json` in the agent's state directory, 0600, replaced atomically. It holds what opens the receivers: addresses of
//! webhooks, the mail server's password, signing keys. In version 1:
//!
//! ```json
//! {"version": 1, "fleet": "shop", "environment": "production", "enrolment": "8c1d...", "request": "CgoKB3..."}
//! ```
//!
//! `request` is the message `tidegate.v1.SetAlertsRequest` as it was sent, in base64; `enrolment` the id of the enrolment
//! during which it came. What belongs to another enrolment, as on a copy of the droplet, counts as not there. A file of another
//! version or form is an error, and is left as it is: then nobody is told, which the check `host.alerts` says.

use std::{io, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fs_err as fs;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use tidegate_proto::v1::SetAlertsRequest;
use zeroize::Zeroizing;

use super::{AlertSettings, SettingsError};
use crate::store::{ReplaceError, atomic_replace};

const VERSION: u32 = 1;
const NAME: &str = "alerts.json";
/// 32 receivers with all that they may have are far below.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Whose alerts these are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// The fleet.
    pub fleet: String,
    /// Its environment.
    pub environment: String,
    /// The id of the agent's enrolment.
    pub enrolment: String,
}

/// What the file says.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Who is told.
    pub settings: AlertSettings,
    /// By whom.
    pub whose: Whose,
}

/// Why settings could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFileError {
    /// The system said no.
    #[error("the settings of alerts could not be read")]
    Read(#[source] io::Error),
    /// It is far too long.
    #[error("{} is longer than any settings of alerts: set them again", .0.display())]
    Long(PathBuf),
    /// It is damaged. What stands in it is not told.
    #[error("{} is damaged in line {line}: set the alerts again", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where in it.
        line: usize,
    },
    /// A newer agent wrote it.
    #[error(
        "{} has version {found}, this agent knows {VERSION}: install the newer agent, or set the alerts again",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// What was sent is not understood any more.
    #[error("the settings of alerts that are kept cannot be used: set them again")]
    Settings(#[source] SettingsError),
    /// It could not be written.
    #[error("the settings of alerts could not be kept; they stay as they were")]
    Replace(#[source] ReplaceError),
}

/// Has no `Debug`: `request` holds secrets.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    #[serde(flatten)]
    whose: Whose,
    request: String,
}

/// Where the settings are kept.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    path: PathBuf,
}

impl SettingsFile {
    /// In the agent's state directory.
    pub fn in_directory(state: &std::path::Path) -> Self {
        Self { path: state.join(NAME) }
    }

    /// What is kept; none when nothing was set.
    ///
    /// # Errors
    /// When something is there that cannot be read.
    pub fn read(&self) -> Result<Option<Kept>, SettingsFileError> {
        let text = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(file) if file.len() > LONGEST => return Err(SettingsFileError::Long(self.path.clone())),
            _ => Zeroizing::new(fs::read(&self.path).map_err(SettingsFileError::Read)?),
        };
        self.parse(&text).map(Some)
    }

    fn parse(&self, text: &[u8]) -> Result<Kept, SettingsFileError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |line| SettingsFileError::Form { path: self.path.clone(), line };
        let Version { version } = serde_json::from_slice(text).map_err(|error| damaged(error.line()))?;
        if version != VERSION {
            return Err(SettingsFileError::Version { path: self.path.clone(), found: version });
        }
        let written: Written = serde_json::from_slice(text).map_err(|error| damaged(error.line()))?;
        let message = Zeroizing::new(STANDARD.decode(written.request.as_bytes()).map_err(|_| damaged(1))?);
        let request = SetAlertsRequest::decode(message.as_slice()).map_err(|_| damaged(1))?;
        let settings = AlertSettings::try_from(request).map_err(SettingsFileError::Settings)?;
        Ok(Kept { settings, whose: written.whose })
    }

    /// Keeps what was sent.
    ///
    /// # Errors
    /// When it cannot be written: what was kept before stays.
    pub fn write(&self, request: &SetAlertsRequest, whose: &Whose) -> Result<(), SettingsFileError> {
        let message = Zeroizing::new(request.encode_to_vec());
        let request = STANDARD.encode(&*message);
        let written = Written { version: VERSION, whose: whose.clone(), request };
        let text = serde_json::to_vec(&written).map(Zeroizing::new).map_err(|error| {
            let path = self.path.clone();
            SettingsFileError::Replace(ReplaceError::Io { path, source: error.into() })
        })?;
        atomic_replace(&self.path, &text, 0o600).map_err(SettingsFileError::Replace)
    }
}
