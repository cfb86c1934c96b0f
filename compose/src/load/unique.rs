//! Removes what a list says twice: the later entry takes the place of the earlier one.

use std::collections::HashMap;

use super::rules::{self, Unique};
use super::volume;
use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::node::{Map, Node, Value};
use crate::problem::Problem;

/// Removes repeated entries in every list that has a rule, and gives what cannot be compared.
pub(super) fn enforce(root: &mut Map, compat: Compatibility) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut path = Vec::new();
    for (key, value) in root {
        path.push(key.as_str());
        walk(value, &mut path, (compat, &mut problems));
        path.pop();
    }
    problems
}

fn walk<'n>(
    node: &'n mut Node,
    path: &mut Vec<&'n str>,
    (compat, problems): (Compatibility, &mut Vec<Problem>),
) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, value) in map {
                path.push(key);
                walk(value, path, (compat, &mut *problems));
                path.pop();
            }
        }
        Value::List(items) => {
            if let Some(rule) = rules::unique(path) {
                let (kept, wrong) = distinct(std::mem::take(items), rule, compat);
                *items = kept;
                problems.extend(wrong.into_iter().map(|problem| problem.path(path.join("."))));
            }
        }
        _ => {}
    }
}

/// The items without repetition, in which those that cannot be compared are left, and what is wrong with these.
fn distinct(items: Vec<Node>, rule: Unique, compat: Compatibility) -> (Vec<Node>, Vec<Problem>) {
    let mut kept: Vec<Node> = Vec::with_capacity(items.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut problems = Vec::new();
    for item in items {
        let key = match index(&item, rule, compat) {
            Ok(key) => key,
            Err(problem) => {
                problems.push(problem);
                kept.push(item);
                continue;
            }
        };
        if let Some(slot) = places.get(&key).and_then(|place| kept.get_mut(*place)) {
            *slot = item;
        } else {
            places.insert(key, kept.len());
            kept.push(item);
        }
    }
    (kept, problems)
}

fn index(item: &Node, rule: Unique, compat: Compatibility) -> Result<String, Problem> {
    match rule {
        Unique::Key => match item.as_str() {
            Some(text) => Ok(text.split_once('=').map_or(text, |(key, _)| key).to_owned()),
            None => Err(unexpected(item, "a string")),
        },
        Unique::Volume => match &item.value {
            Value::Str(text) => volume::parse(text, compat)
                .map(|volume| volume.target)
                .map_err(|error| Problem::new(ErrorClass::Decode, item.at, error.to_string())),
            _ => target(item, "volume"),
        },
        Unique::Device => match &item.value {
            Value::Str(text) => {
                let mut parts = text.split(':');
                let source = parts.next().unwrap_or_default();
                Ok(parts.next().unwrap_or(source).to_owned())
            }
            _ => target(item, "device"),
        },
        Unique::EnvFile => match &item.value {
            Value::Map(map) => map
                .get("path")
                .and_then(Node::as_str)
                .map(str::to_owned)
                .ok_or_else(|| unexpected(item, "an env file with its `path`")),
            _ => Ok(item.as_str().unwrap_or_default().to_owned()),
        },
        Unique::Expose => match &item.value {
            Value::Str(text) => Ok(text.clone()),
            Value::Int(port) => Ok(port.to_string()),
            _ => Err(unexpected(item, "a port")),
        },
        Unique::Secret => mount(item, "/run/secrets"),
        Unique::Config => mount(item, ""),
        Unique::Port => port(item),
    }
}

fn unexpected(item: &Node, wanted: &str) -> Problem {
    let message = format!("expected {wanted}, found {}", item.kind());
    Problem::new(ErrorClass::Schema, item.at, message)
}

fn target(item: &Node, kind: &str) -> Result<String, Problem> {
    if item.as_map().is_none() {
        return Ok(String::new());
    }
    let target = item.get("target").and_then(Node::as_str).map(str::to_owned);
    target.ok_or_else(|| {
        let message = format!("this {kind} lacks its `target`: where it stands in the container");
        Problem::new(ErrorClass::Schema, item.at, message)
    })
}

fn mount(item: &Node, base: &str) -> Result<String, Problem> {
    match &item.value {
        Value::Str(source) => Ok(format!("{base}/{source}")),
        Value::Map(map) => {
            let source = || map.get("source").and_then(Node::as_str).unwrap_or_default();
            let target = map.get("target").and_then(Node::as_str).map(str::to_owned);
            Ok(target.unwrap_or_else(|| format!("{base}/{}", source())))
        }
        _ => Err(unexpected(item, "a name or a mapping")),
    }
}

/// Address, ports and protocol. A published port written as a number is not the one written as text, as in the original.
fn port(item: &Node) -> Result<String, Problem> {
    let Some(map) = item.as_map() else {
        return Ok(match &item.value {
            Value::Str(text) => text.clone(),
            Value::Int(port) => port.to_string(),
            _ => String::new(),
        });
    };
    let Some(target) = map.get("target") else {
        let message = "this port lacks its `target`: the port in the container";
        return Err(Problem::new(ErrorClass::Schema, item.at, message));
    };
    let text = |key: &str, default: &str| {
        map.get(key).map_or(default.to_owned(), |node| match &node.value {
            Value::Str(text) => text.clone(),
            _ => format!("{:?}", node.value),
        })
    };
    let (host, published, protocol) =
        (text("host_ip", "0.0.0.0"), text("published", "?"), text("protocol", "tcp"));
    Ok(format!("{host}:{published}:{:?}/{protocol}", target.value))
}
