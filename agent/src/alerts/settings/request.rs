//! Settings as they are sent, made into values. One way for what a controller sends and what the file keeps of it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lettre::Address;
use rustls::pki_types::ServerName;
use secrecy::SecretString;
use tidegate_proto::{
    alerts::digest,
    v1::{self, AlertSeverity, SetAlertsRequest, SmtpTls, alert_receiver::Kind},
};

use super::{
    AlertSettings, MailTls, QuietError, QuietHours, Receiver, ReceiverKind, ReceiverName, SecretUrl,
    Severity, SmtpServer,
};
use crate::exec::{Command, CommandError};

/// Whoever has more lets one of them pass it on.
const MOST_RECEIVERS: usize = 32;
const REPEAT: Duration = Duration::from_hours(4);
const SHORTEST_REPEAT: Duration = Duration::from_mins(5);
const LONGEST_REPEAT: Duration = Duration::from_hours(24 * 30);
/// Keys and passwords have some dozens of letters.
const LONGEST_SECRET: usize = 1024;
const LONGEST_DROPLET: usize = 120;
/// What marks a signing key that is written in base64.
pub(in crate::alerts) const KEY_PREFIX: &str = "whsec_";
/// The test of the ping is told under this name.
pub(in crate::alerts) const PING: &str = "ping";

/// Settings that cannot be meant. They tell no address and no secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Too many.
    #[error("there are more than {MOST_RECEIVERS} of them")]
    TooMany,
    /// A name.
    #[error("a receiver's name has to be one line of 1 to 120 characters, and not \"{PING}\"")]
    Name,
    /// One name, two receivers.
    #[error("the receiver {0} is there twice")]
    Twice(ReceiverName),
    /// Nothing says how one is reached.
    #[error("nothing says how the receiver {0} is reached: give it an address, a webhook or a command")]
    NoKind(ReceiverName),
    /// An address of mail.
    #[error("the address of the receiver {name} is none of mail, such as ops@example.com")]
    Address {
        /// Whose.
        name: ReceiverName,
        /// What is wrong with it.
        source: lettre::address::AddressError,
    },
    /// An address of the web.
    #[error(
        "the URL of the receiver {0} has to be https://, without user or password; http:// only to this machine itself"
    )]
    Url(ReceiverName),
    /// The key that requests are signed with.
    #[error(
        "the secret of the receiver {0} has to be of 1 to {LONGEST_SECRET} letters; after {KEY_PREFIX:?} comes base64"
    )]
    Secret(ReceiverName),
    /// The command.
    #[error("the command of the receiver {name} cannot be run")]
    Command {
        /// Whose.
        name: ReceiverName,
        /// Why.
        source: CommandError,
    },
    /// Mail without a server.
    #[error("the receiver {0} is told by mail, and no server is given that takes it")]
    NoServer(ReceiverName),
    /// The server's name.
    #[error("the server's name is neither one of the domain name system nor an address")]
    Host,
    /// The server's port.
    #[error("{0} is no port: it has to be of 1 to 65535")]
    Port(u32),
    /// The login at the server.
    #[error("a login takes both user and password, each of at most {LONGEST_SECRET} letters")]
    Login,
    /// Whom mail is from.
    #[error("the sender's address is none of mail, such as tidegate@example.com")]
    From(#[source] lettre::address::AddressError),
    /// How often.
    #[error("findings can be told again after 5 minutes to 30 days")]
    Repeat,
    /// When not.
    #[error("the quiet hours cannot be meant")]
    Quiet(#[source] QuietError),
    /// The ping.
    #[error("it has to be https://, without user or password; http:// only to this machine itself")]
    Ping,
    /// The droplet's name.
    #[error("the droplet's name has to be one line of 1 to {LONGEST_DROPLET} characters")]
    Droplet,
}

impl SettingsError {
    /// The field of the request that is refused.
    pub fn field(&self) -> &'static str {
        match self {
            Self::TooMany
            | Self::Name
            | Self::Twice(_)
            | Self::NoKind(_)
            | Self::Address { .. }
            | Self::Url(_)
            | Self::Secret(_)
            | Self::Command { .. } => "receivers",
            Self::NoServer(_) => "smtp",
            Self::Host => "smtp.host",
            Self::Port(_) => "smtp.port",
            Self::Login => "smtp.user",
            Self::From(_) => "smtp.from",
            Self::Repeat => "repeat",
            Self::Quiet(_) => "quiet",
            Self::Ping => "ping",
            Self::Droplet => "droplet",
        }
    }
}

impl TryFrom<SetAlertsRequest> for AlertSettings {
    type Error = SettingsError;

    fn try_from(sent: SetAlertsRequest) -> Result<Self, SettingsError> {
        let digest = digest(&sent);
        if sent.receivers.len() > MOST_RECEIVERS {
            return Err(SettingsError::TooMany);
        }
        let smtp = sent.smtp.map(server).transpose()?;
        let mut receivers: Vec<Receiver> = Vec::new();
        for one in sent.receivers {
            let one = receiver(one)?;
            if receivers.iter().any(|other| other.name == one.name) {
                return Err(SettingsError::Twice(one.name));
            }
            if matches!(one.kind, ReceiverKind::Email(_)) && smtp.is_none() {
                return Err(SettingsError::NoServer(one.name));
            }
            receivers.push(one);
        }
        let repeat = sent.repeat.map_or(Ok(REPEAT), Duration::try_from).map_err(|_| SettingsError::Repeat)?;
        if !(SHORTEST_REPEAT..=LONGEST_REPEAT).contains(&repeat) {
            return Err(SettingsError::Repeat);
        }
        let quiet = sent.quiet.map(|hours| QuietHours::new((&hours.from, &hours.to), &hours.zone));
        let ping = Some(sent.ping).filter(|ping| !ping.is_empty());
        let is_name = (1..=LONGEST_DROPLET).contains(&sent.droplet.chars().count())
            && !sent.droplet.chars().any(char::is_control);
        if !is_name {
            return Err(SettingsError::Droplet);
        }
        Ok(Self {
            receivers,
            repeat,
            quiet: quiet.transpose().map_err(SettingsError::Quiet)?,
            smtp,
            ping: ping.map(|ping| SecretUrl::new(ping).ok_or(SettingsError::Ping)).transpose()?,
            droplet: sent.droplet,
            digest,
        })
    }
}

fn receiver(sent: v1::AlertReceiver) -> Result<Receiver, SettingsError> {
    let least = match sent.least() {
        AlertSeverity::Unspecified | AlertSeverity::Warning => Severity::Warning,
        AlertSeverity::Critical => Severity::Critical,
    };
    let name =
        ReceiverName::new(sent.name).filter(|name| name.as_str() != PING).ok_or(SettingsError::Name)?;
    let url = |url: String| SecretUrl::new(url).ok_or_else(|| SettingsError::Url(name.clone()));
    let kind = match sent.kind {
        None => return Err(SettingsError::NoKind(name)),
        Some(Kind::Email(address)) => match address.parse::<Address>() {
            Ok(address) => ReceiverKind::Email(address),
            Err(source) => return Err(SettingsError::Address { name, source }),
        },
        Some(Kind::Slack(address)) => ReceiverKind::Slack(url(address)?),
        Some(Kind::Webhook(webhook)) => {
            if !is_key(&webhook.secret) {
                return Err(SettingsError::Secret(name));
            }
            ReceiverKind::Webhook { url: url(webhook.url)?, secret: SecretString::from(webhook.secret) }
        }
        Some(Kind::Command(command)) => match Command::new(command.command.clone()) {
            Ok(_) => ReceiverKind::Command(command.command),
            Err(source) => return Err(SettingsError::Command { name, source }),
        },
    };
    Ok(Receiver { name, least, kind })
}

fn is_key(text: &str) -> bool {
    let is_base64 = |key: &str| STANDARD.decode(key).is_ok_and(|key| !key.is_empty());
    (1..=LONGEST_SECRET).contains(&text.len()) && text.strip_prefix(KEY_PREFIX).is_none_or(is_base64)
}

fn server(sent: v1::SmtpServer) -> Result<SmtpServer, SettingsError> {
    let tls = match sent.tls() {
        SmtpTls::Unspecified | SmtpTls::Starttls => MailTls::StartTls,
        SmtpTls::Implicit => MailTls::Implicit,
    };
    if ServerName::try_from(sent.host.as_str()).is_err() {
        return Err(SettingsError::Host);
    }
    let port = u16::try_from(sent.port).ok().filter(|port| *port > 0);
    let is_long = |text: &str| text.len() > LONGEST_SECRET;
    if sent.user.is_empty() != sent.password.is_empty() || is_long(&sent.user) || is_long(&sent.password) {
        return Err(SettingsError::Login);
    }
    let password = SecretString::from(sent.password);
    Ok(SmtpServer {
        port: port.ok_or(SettingsError::Port(sent.port))?,
        from: sent.from.parse().map_err(SettingsError::From)?,
        login: (!sent.user.is_empty()).then_some((sent.user, password)),
        host: sent.host,
        tls,
    })
}
