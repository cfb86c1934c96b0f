//! The last step on the tree: implied networks, dependencies and names, defaults of builds, bare variables.

use crate::names::{clean_path, resource_name};
use crate::node::{Map, Node, Position, Value};

/// Gives the value of a variable.
pub(super) type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Normalises a whole project.
pub(super) fn project(root: &mut Map, name: &str, environment: Get<'_>) {
    networks(root);
    for (_, service) in services(root) {
        let at = service.at;
        if let Some(map) = service.as_map_mut() {
            self::service(map, at, environment);
        }
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        for (key, node) in root.get_mut(section).and_then(Node::as_map_mut).into_iter().flatten() {
            set_name(key, node, name);
        }
    }
}

fn services(root: &mut Map) -> impl Iterator<Item = (&String, &mut Node)> {
    root.get_mut("services").and_then(Node::as_map_mut).into_iter().flatten()
}

/// Every service without networks is on `default`, which exists only if someone uses it.
fn networks(root: &mut Map) {
    let mut used = false;
    for (_, service) in services(root) {
        let at = service.at;
        let Some(map) = service.as_map_mut() else { continue };
        if map.contains_key("provider") || map.contains_key("network_mode") {
            continue;
        }
        let declared = map.get("networks").and_then(Node::as_map).filter(|networks| !networks.is_empty());
        if let Some(networks) = declared {
            used |= networks.contains_key("default");
        } else {
            let default = Map::from_iter([("default".to_owned(), Node::new(Value::Null, at))]);
            map.insert("networks".to_owned(), Node::new(Value::Map(default), at));
            used = true;
        }
    }
    if !used {
        return;
    }
    let networks = root
        .entry("networks".to_owned())
        .or_insert_with(|| Node::new(Value::Map(Map::new()), Position::nowhere()));
    if let Some(map) = networks.as_map_mut() {
        map.entry("default".to_owned()).or_insert_with(|| Node::new(Value::Null, Position::nowhere()));
    }
}

fn service(map: &mut Map, at: Position, environment: Get<'_>) {
    if let Some(policy) = map.get_mut("pull_policy")
        && policy.as_str() == Some("if_not_present")
    {
        policy.value = Value::Str("missing".to_owned());
    }
    if let Some(build) = map.get_mut("build") {
        self::build(build, environment);
    }
    if let Some(node) = map.get_mut("environment") {
        resolve(node, environment, Bare::Kept);
    }
    let implied = implied_dependencies(map, at);
    if !implied.is_empty() {
        let node =
            map.entry("depends_on".to_owned()).or_insert_with(|| Node::new(Value::Map(Map::new()), at));
        if let Some(declared) = node.as_map_mut() {
            for (name, entry) in implied {
                declared.entry(name).or_insert(entry);
            }
        }
    }
    for item in map.get_mut("volumes").and_then(list_mut).into_iter().flatten() {
        if let Some(target) = item.as_map_mut().and_then(|map| map.get_mut("target"))
            && let Value::Str(path) = &target.value
        {
            target.value = Value::Str(clean_path(path));
        }
    }
}

fn list_mut(node: &mut Node) -> Option<&mut Vec<Node>> {
    if let Value::List(items) = &mut node.value { Some(items) } else { None }
}

fn build(node: &mut Node, environment: Get<'_>) {
    let at = node.at;
    let Some(map) = node.as_map_mut() else { return };
    if map.get("context").is_none_or(Node::is_null) {
        map.insert("context".to_owned(), Node::text(".", at));
    }
    let given = |key: &str| map.get(key).is_some_and(|node| !node.is_null());
    if !given("dockerfile") && !given("dockerfile_inline") {
        map.insert("dockerfile".to_owned(), Node::text("Dockerfile", at));
    }
    if let Some(args) = map.get_mut("args") {
        resolve(args, environment, Bare::Dropped);
    }
}

/// What happens to a name without value that the environment does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bare {
    Kept,
    Dropped,
}

/// Gives bare names their value from the environment.
fn resolve(node: &mut Node, environment: Get<'_>, bare: Bare) {
    match &mut node.value {
        Value::List(items) => items.retain_mut(|item| {
            let Some(name) = item.as_str() else { return false };
            if name.contains('=') {
                return true;
            }
            match environment(name) {
                Some(value) => {
                    item.value = Value::Str(format!("{name}={value}"));
                    true
                }
                None => bare == Bare::Kept,
            }
        }),
        Value::Map(map) => map.retain(|name, item| {
            if !item.is_null() {
                return true;
            }
            match environment(name) {
                Some(value) => {
                    item.value = Value::Str(value);
                    true
                }
                None => bare == Bare::Kept,
            }
        }),
        _ => {}
    }
}

/// Dependencies that follow from links, shared namespaces and shared volumes.
fn implied_dependencies(map: &Map, at: Position) -> Vec<(String, Node)> {
    let mut implied: Vec<(String, Node)> = Vec::new();
    let mut add = |name: &str, restart: Restart| {
        if !implied.iter().any(|(known, _)| known == name) {
            implied.push((name.to_owned(), dependency(restart, at)));
        }
    };
    let texts = |key: &str| map.get(key).and_then(Node::as_list).unwrap_or_default();
    for link in texts("links").iter().filter_map(Node::as_str) {
        match link.split(':').collect::<Vec<_>>().as_slice() {
            [name, _] => add(name, Restart::Follows),
            _ => add(link, Restart::Follows),
        }
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let shared = map.get(key).and_then(Node::as_str).and_then(|text| text.strip_prefix("service:"));
        if let Some(name) = shared {
            add(name, Restart::Follows);
        }
    }
    for from in texts("volumes_from").iter().filter_map(Node::as_str) {
        if !from.starts_with("container:") {
            add(from.split(':').next().unwrap_or_default(), Restart::Stays);
        }
    }
    implied
}

/// What an implied dependency does when the other service is restarted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Restart {
    Follows,
    Stays,
}

fn dependency(restart: Restart, at: Position) -> Node {
    let fields = [
        ("condition", Value::Str("service_started".to_owned())),
        ("restart", Value::Bool(restart == Restart::Follows)),
        ("required", Value::Bool(true)),
    ];
    let map = fields.into_iter().map(|(key, value)| (key.to_owned(), Node::new(value, at)));
    Node::new(Value::Map(map.collect()), at)
}

fn set_name(key: &str, node: &mut Node, project: &str) {
    let at = node.at;
    if node.is_null() {
        node.value = Value::Map(Map::new());
    }
    let Some(map) = node.as_map_mut() else { return };
    if map.get("name").is_some_and(|name| !name.is_null()) {
        return;
    }
    let external = match map.get("external").map(|node| &node.value) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Str(text)) => matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"),
        _ => false,
    };
    let name = if external { key.to_owned() } else { resource_name(project, key) };
    map.insert("name".to_owned(), Node::text(name, at));
}
