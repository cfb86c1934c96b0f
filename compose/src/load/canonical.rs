//! Brings every short syntax to its long form.
//!
//! Works on a tree that the schema accepted, or on the raw one of an extended file; what it cannot bring to a long
//! form is a problem with its place.

mod long;

use self::long::{long_mount, long_port};
use super::merge::dependency;
use super::port;
use super::volume;
use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::model::go_text;
use crate::node::{Map, Node, Position, Value};
use crate::problem::Problem;

/// The most published ports of a load, ranges expanded.
pub(super) const MAX_PORTS: usize = 70_000;

/// Brings a tree to its long forms.
pub(super) struct Canonical<'a> {
    pub compat: Compatibility,
    pub problems: Vec<Problem>,
    /// Ports expanded so far in this load.
    pub ports: &'a mut usize,
    /// Deprecated forms found, with their places.
    pub deprecated: Vec<(String, Position)>,
}

impl Canonical<'_> {
    /// The whole tree.
    pub fn project(&mut self, root: &mut Map) {
        if let Some(services) = root.get_mut("services").and_then(Node::as_map_mut) {
            for (name, service) in services {
                if let Some(map) = service.as_map_mut() {
                    self.service(name, map);
                }
            }
        }
        for section in ["volumes", "networks", "secrets", "configs"] {
            for (name, node) in root.get_mut(section).and_then(Node::as_map_mut).into_iter().flatten() {
                self.external(&format!("{section}.{name}"), node);
            }
        }
    }

    fn fail(&mut self, class: ErrorClass, at: Position, (path, message): (String, String)) {
        self.problems.push(Problem::new(class, at, message).path(path));
    }

    fn wrong(&mut self, node: &Node, path: String, wanted: &str) {
        let message = format!("expected {wanted}, found {}", node.kind());
        self.fail(ErrorClass::Schema, node.at, (path, message));
    }

    fn service(&mut self, name: &str, map: &mut Map) {
        for (key, node) in map {
            let path = || format!("services.{name}.{key}");
            match key.as_str() {
                "build" => self.build(node, &path()),
                "depends_on" => self.depends_on(node, &path()),
                "env_file" => self.env_files(node, &path()),
                "label_file" => listed(node),
                "dns" => {
                    listed(node);
                    without_empty(node);
                }
                "extends" => named(node, "service"),
                "gpus" => self.gpus(node, &path()),
                "networks" => names_to_map(node),
                "models" if self.compat == Compatibility::V2_40 => names_to_map(node),
                "volumes" => each(node, |item| self.mount(item, &path())),
                "devices" => each(node, |item| self.device(item, &path())),
                "secrets" | "configs" => each(node, |item| self.reference(item, &path())),
                "ports" => self.ports(node, &path()),
                "ulimits" => self.ulimits(node, &path()),
                "develop" if self.compat == Compatibility::V2_40 => watches(node),
                _ => {}
            }
        }
    }

    fn build(&mut self, node: &mut Node, path: &str) {
        named(node, "context");
        let Some(map) = node.as_map_mut() else {
            self.wrong(node, path.to_owned(), "a context or a mapping");
            return;
        };
        for (key, node) in map {
            let path = || format!("{path}.{key}");
            match key.as_str() {
                "secrets" => each(node, |item| self.reference(item, &path())),
                "provenance" | "sbom" if node.as_str().is_none() => {
                    node.value = Value::Str(go_text(node));
                }
                "additional_contexts" => self.key_values(node, &path()),
                "ssh" => self.ssh(node, &path()),
                "ulimits" => self.ulimits(node, &path()),
                _ => {}
            }
        }
    }

    fn key_values(&mut self, node: &mut Node, path: &str) {
        let Value::List(items) = &node.value else { return };
        let mut map = Map::new();
        for item in items {
            match item.as_str().and_then(|text| text.split_once('=')) {
                Some((key, value)) => {
                    map.insert(key.to_owned(), Node::text(value, item.at));
                }
                None => self.wrong(item, path.to_owned(), "key=value"),
            }
        }
        node.value = Value::Map(map);
    }

    fn ssh(&mut self, node: &mut Node, path: &str) {
        let Value::List(items) = &node.value else { return };
        let mut map = Map::new();
        for item in items {
            let text = item.as_str().unwrap_or_default();
            match text.split_once('=') {
                Some((id, key)) => {
                    map.insert(id.to_owned(), Node::text(key, item.at));
                }
                None if text == "default" => {
                    map.insert(text.to_owned(), Node::new(Value::Null, item.at));
                }
                None => {
                    let message = format!("invalid ssh key {text:?}; write id=path, or default");
                    self.fail(ErrorClass::Decode, item.at, (path.to_owned(), message));
                }
            }
        }
        node.value = Value::Map(map);
    }

    fn depends_on(&mut self, node: &mut Node, path: &str) {
        match &mut node.value {
            Value::List(items) => {
                let mut map = Map::new();
                for item in items {
                    if let Some(name) = item.as_str() {
                        map.insert(name.to_owned(), dependency(item.at));
                    }
                }
                node.value = Value::Map(map);
            }
            Value::Map(map) => {
                for (name, entry) in map {
                    let defaults = dependency(entry.at);
                    match (entry.as_map_mut(), defaults.value) {
                        (Some(entry), Value::Map(defaults)) => {
                            for (key, value) in defaults {
                                entry.entry(key).or_insert(value);
                            }
                        }
                        _ => self.wrong(entry, format!("{path}.{name}"), "a mapping"),
                    }
                }
            }
            _ => self.wrong(node, path.to_owned(), "a list or a mapping"),
        }
    }

    fn env_files(&mut self, node: &mut Node, path: &str) {
        listed(node);
        if node.as_list().is_none() {
            self.wrong(node, path.to_owned(), "a path or a list");
        }
        each(node, |item| {
            named(item, "path");
            let at = item.at;
            if let Some(map) = item.as_map_mut() {
                map.entry("required".to_owned()).or_insert_with(|| Node::new(Value::Bool(true), at));
            }
        });
    }

    fn gpus(&mut self, node: &mut Node, path: &str) {
        let at = node.at;
        match &node.value {
            Value::List(_) => {}
            Value::Str(_) => {
                let all = Map::from_iter([("count".to_owned(), Node::text("all", at))]);
                node.value = Value::List(vec![Node::new(Value::Map(all), at)]);
            }
            _ => self.wrong(node, path.to_owned(), "`all` or a list"),
        }
    }

    fn reference(&mut self, item: &mut Node, path: &str) {
        named(item, "source");
        if item.as_map().is_none() {
            self.wrong(item, path.to_owned(), "a name or a mapping");
        }
    }

    fn ulimits(&mut self, node: &Node, path: &str) {
        for (name, limit) in node.as_map().into_iter().flatten() {
            if !matches!(limit.value, Value::Map(_) | Value::Int(_)) {
                self.wrong(limit, format!("{path}.{name}"), "an integer, or `soft` and `hard`");
            }
        }
    }

    fn mount(&mut self, item: &mut Node, path: &str) {
        let at = item.at;
        match &item.value {
            Value::Map(_) => {}
            Value::Str(text) => match volume::parse(text, self.compat) {
                Ok(volume) => item.value = Value::Map(long_mount(&volume, at)),
                Err(error) => {
                    self.fail(ErrorClass::Decode, at, (path.to_owned(), error.to_string()));
                }
            },
            _ => self.wrong(item, path.to_owned(), "source:target or a mapping"),
        }
    }

    fn device(&mut self, item: &mut Node, path: &str) {
        let at = item.at;
        let Some(text) = item.as_str() else {
            if item.as_map().is_none() {
                self.wrong(item, path.to_owned(), "source:target or a mapping");
            }
            return;
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, permissions) = match parts.as_slice() {
            [source] => (*source, "", "rwm"),
            [source, target] => (*source, *target, "rwm"),
            [source, target, permissions] => (*source, *target, *permissions),
            _ => {
                let message = format!("device {text:?} has too many parts; use `source` and `target`");
                self.fail(ErrorClass::Decode, at, (path.to_owned(), message));
                return;
            }
        };
        let target = if target.is_empty() { source } else { target };
        let fields = [("source", source), ("target", target), ("permissions", permissions)];
        // Empty ones stay: nothing but an empty text has neither source nor target, and that is taken.
        let text = |(key, value): (&str, &str)| (key.to_owned(), Node::text(value, at));
        item.value = Value::Map(fields.into_iter().map(text).collect());
    }

    fn ports(&mut self, node: &mut Node, path: &str) {
        let Value::List(items) = &mut node.value else {
            self.wrong(node, path.to_owned(), "a list");
            return;
        };
        let mut ports = Vec::with_capacity(items.len());
        let full = *self.ports > MAX_PORTS;
        for item in std::mem::take(items).into_iter().filter(|_| !full) {
            let text = match &item.value {
                Value::Map(_) => {
                    ports.push(item);
                    continue;
                }
                Value::Int(port) => port.to_string(),
                Value::Str(text) => text.clone(),
                _ => {
                    self.wrong(&item, path.to_owned(), "a port, a range or a mapping");
                    continue;
                }
            };
            match port::parse(&text) {
                Ok(parsed) => {
                    *self.ports = self.ports.saturating_add(parsed.len());
                    if *self.ports > MAX_PORTS {
                        let message = format!("the project publishes more than {MAX_PORTS} ports");
                        self.fail(ErrorClass::Ports, item.at, (path.to_owned(), message));
                        return;
                    }
                    ports.extend(parsed.iter().map(|port| long_port(port, item.at)));
                }
                Err(error) => {
                    self.fail(ErrorClass::Ports, item.at, (path.to_owned(), error.to_string()));
                }
            }
        }
        node.value = Value::List(ports);
    }

    /// `external: {name: x}` is the old form of `external: true` and `name: x`.
    fn external(&mut self, path: &str, node: &mut Node) {
        let at = node.at;
        let Some(map) = node.as_map_mut() else {
            if !node.is_null() {
                self.wrong(node, path.to_owned(), "a mapping");
            }
            return;
        };
        let Some(Value::Map(old)) = map.get("external").map(|node| node.value.clone()) else {
            return;
        };
        map.insert("external".to_owned(), Node::new(Value::Bool(true), at));
        let Some(old_name) = old.get("name") else { return };
        let message = format!("{path}: external.name is deprecated. Please set name and external: true");
        self.deprecated.push((message, old_name.at));
        match map.get("name") {
            Some(name) if name != old_name => {
                let message = "`name` and `external.name` differ; keep only `name`".to_owned();
                self.fail(ErrorClass::Consistency, old_name.at, (path.to_owned(), message));
            }
            Some(_) => {}
            None => {
                map.insert("name".to_owned(), old_name.clone());
            }
        }
    }
}

fn each(node: &mut Node, mut change: impl FnMut(&mut Node)) {
    if let Value::List(items) = &mut node.value {
        items.iter_mut().for_each(&mut change);
    }
}

/// A text becomes a list of one.
fn listed(node: &mut Node) {
    if node.as_str().is_some() {
        let item = node.clone();
        node.value = Value::List(vec![item]);
    }
}

/// A text becomes a mapping with it under `key`.
fn named(node: &mut Node, key: &str) {
    if node.as_str().is_some() {
        let item = node.clone();
        node.value = Value::Map(Map::from_iter([(key.to_owned(), item)]));
    }
}

fn names_to_map(node: &mut Node) {
    if let Value::List(items) = &node.value {
        let entry =
            |item: &Node| item.as_str().map(|name| (name.to_owned(), Node::new(Value::Null, item.at)));
        node.value = Value::Map(items.iter().filter_map(entry).collect());
    }
}

fn without_empty(node: &mut Node) {
    if let Value::List(items) = &mut node.value {
        items.retain(|item| !item.is_null() && item.as_str() != Some(""));
    }
}

fn watches(node: &mut Node) {
    let Some(watch) = node.as_map_mut().and_then(|map| map.get_mut("watch")) else {
        return;
    };
    each(watch, |item| {
        for key in ["ignore", "include"] {
            if let Some(node) = item.as_map_mut().and_then(|map| map.get_mut(key)) {
                listed(node);
            }
        }
    });
}
