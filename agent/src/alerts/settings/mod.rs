//! Who is told, from which severity on, how often and when not: as values.
//!
//! Owns the bounds of all that can be set, and the file that keeps it ([`SettingsFile`]). Must not send anything. What opens a
//! receiver (addresses of webhooks, passwords, keys) is in no `Debug` and no error.

mod file;
mod quiet;
mod request;

use std::{fmt, time::Duration};

use http::Uri;
use lettre::Address;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub(super) use self::request::{KEY_PREFIX, PING};
pub use self::{
    file::{Kept, SettingsFile, SettingsFileError, Whose},
    quiet::{QuietError, QuietHours},
    request::SettingsError,
};
use crate::{health::Level, web_address};

/// How bad a finding is to whoever is told. What is unknown counts as a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look at it in the next days.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

/// What the fleet file calls a receiver: "slack 1". It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiverName(String);

/// An address of the web that is a secret itself, as those of incoming webhooks are.
#[derive(Clone, Debug)]
pub struct SecretUrl(SecretString);

/// One who is told.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name.
    pub name: ReceiverName,
    /// From which severity on it is told.
    pub least: Severity,
    /// How it is reached.
    pub kind: ReceiverKind,
}

/// How a receiver is reached.
#[derive(Clone)]
pub enum ReceiverKind {
    /// By mail, through the one server of the settings.
    Email(Address),
    /// By what takes messages as Slack's incoming webhooks do.
    Slack(SecretUrl),
    /// By a signed request.
    Webhook {
        /// Where.
        url: SecretUrl,
        /// What it is signed with.
        secret: SecretString,
    },
    /// By a command on the droplet.
    Command(Vec<String>),
}

/// How TLS begins. Without it no mail is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// By STARTTLS, which the server has to offer.
    StartTls,
    /// With the first byte.
    Implicit,
}

/// The server that takes mail.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    /// Its name, which its certificate has to have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How TLS begins.
    pub tls: MailTls,
    /// User and password; none: it asks for no login.
    pub login: Option<(String, SecretString)>,
    /// Whom mail is from.
    pub from: Address,
}

/// All that was set.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// Who is told; names are unique.
    pub receivers: Vec<Receiver>,
    /// After which a finding that goes on is told again.
    pub repeat: Duration,
    /// When warnings wait.
    pub quiet: Option<QuietHours>,
    /// For receivers of mail; there where one is.
    pub smtp: Option<SmtpServer>,
    /// Asked for after each look while nothing is critical.
    pub ping: Option<SecretUrl>,
    /// What messages call the droplet.
    pub droplet: String,
    /// SHA-256 of what was sent, in hexadecimal.
    pub digest: String,
}

/// Longer ones are no addresses of webhooks.
const LONGEST_URL: usize = 2048;
const LONGEST_NAME: usize = 120;

impl Severity {
    /// Of a check that stands so; none when it is good.
    pub fn of(level: Level) -> Option<Self> {
        match level {
            Level::Good => None,
            Level::Unknown | Level::Warning => Some(Self::Warning),
            Level::Critical => Some(Self::Critical),
        }
    }
}

impl ReceiverName {
    /// Checks and wraps a name: one line of 1 to 120 characters; none when it is not.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = (1..=LONGEST_NAME).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && text.trim() == text;
        fits.then_some(Self(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReceiverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SecretUrl {
    /// Checks and wraps an address: `https`, or `http` to this machine; none when it is neither.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let uri = text.parse::<Uri>().ok()?;
        let has_user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
        let fits = text.len() <= LONGEST_URL && !has_user && web_address::is_confidential(&uri);
        fits.then(|| Self(SecretString::from(text)))
    }

    /// The address.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl ReceiverKind {
    /// What it is called where receivers are counted.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Slack(_) => "slack",
            Self::Webhook { .. } => "webhook",
            Self::Command(_) => "command",
        }
    }
}

/// Arguments of a command may be secrets too.
impl fmt::Debug for ReceiverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests;
