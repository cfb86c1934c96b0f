//! Defaults that are set when a file and its overrides are merged, checks on single attributes, and values that come
//! from the environment.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::node::{Map, Node, Value};
use crate::problem::Problem;

/// Sets defaults.
pub(super) fn set(root: &mut Map) {
    for (_, service) in entries(root, "services") {
        let Some(service) = service.as_map_mut() else {
            continue;
        };
        if let Some(build) = service.get_mut("build") {
            default(build, "context", ".");
        }
        for item in items(service.get_mut("secrets")) {
            let source = item.get("source").and_then(Node::as_str).unwrap_or_default();
            let target = format!("/run/secrets/{source}");
            default(item, "target", &target);
        }
        for item in items(service.get_mut("ports")) {
            default(item, "protocol", "tcp");
            default(item, "mode", "ingress");
        }
        let devices = below(service, &["deploy", "resources", "reservations", "devices"]);
        for item in items(devices) {
            device_count(item);
        }
        for item in items(service.get_mut("gpus")) {
            device_count(item);
        }
    }
}

fn device_count(item: &mut Node) {
    if item.get("count").is_none() && item.get("device_ids").is_none() {
        default(item, "count", "all");
    }
}

fn default(node: &mut Node, key: &str, value: &str) {
    let at = node.at;
    if let Some(map) = node.as_map_mut() {
        map.entry(key.to_owned()).or_insert_with(|| Node::text(value, at));
    }
}

fn entries<'m>(root: &'m mut Map, key: &str) -> impl Iterator<Item = (&'m String, &'m mut Node)> {
    root.get_mut(key).and_then(Node::as_map_mut).into_iter().flatten()
}

fn items(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    let items = node.and_then(|node| match &mut node.value {
        Value::List(items) => Some(items),
        _ => None,
    });
    items.into_iter().flatten()
}

fn below<'m>(map: &'m mut Map, path: &[&str]) -> Option<&'m mut Node> {
    let (first, rest) = path.split_first()?;
    let mut node = map.get_mut(*first)?;
    for step in rest {
        node = node.as_map_mut()?.get_mut(*step)?;
    }
    Some(node)
}

fn find<'m>(map: &'m Node, path: &[&str]) -> Option<&'m Node> {
    path.iter().try_fold(map, |node, step| node.get(step))
}

/// Checks attributes that need no other part of the project.
pub(super) fn check(root: &Map, compat: Compatibility) -> Vec<Problem> {
    let mut problems = Vec::new();
    let each = |key: &str| root.get(key).and_then(Node::as_map).into_iter().flatten();
    for (name, volume) in each("volumes") {
        external_volume(name, volume, &mut problems);
    }
    for (name, node) in each("configs") {
        file_object(&format!("configs.{name}"), node, &["file", "environment", "content"], &mut problems);
    }
    for (name, node) in each("secrets") {
        file_object(&format!("secrets.{name}"), node, &["file", "environment"], &mut problems);
    }
    for (name, service) in each("services") {
        check_service(name, service, compat, &mut problems);
    }
    problems
}

fn check_service(name: &str, service: &Node, compat: Compatibility, problems: &mut Vec<Problem>) {
    let list = |path: &[&str]| find(service, path).and_then(Node::as_list).unwrap_or_default();
    let mut fail = |node: &Node, attribute: &str, message: String| {
        let problem = Problem::new(ErrorClass::Consistency, node.at, message);
        problems.push(problem.path(format!("services.{name}.{attribute}")));
    };
    for item in list(&["ports"]) {
        let ip = item.get("host_ip").and_then(Node::as_str);
        if let Some(ip) = ip.filter(|ip| compat == Compatibility::V2_40 && ip.parse::<IpAddr>().is_err()) {
            fail(item, "ports", format!("invalid address {ip:?}"));
        }
    }
    for item in list(&["develop", "watch"]) {
        if item.get("path").and_then(Node::as_str) == Some("") {
            fail(item, "develop.watch", "`path` cannot be blank".to_owned());
        }
    }
    for path in [&["deploy", "resources", "reservations", "devices"][..], &["gpus"]] {
        for item in list(path) {
            if item.get("count").is_some() && item.get("device_ids").is_some() {
                let message = "`count` and `device_ids` exclude each other".to_owned();
                fail(item, &path.join("."), message);
            }
        }
    }
}

fn external_volume(name: &str, volume: &Node, problems: &mut Vec<Problem>) {
    let Some(map) = volume.as_map() else { return };
    if map.get("external").is_none_or(|node| node.value != Value::Bool(true)) {
        return;
    }
    for (key, node) in map {
        if !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-") {
            let message =
                format!("an external volume is only looked up: `{key}` has no place beside `external`");
            let problem = Problem::new(ErrorClass::Consistency, node.key, message).about_key();
            problems.push(problem.path(format!("volumes.{name}")));
        }
    }
}

fn file_object(path: &str, node: &Node, keys: &[&str], problems: &mut Vec<Problem>) {
    let Some(map) = node.as_map() else { return };
    let count = keys.iter().filter(|key| map.contains_key(**key)).count();
    let message = match count {
        0 if !map.contains_key("driver") && !map.contains_key("external") => {
            format!("one of {} must be set", keys.join(", "))
        }
        0 | 1 => return,
        _ => format!("{} exclude each other", keys.join(", ")),
    };
    problems.push(Problem::new(ErrorClass::Consistency, node.at, message).path(path));
}

/// Fills in what comes from the environment: bare names in `environment` lists, secrets and configs.
pub(super) fn resolve_environment(root: &mut Map, get: &dyn Fn(&str) -> Option<String>) {
    for (_, service) in entries(root, "services") {
        let environment = service.as_map_mut().and_then(|map| map.get_mut("environment"));
        for item in items(environment) {
            let name = item.as_str().filter(|name| !name.contains('=')).map(str::to_owned);
            if let Some(name) = name
                && let Some(value) = get(&name)
            {
                item.value = Value::Str(format!("{name}={value}"));
            }
        }
    }
    for section in ["secrets", "configs"] {
        for (_, node) in entries(root, section) {
            let at = node.at;
            let Some(map) = node.as_map_mut() else { continue };
            let name = map.get("environment").and_then(Node::as_str).map(str::to_owned);
            if let Some(value) = name.and_then(|name| get(&name)) {
                map.insert(crate::model::HELD_CONTENT.to_owned(), Node::text(value, at));
            }
        }
    }
}

/// Looks bare names up in a map of variables.
pub(super) fn from_map(values: &BTreeMap<String, String>) -> impl Fn(&str) -> Option<String> + '_ {
    |name| values.get(name).cloned()
}
