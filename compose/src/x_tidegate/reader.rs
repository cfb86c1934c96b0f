//! Reading nodes of `x-tidegate`: known keys, texts, durations; notes every fault and goes on.

use std::time::Duration;

use super::{Extension, KEY, Place, ServiceExtension, Strategy};
use crate::error::{ErrorClass, LoadError};
use crate::files::{FileTable, nearest};
use crate::model::Service;
use crate::node::{Map, Node, Position, Value};
use crate::text::{duration, shellwords};

pub(super) struct Reader<'a> {
    pub(super) files: &'a FileTable,
    pub(super) errors: Vec<LoadError>,
}

/// Keys that the file may have one day; naming them beats calling them unknown.
const LATER: &[&str] = &["health"];

impl Reader<'_> {
    pub(super) fn fail(&mut self, at: Position, path: &str, (message, hint): (String, Option<String>)) {
        let error = self.files.error(ErrorClass::Schema, at, (path, message));
        self.errors.push(LoadError { hint, ..error });
    }

    /// The mapping under a node, its keys checked against the known ones.
    pub(super) fn map<'n>(&mut self, node: &'n Node, path: &str, known: &[&str]) -> Option<&'n Map> {
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

    pub(super) fn top(&mut self, node: &Node, extension: &mut Extension) {
        let Some(map) = self.map(node, KEY, &["migrate", "jobs", "watch", "drain", "retention"]) else {
            return;
        };
        extension.watch = map.get("watch").and_then(|n| self.duration(n, "x-tidegate.watch"));
        extension.drain = map.get("drain").and_then(|n| self.duration(n, "x-tidegate.drain"));
        extension.migrate = map.get("migrate").and_then(|n| self.migrate(n));
        if let Some(node) = map.get("retention") {
            self.retention(node, &mut extension.retention);
        }
        extension.jobs = map.get("jobs").map(|n| self.jobs(n)).unwrap_or_default();
    }

    pub(super) fn required<'n>(
        &mut self,
        map: &'n Map,
        (node, path): (&Node, &str),
        key: &str,
    ) -> Option<&'n Node> {
        let found = map.get(key);
        if found.is_none() {
            let hint = Some(format!("add `{key}:` below it"));
            self.fail(node.key, path, (format!("`{key}` is missing"), hint));
        }
        found
    }

    pub(super) fn text(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = node.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        if text.is_none() {
            self.fail(node.at, path, (format!("expected text, found {}", node.kind()), None));
        }
        text
    }

    /// The entries of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n [Node]> {
        let Value::List(items) = &node.value else {
            self.fail(node.at, path, (format!("expected a list, found {}", node.kind()), None));
            return None;
        };
        Some(items)
    }

    pub(super) fn command(&mut self, node: &Node, path: &str) -> Option<Vec<String>> {
        let words = match &node.value {
            Value::Str(text) => match shellwords::split(text) {
                Ok(words) => Some(words),
                Err(error) => {
                    self.fail(node.at, path, (error.to_string(), None));
                    return None;
                }
            },
            Value::List(items) => items.iter().map(|n| n.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let words = words.filter(|words: &Vec<String>| !words.is_empty());
        if words.is_none() {
            let message = "expected a command: text, or a list of strings".to_owned();
            self.fail(node.at, path, (message, None));
        }
        words
    }

    pub(super) fn duration(&mut self, node: &Node, path: &str) -> Option<Duration> {
        let nanos = node.as_str().and_then(|text| duration::parse_with_days(text).ok());
        let read = nanos.and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos);
        if read.is_none() {
            let message = format!("expected a duration, found {}", node.kind());
            self.fail(node.at, path, (message, Some("write one like 30s or 10m".to_owned())));
        }
        read
    }

    pub(super) fn service(&mut self, node: &Node, path: &str, service: &Service) -> ServiceExtension {
        let mut read = ServiceExtension::default();
        let known = ["ingress", "gate", "place", "strategy", "backup"];
        let Some(map) = self.map(node, path, &known) else {
            return read;
        };
        if let Some(node) = map.get("ingress") {
            read.ingress = self.ingress(node, &format!("{path}.ingress"));
        }
        if let Some(node) = map.get("gate") {
            self.gate(node, &format!("{path}.gate"), &mut read.gate);
        }
        if let Some(node) = map.get("place") {
            read.place = self.text(node, &format!("{path}.place")).map(Place::parse);
        }
        if let Some(node) = map.get("strategy") {
            read.strategy = self.strategy(node, &format!("{path}.strategy"));
        }
        if let Some(node) = map.get("backup") {
            read.backup = self.backup(node, &format!("{path}.backup"), service);
        }
        read
    }

    pub(super) fn strategy(&mut self, node: &Node, path: &str) -> Option<Strategy> {
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
}
