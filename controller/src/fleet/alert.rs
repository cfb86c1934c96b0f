//! `[alert]`: whom droplets tell what is not well.
//!
//! Owns its keys and what they may hold. Whether messages arrive is the droplets' question.
//!
//! ```toml
//! [alert]
//! email = ["ops@example.com"]
//! slack = "env:SLACK_WEBHOOK"                                # one, or a list
//! webhook = [{ url = "env:HOOK_URL", secret = "env:HOOK_SECRET" }]
//! command = ["/usr/local/bin/page", "--team", "shop"]        # on the droplet, with the message as JSON on its input
//! ping = "env:PING_URL"                                      # asked for after each look, while nothing is critical
//! repeat = "4h"
//! quiet = { from = "22:00", to = "07:00", zone = "Europe/Berlin" }
//!
//! [alert.critical]                                           # who hears only of what is critical
//! email = ["boss@example.com"]
//!
//! [alert.smtp]
//! host = "smtp.example.com"
//! port = 587
//! tls = "starttls"                                           # or "implicit"
//! user = "env:SMTP_USER"
//! password = "env:SMTP_PASSWORD"
//! from = "tidegate@example.com"
//! ```

use std::{str::FromStr, time::Duration};

use super::{
    model::Located,
    reader::Table,
    secret::{self, SecretName},
    time,
};

/// `[alert]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// By whom mail is sent.
    pub smtp: Option<Smtp>,
    /// What is asked for while nothing is critical.
    pub ping: Option<Located<SecretName>>,
    /// After which time what goes on is told again.
    pub repeat: Option<Duration>,
    /// When warnings wait.
    pub quiet: Option<Quiet>,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// How.
    pub kind: ReceiverKind,
    /// From which severity on.
    pub least: Severity,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverKind {
    /// By mail to this address.
    Email(String),
    /// By an incoming webhook of Slack, or of what understands the same.
    Slack(Located<SecretName>),
    /// By a signed webhook.
    Webhook {
        /// Its URL.
        url: Located<SecretName>,
        /// What it is signed with.
        secret: Located<SecretName>,
    },
    /// By a command on the droplet.
    Command(Vec<String>),
}

/// From which severity on somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Warnings, and what is critical.
    Warning,
    /// Only what is critical.
    Critical,
}

/// `[alert.smtp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// Who logs in, with which password; none where it takes mail without.
    pub login: Option<(Located<SecretName>, Located<SecretName>)>,
    /// The sender's address.
    pub from: String,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// By STARTTLS, without which nothing is sent.
    Starttls,
    /// From the first byte on.
    Implicit,
}

/// `quiet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// "22:00"
    pub from: String,
    /// "07:00"
    pub to: String,
    /// An IANA name; UTC where it is empty.
    pub zone: String,
}

const RECEIVERS: [&str; 4] = ["email", "slack", "webhook", "command"];
const KEYS: &[&str] =
    &["email", "slack", "webhook", "command", "ping", "repeat", "quiet", "critical", "smtp"];

pub(super) fn alert(table: &Table<'_, '_, '_>) -> Alert {
    table.only(KEYS, &["info", "group", "route", "silence"]);
    let mut all = receivers(table, Severity::Warning);
    if let Some(critical) = table.table("critical", "[alert.critical]") {
        critical.only(&RECEIVERS, &[]);
        all.extend(receivers(&critical, Severity::Critical));
    }
    let smtp = table.table("smtp", "[alert.smtp]");
    let has_smtp = smtp.is_some();
    let smtp = smtp.and_then(|table| self::smtp(&table));
    let mails = all.iter().any(|receiver| matches!(receiver.kind, ReceiverKind::Email(_)));
    if mails && !has_smtp {
        let hint = "add [alert.smtp] with `host`, `user`, `password` and `from`".to_owned();
        table.notes().add(table.place_of("email"), "nothing says who sends the mail", Some(hint));
    }
    Alert {
        receivers: all,
        smtp,
        ping: secret::optional(table, "ping"),
        repeat: table.parsed::<Repeat>("repeat").map(|repeat| repeat.0),
        quiet: table.table("quiet", "`quiet` of [alert]").and_then(|table| quiet(&table)),
    }
}

fn receivers(table: &Table<'_, '_, '_>, least: Severity) -> Vec<Receiver> {
    let mut kinds: Vec<ReceiverKind> = Vec::new();
    let addresses = table.parsed_list::<Address>("email").into_iter();
    kinds.extend(addresses.map(|(address, _)| ReceiverKind::Email(address.0)));
    kinds.extend(secret::list(table, "slack").into_iter().map(ReceiverKind::Slack));
    for hook in table.tables("webhook", "a `webhook` of [alert]") {
        hook.only(&["url", "secret"], &["headers"]);
        let url = secret::required(&hook, "url", "HOOK_URL");
        let signed = secret::required(&hook, "secret", "HOOK_SECRET");
        kinds.extend(url.zip(signed).map(|(url, secret)| ReceiverKind::Webhook { url, secret }));
    }
    let command: Vec<String> = table.strings("command").into_iter().map(|(word, _)| word).collect();
    if let Some(program) = command.first() {
        if program.starts_with('/') {
            kinds.push(ReceiverKind::Command(command));
        } else {
            let message =
                "`command` begins with the path of a program on the droplet, such as \"/usr/local/bin/page\"";
            table.notes().add(table.place_of("command"), message, None);
        }
    }
    kinds.into_iter().map(|kind| Receiver { kind, least }).collect()
}

fn smtp(table: &Table<'_, '_, '_>) -> Option<Smtp> {
    table.only(&["host", "port", "tls", "user", "password", "from"], &[]);
    let host = table.required("host", "host = \"smtp.example.com\"");
    let from = table.required("from", "from = \"tidegate@example.com\"");
    let from = from.and_then(|_| table.parsed::<Address>("from"));
    let tls = table.parsed::<SmtpTls>("tls").unwrap_or(SmtpTls::Starttls);
    let usual = match tls {
        SmtpTls::Starttls => 587,
        SmtpTls::Implicit => 465,
    };
    let port = table.count("port", u32::from(u16::MAX)).and_then(|port| u16::try_from(port).ok());
    let login = match (table.string("user").is_some(), table.string("password").is_some()) {
        (false, false) => None,
        _ => secret::required(table, "user", "SMTP_USER").zip(secret::required(
            table,
            "password",
            "SMTP_PASSWORD",
        )),
    };
    Some(Smtp { host: host?.value, port: port.unwrap_or(usual), tls, login, from: from?.0 })
}

fn quiet(table: &Table<'_, '_, '_>) -> Option<Quiet> {
    table.only(&["from", "to", "zone"], &["days"]);
    let clock = |key: &str, example: &str| {
        table.required(key, &format!("{key} = \"{example}\""))?;
        table.parsed::<Clock>(key).map(|clock| clock.0)
    };
    let (from, to) = (clock("from", "22:00"), clock("to", "07:00"));
    if from.is_some() && from == to {
        let hint = "give them different times, or leave `quiet` out".to_owned();
        table.notes().add(table.place_of("to"), "quiet hours that end when they begin are none", Some(hint));
        return None;
    }
    let zone = table.string("zone").map_or_else(String::new, |zone| zone.value);
    if !zone.is_empty() && jiff::tz::TimeZone::get(&zone).is_err() {
        let message = format!("`{zone}` is no time zone such as \"Europe/Berlin\"");
        table.notes().add(table.place_of("zone"), message, None);
        return None;
    }
    Some(Quiet { from: from?, to: to?, zone })
}

/// `name@host`, of plain letters.
struct Address(String);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._%+-".contains(&b))
        };
        match text.split_once('@') {
            Some((name, host)) if plain(name) && plain(host) && text.len() <= 254 => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(format!("`{text}` is not a mail address such as \"ops@example.com\"")),
        }
    }
}

/// `22:00`.
struct Clock(String);

impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time of day such as \"22:00\"");
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let part = |text: &str, most: u32| {
            let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_two.then(|| text.parse::<u32>().ok()).flatten().filter(|number| *number <= most)
        };
        part(hours, 23).and(part(minutes, 59)).map(|_| Self(text.to_owned())).ok_or_else(wrong)
    }
}

/// `15m`, `4h`, `1d`.
struct Repeat(Duration);

impl FromStr for Repeat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("m", time::MINUTE), ("h", time::HOUR), ("d", time::DAY)];
        let repeat = time::parse(text, &units, &(5 * time::MINUTE..=30 * time::DAY));
        repeat
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a time such as \"30m\" or \"4h\", from 5m to 30d"))
    }
}

impl FromStr for SmtpTls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "starttls" => Ok(Self::Starttls),
            "implicit" => Ok(Self::Implicit),
            _ => Err(format!("`{text}` is neither \"starttls\" nor \"implicit\": mail is sent encrypted")),
        }
    }
}

#[cfg(test)]
#[path = "alert_tests.rs"]
mod tests;
