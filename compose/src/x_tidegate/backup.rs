//! `x-tidegate.backup` of a service: what is backed up, when, for how long, where to, and who can open it.
//!
//! Owns the keys that all engines have, and what they mean together. Must not know how a backup is made, nor which buckets
//! there are: the fleet file does.

use std::time::Duration;

use super::reader::Reader;
use crate::files::nearest;
use crate::model::Service;
use crate::node::{Map, Node, Position, Value};

mod calendar;
mod engine;
mod keep;
mod recipient;

pub use calendar::{OnCalendar, OnCalendarError};
pub use engine::{Consistency, Databases, Engine};
pub use keep::Keep;
pub(super) use recipient::holds_secret;
pub use recipient::{Recipient, RecipientError};

const DEFAULT_TIMEOUT: Duration = Duration::from_hours(6);
const BUCKET: &str = "bucket:";

/// How a service's data is backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// What holds the data, with what only that engine knows.
    pub engine: Engine,
    /// When a backup is made by itself; none for only by hand.
    pub schedule: Option<OnCalendar>,
    /// How many stay.
    pub keep: Keep,
    /// Where they go; at least one place, none twice.
    pub to: Vec<Destination>,
    /// Who can open them; at least one, none twice.
    pub encrypt_to: Vec<Recipient>,
    /// When the latest is restored on trial.
    pub verify: Verify,
    /// How long making one may take.
    pub timeout: Duration,
    /// Where it is written.
    pub at: Position,
}

/// A place for backups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// A directory on the droplet.
    Local,
    /// A bucket, by its name in the fleet file.
    Bucket(String),
}

/// When backups are restored on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// At these times.
    At(OnCalendar),
    /// Never by itself.
    Never,
}

const KEYS: &[&str] = &[
    "engine",
    "schedule",
    "keep",
    "to",
    "encrypt_to",
    "verify",
    "timeout",
    "databases",
    "user",
    "checks",
    "paths",
    "consistency",
];

impl Destination {
    fn parse(text: &str) -> Option<Self> {
        if text == "local" {
            return Some(Self::Local);
        }
        let name = text.strip_prefix(BUCKET)?;
        let fits = name.len() <= 31
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        fits.then(|| Self::Bucket(name.to_owned()))
    }
}

impl Reader<'_> {
    /// Nothing when something is wrong; every fault is noted.
    pub(super) fn backup(&mut self, node: &Node, path: &str, service: &Service) -> Option<Backup> {
        let map = self.map(node, path, KEYS)?;
        let below = |key: &str| format!("{path}.{key}");
        let before = self.errors.len();
        self.alone(node, path, service);
        let engine = self.engine(map, (node, path), &service.image);
        let schedule = map.get("schedule").and_then(|n| self.calendar(n, &below("schedule")));
        let keep = map.get("keep").map_or_else(|| Some(Keep::default()), |n| self.keep(n, &below("keep")));
        let to = match map.get("to") {
            Some(value) => self.destinations(value, &below("to")),
            None => vec![Destination::Local],
        };
        let encrypt_to = self.recipients(map, (node, path));
        let verify = match map.get("verify") {
            Some(value) => self.verify(value, &below("verify")),
            None => Some(Verify::At(OnCalendar::weekly())),
        };
        let timeout = self.backup_timeout(map, path);
        let (engine, keep, verify) = (engine?, keep?, verify?);
        let timeout = timeout.filter(|_| self.errors.len() == before)?;
        Some(Backup { engine, schedule, keep, to, encrypt_to, verify, timeout, at: node.at })
    }

    fn alone(&mut self, node: &Node, path: &str, service: &Service) {
        let replicas = service.replicas();
        if replicas > 1 {
            let message = format!("the service runs {replicas} times: which of them is the database?");
            let hint = "set `scale` or `deploy.replicas` to 1, or give the one that holds the data a service of its own";
            self.fail(node.key, path, (message, Some(hint.to_owned())));
        }
    }

    fn backup_timeout(&mut self, map: &Map, path: &str) -> Option<Duration> {
        let Some(node) = map.get("timeout") else { return Some(DEFAULT_TIMEOUT) };
        let path = format!("{path}.timeout");
        let timeout = self.duration(node, &path)?;
        if timeout.is_zero() {
            let hint = Some("write one like 30m or 6h, or leave it out".to_owned());
            self.fail(node.at, &path, ("no backup is made in no time".to_owned(), hint));
            return None;
        }
        Some(timeout)
    }

    fn verify(&mut self, node: &Node, path: &str) -> Option<Verify> {
        if node.as_str() == Some("never") {
            return Some(Verify::Never);
        }
        self.calendar(node, path).map(Verify::At)
    }

    fn destinations(&mut self, node: &Node, path: &str) -> Vec<Destination> {
        let texts = self.distinct(node, path);
        if texts.is_empty() && matches!(&node.value, Value::List(items) if items.is_empty()) {
            let hint = Some("write `to: [local]`, or leave it out".to_owned());
            self.fail(node.at, path, ("a backup has to go somewhere".to_owned(), hint));
        }
        let mut found = Vec::new();
        for (text, at) in texts {
            let Some(destination) = Destination::parse(&text) else {
                let message = format!("{text:?} is no place for backups");
                let hint = nearest(&text, ["local"]).map_or_else(
                    || {
                        "write `local`, or `bucket:NAME` with the name of a bucket in the fleet file"
                            .to_owned()
                    },
                    |name| format!("did you mean `{name}`?"),
                );
                self.fail(at, path, (message, Some(hint)));
                continue;
            };
            found.push(destination);
        }
        found
    }

    /// The texts of a list, each with its place; one that is there twice is refused.
    fn distinct(&mut self, node: &Node, path: &str) -> Vec<(String, Position)> {
        let mut found: Vec<(String, Position)> = Vec::new();
        for (index, item) in self.list(node, path).unwrap_or_default().iter().enumerate() {
            let path = format!("{path}.{index}");
            let Some(text) = self.text(item, &path) else { continue };
            if found.iter().any(|(known, _)| *known == text) {
                let hint = Some("remove one of them".to_owned());
                self.fail(item.at, &path, (format!("{text} is there twice"), hint));
                continue;
            }
            found.push((text, item.at));
        }
        found
    }
}
