//! The typed reading of `x-tidegate`, at the top level and in services.
//!
//! Owns the keys that only tidegate knows. Unknown keys are refused with a suggestion; every message has its place.
//! docker compose ignores all of it, and no hash covers it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{ErrorClass, LoadError, LoadErrors};
use crate::files::{FileTable, nearest};
use crate::model::Project;
use crate::node::{Map, Node, Position, Value};
use crate::text::{duration, shellwords};

/// The extension's key.
pub const KEY: &str = "x-tidegate";

/// What `x-tidegate` says at the top level and by service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extension {
    /// The database migration of a release.
    pub migrate: Option<Migrate>,
    /// How long a release is watched after the switch.
    pub watch: Option<Duration>,
    /// How long requests to the old release may take to end.
    pub drain: Option<Duration>,
    /// What it says in services; every enabled service has an entry.
    pub services: BTreeMap<String, ServiceExtension>,
}

/// The database migration of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrate {
    /// The service whose image and settings it runs with.
    pub service: String,
    /// The command.
    pub command: Vec<String>,
    /// Whether old code works on the new schema.
    pub kind: MigrationKind,
    /// How long it may take.
    pub timeout: Duration,
    /// Where it is written.
    pub at: Position,
}

/// Whether old code works on the new schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationKind {
    /// It does: the old release serves on, and a rollback needs no restore.
    Compatible,
    /// It does not: writers are stopped and a backup is taken first.
    Breaking,
}

/// What `x-tidegate` says in a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceExtension {
    /// How it is reached from outside.
    pub ingress: Option<Ingress>,
    /// When a new container counts as good.
    pub gate: Gate,
    /// On which droplets it runs.
    pub place: Place,
    /// How it is replaced; by default tidegate chooses.
    pub strategy: Option<Strategy>,
}

/// How a service is reached from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingress {
    /// The host name; none for every name.
    pub host: Option<String>,
    /// The port in the container.
    pub port: u16,
    /// The path prefix.
    pub path: String,
    /// Where it is written.
    pub at: Position,
}

/// When a new container counts as good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// How long it has to stay well.
    pub stable: Duration,
    /// How long it may take to get there.
    pub timeout: Duration,
}

impl Default for Gate {
    fn default() -> Self {
        Self { stable: Duration::from_secs(5), timeout: Duration::from_mins(2) }
    }
}

/// On which droplets a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// On every droplet of the app.
    #[default]
    All,
    /// On exactly one.
    One,
    /// On the droplets of a role.
    Role(String),
}

/// How a service is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// New beside old, then the ingress switches.
    BlueGreen,
    /// One replica after the other.
    Rolling,
    /// Old stops, new starts.
    Recreate,
}

const DEFAULT_MIGRATION_TIMEOUT: Duration = Duration::from_mins(10);

/// Reads what a project says under `x-tidegate`.
///
/// # Errors
/// All unknown keys, wrong values and references to services that do not exist, in one go.
pub fn read(project: &Project, files: &FileTable) -> Result<Extension, LoadErrors> {
    let mut reader = Reader { files, errors: Vec::new() };
    let mut extension = Extension::default();
    if let Some(node) = project.extensions.get(KEY) {
        reader.top(node, &mut extension);
    }
    if let Some(migrate) = &extension.migrate
        && !project.services.contains_key(&migrate.service)
    {
        let names = project.services.keys().map(String::as_str);
        let hint = nearest(&migrate.service, names).map(|name| format!("did you mean `{name}`?"));
        let message = format!("there is no service `{}`", migrate.service);
        reader.fail(migrate.at, "x-tidegate.migrate.service", (message, hint));
    }
    for (name, service) in &project.services {
        let mut read = ServiceExtension::default();
        if let Some(node) = service.extensions.get(KEY) {
            reader.service(node, &format!("services.{name}.{KEY}"), &mut read);
        }
        extension.services.insert(name.clone(), read);
    }
    match reader.errors.first() {
        None => Ok(extension),
        Some(first) => Err(LoadErrors::of(first.class, reader.errors)),
    }
}

struct Reader<'a> {
    files: &'a FileTable,
    errors: Vec<LoadError>,
}

/// Keys that the file may have one day; naming them beats calling them unknown.
const LATER: &[&str] = &["backup", "jobs", "probes", "health"];

impl Reader<'_> {
    fn fail(&mut self, at: Position, path: &str, (message, hint): (String, Option<String>)) {
        let error = self.files.error(ErrorClass::Schema, at, (path, message));
        self.errors.push(LoadError { hint, ..error });
    }

    /// The mapping under a node, its keys checked against the known ones.
    fn map<'n>(&mut self, node: &'n Node, path: &str, known: &[&str]) -> Option<&'n Map> {
        let Value::Map(map) = &node.value else {
            let message = format!("expected a mapping with {}, found {}", known.join(", "), node.kind());
            self.fail(node.at, path, (message, None));
            return None;
        };
        for (key, value) in map {
            if known.contains(&key.as_str()) {
                continue;
            }
            let path = format!("{path}.{key}");
            if LATER.contains(&key.as_str()) {
                let message = format!("`{key}` is not supported by this version of tidegate");
                self.fail(value.key, &path, (message, Some("remove it, or update tidegate".into())));
                continue;
            }
            let near = nearest(key, known.iter().copied());
            let hint = near.map(|name| format!("did you mean `{name}`?"));
            let message = format!("unknown key `{key}`; known are {}", known.join(", "));
            self.fail(value.key, &path, (message, hint));
        }
        Some(map)
    }

    fn top(&mut self, node: &Node, extension: &mut Extension) {
        let Some(map) = self.map(node, KEY, &["migrate", "watch", "drain"]) else {
            return;
        };
        extension.watch = map.get("watch").and_then(|n| self.duration(n, "x-tidegate.watch"));
        extension.drain = map.get("drain").and_then(|n| self.duration(n, "x-tidegate.drain"));
        extension.migrate = map.get("migrate").and_then(|n| self.migrate(n));
    }

    fn migrate(&mut self, node: &Node) -> Option<Migrate> {
        const PATH: &str = "x-tidegate.migrate";
        let map = self.map(node, PATH, &["service", "command", "kind", "timeout"])?;
        let service = self.required(map, (node, PATH), "service").and_then(|n| self.text(n, PATH));
        let command = self.required(map, (node, PATH), "command").and_then(|n| self.command(n));
        let kind = self.kind(map, node);
        let timeout = match map.get("timeout") {
            Some(value) => self.duration(value, "x-tidegate.migrate.timeout"),
            None => Some(DEFAULT_MIGRATION_TIMEOUT),
        };
        Some(Migrate { service: service?, command: command?, kind: kind?, timeout: timeout?, at: node.at })
    }

    fn kind(&mut self, map: &Map, node: &Node) -> Option<MigrationKind> {
        const CURE: &str = "write `kind: compatible` when the running release works on the migrated \
                            schema too (columns are only added), else `kind: breaking`";
        let Some(value) = map.get("kind") else {
            let message = "`kind` is missing: whether old code works on the new schema".to_owned();
            self.fail(node.key, "x-tidegate.migrate", (message, Some(CURE.to_owned())));
            return None;
        };
        match value.as_str() {
            Some("compatible") => Some(MigrationKind::Compatible),
            Some("breaking") => Some(MigrationKind::Breaking),
            _ => {
                let message = "expected `compatible` or `breaking`".to_owned();
                self.fail(value.at, "x-tidegate.migrate.kind", (message, Some(CURE.to_owned())));
                None
            }
        }
    }

    fn required<'n>(&mut self, map: &'n Map, (node, path): (&Node, &str), key: &str) -> Option<&'n Node> {
        let found = map.get(key);
        if found.is_none() {
            let hint = Some(format!("add `{key}:` below it"));
            self.fail(node.key, path, (format!("`{key}` is missing"), hint));
        }
        found
    }

    fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = node.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if text.is_none() {
            self.fail(node.at, path, (format!("expected text, found {}", node.kind()), None));
        }
        text
    }

    fn command(&mut self, node: &Node) -> Option<Vec<String>> {
        const PATH: &str = "x-tidegate.migrate.command";
        let words = match &node.value {
            Value::Str(text) => match shellwords::split(text) {
                Ok(words) => Some(words),
                Err(error) => {
                    self.fail(node.at, PATH, (error.to_string(), None));
                    return None;
                }
            },
            Value::List(items) => items.iter().map(|n| n.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let words = words.filter(|words: &Vec<String>| !words.is_empty());
        if words.is_none() {
            let message = "expected a command: text, or a list of strings".to_owned();
            self.fail(node.at, PATH, (message, None));
        }
        words
    }

    fn duration(&mut self, node: &Node, path: &str) -> Option<Duration> {
        let nanos = node.as_str().and_then(|text| duration::parse_with_days(text).ok());
        let read = nanos.and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos);
        if read.is_none() {
            let message = format!("expected a duration, found {}", node.kind());
            self.fail(node.at, path, (message, Some("write one like 30s or 10m".to_owned())));
        }
        read
    }

    fn service(&mut self, node: &Node, path: &str, read: &mut ServiceExtension) {
        let known = ["ingress", "gate", "place", "strategy"];
        let Some(map) = self.map(node, path, &known) else {
            return;
        };
        if let Some(node) = map.get("ingress") {
            read.ingress = self.ingress(node, &format!("{path}.ingress"));
        }
        if let Some(node) = map.get("gate") {
            self.gate(node, &format!("{path}.gate"), &mut read.gate);
        }
        if let Some(place) = map.get("place").and_then(|n| self.text(n, &format!("{path}.place"))) {
            read.place = match place.as_str() {
                "all" => Place::All,
                "one" => Place::One,
                _ => Place::Role(place),
            };
        }
        if let Some(node) = map.get("strategy") {
            read.strategy = self.strategy(node, &format!("{path}.strategy"));
        }
    }

    fn strategy(&mut self, node: &Node, path: &str) -> Option<Strategy> {
        let known = ["blue-green", "rolling", "recreate"];
        match node.as_str() {
            Some("blue-green") => Some(Strategy::BlueGreen),
            Some("rolling") => Some(Strategy::Rolling),
            Some("recreate") => Some(Strategy::Recreate),
            other => {
                let near = other.and_then(|word| nearest(word, known));
                let hint = near.map(|name| format!("did you mean `{name}`?"));
                let message = format!("expected one of {}", known.join(", "));
                self.fail(node.at, path, (message, hint));
                None
            }
        }
    }

    fn ingress(&mut self, node: &Node, path: &str) -> Option<Ingress> {
        let map = self.map(node, path, &["host", "port", "path"])?;
        let host = map.get("host").and_then(|n| self.text(n, &format!("{path}.host")));
        let port = self.required(map, (node, path), "port").and_then(|n| self.port(n, path));
        let prefix = match map.get("path") {
            None => Some("/".to_owned()),
            Some(value) => {
                let text = self.text(value, &format!("{path}.path"));
                text.filter(|text| {
                    let absolute = text.starts_with('/');
                    if !absolute {
                        let message = "a path prefix starts with `/`".to_owned();
                        self.fail(value.at, &format!("{path}.path"), (message, None));
                    }
                    absolute
                })
            }
        };
        Some(Ingress { host, port: port?, path: prefix?, at: node.at })
    }

    fn port(&mut self, node: &Node, path: &str) -> Option<u16> {
        let port = match &node.value {
            Value::Int(number) => u16::try_from(*number).ok(),
            Value::Str(text) => text.parse().ok(),
            _ => None,
        };
        let port = port.filter(|port| *port > 0);
        if port.is_none() {
            let message = "expected a port from 1 to 65535".to_owned();
            self.fail(node.at, &format!("{path}.port"), (message, None));
        }
        port
    }

    fn gate(&mut self, node: &Node, path: &str, gate: &mut Gate) {
        let Some(map) = self.map(node, path, &["stable", "timeout"]) else {
            return;
        };
        let read = |key: &str, reader: &mut Self| {
            map.get(key).and_then(|n| reader.duration(n, &format!("{path}.{key}")))
        };
        gate.stable = read("stable", self).unwrap_or(gate.stable);
        gate.timeout = read("timeout", self).unwrap_or(gate.timeout);
    }
}
