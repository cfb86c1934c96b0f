//! Merging two trees: the later file over the earlier one, or a service over the one it extends.
//!
//! Mappings merge, lists append, scalars replace; the table in [`super::rules`] tells what is different for an
//! attribute. A null in the later file leaves what is there.

use super::rules::{self, Merge};
use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::model::{go_text, scalar_text};
use crate::node::{Map, Node, Value};
use crate::problem::Problem;

/// Merges trees at a path.
pub(super) struct Merger {
    path: Vec<String>,
    compat: Compatibility,
    /// What could not be merged; the earlier value stands there.
    pub problems: Vec<Problem>,
}

impl Merger {
    /// At the root.
    pub fn new(compat: Compatibility) -> Self {
        Self { path: Vec::new(), compat, problems: Vec::new() }
    }

    /// At a service.
    pub fn at_service(compat: Compatibility) -> Self {
        Self { path: vec!["services".into(), "x".into()], compat, problems: Vec::new() }
    }

    /// Puts `over` over `base`.
    pub fn merge(&mut self, base: Node, over: Node) -> Node {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match rules::merge(&path) {
            Some(rule) => self.special(rule, base, over),
            None => self.default(base, over),
        }
    }

    fn default(&mut self, base: Node, over: Node) -> Node {
        let at = over.at;
        match (base.value, over.value) {
            (value, Value::Null) => Node { value, ..base_of(base.at, base.key) },
            (Value::Map(map), Value::Map(other)) => {
                let value = Value::Map(self.mappings(map, other));
                Node { value, ..base_of(base.at, base.key) }
            }
            (Value::List(mut items), Value::List(others)) => {
                items.extend(others);
                Node { value: Value::List(items), ..base_of(base.at, base.key) }
            }
            (value @ Value::Map(_), _) => {
                self.conflict(at, "a mapping");
                Node { value, ..base_of(base.at, base.key) }
            }
            (value @ Value::List(_), _) => {
                self.conflict(at, "a list");
                Node { value, ..base_of(base.at, base.key) }
            }
            (_, value) => Node { value, at, key: over.key },
        }
    }

    fn conflict(&mut self, at: crate::node::Position, kind: &str) {
        let message = format!("cannot override {kind} of the file before with what stands here");
        let problem = Problem::new(ErrorClass::Merge, at, message);
        self.problems.push(problem.path(self.path.join(".")));
    }

    fn mappings(&mut self, mut map: Map, other: Map) -> Map {
        for (key, value) in other {
            let replaced = self.compat == Compatibility::V2_26 && key.starts_with("x-");
            let merged = match map.get_mut(&key) {
                Some(base) if !replaced => {
                    let base = std::mem::take(base);
                    self.path.push(key.clone());
                    let merged = self.merge(base, value);
                    self.path.pop();
                    merged
                }
                _ => value,
            };
            map.insert(key, merged);
        }
        map
    }

    fn special(&mut self, rule: Merge, base: Node, over: Node) -> Node {
        let (at, key) = (over.at, over.key);
        match rule {
            Merge::Replace => return over,
            Merge::Sequence => {
                let mut items = sequence(base);
                items.extend(sequence(over));
                return Node { value: Value::List(items), at, key };
            }
            Merge::ExtraHosts => {
                let mut items = sequence(base);
                let fresh: Vec<Node> =
                    sequence(over).into_iter().filter(|item| !items.contains(item)).collect();
                items.extend(fresh);
                return Node { value: Value::List(items), at, key };
            }
            Merge::IpamPools => return self.pools(base, over),
            _ => {}
        }
        let (old_at, old_key) = (base.at, base.key);
        let (base, over) = match rule {
            Merge::Build => (build(base), build(over)),
            Merge::Dependencies => (mapping(base, dependency), mapping(over, dependency)),
            Merge::Names => (mapping(base, Node::default_at), mapping(over, Node::default_at)),
            _ => (map_of(base), map_of(over)),
        };
        let (base, over) = match (base, over) {
            (Some(base), Some(over)) => (base, over),
            (base, _) => {
                self.conflict(at, "what is a mapping or list");
                let value = base.map_or(Value::Null, Value::Map);
                return Node { value, ..base_of(old_at, old_key) };
            }
        };
        if rule == Merge::Logging
            && let (Some(old), Some(new)) = (base.get("driver"), over.get("driver"))
            && old != new
        {
            return Node { value: Value::Map(over), at, key };
        }
        Node { value: Value::Map(self.mappings(base, over)), at, key }
    }

    /// Every pair of an earlier and a later pool is looked at; the later list wins, and what shares a subnet is merged.
    fn pools(&mut self, base: Node, over: Node) -> Node {
        let (at, key) = (over.at, over.key);
        let (originals, overrides) = match (base.value, over.value) {
            (Value::List(originals), Value::List(overrides)) => (originals, overrides),
            (value, _) => {
                self.conflict(at, "a list");
                return Node { value, ..base_of(base.at, base.key) };
            }
        };
        let mut pools: Vec<Map> = Vec::new();
        for original in originals {
            let mut right = map_of(original).unwrap_or_default();
            // Where `right` already stands: it is one and the same pool there, so it changes with it.
            let mut held: Vec<usize> = Vec::new();
            for left in &overrides {
                let left = map_of(left.clone()).unwrap_or_default();
                let known = |pool: &Map| pool.get("subnet") == left.get("subnet");
                if left.get("subnet") != right.get("subnet") && !pools.iter().any(known) {
                    pools.push(left);
                    continue;
                }
                right = self.mappings(right, left);
                for (index, pool) in pools.iter_mut().enumerate() {
                    if held.contains(&index) {
                        pool.clone_from(&right);
                    }
                }
                let same = |pool: &Map| pool.get("subnet") == right.get("subnet");
                let index = pools.iter().position(same).unwrap_or(pools.len());
                match pools.get_mut(index) {
                    Some(pool) => pool.clone_from(&right),
                    None => pools.push(right.clone()),
                }
                held.push(index);
            }
        }
        let items = pools.into_iter().map(|pool| Node { value: Value::Map(pool), at, key: at });
        Node { value: Value::List(items.collect()), at, key }
    }
}

fn base_of(at: crate::node::Position, key: crate::node::Position) -> Node {
    Node { value: Value::Null, at, key }
}

impl Node {
    /// Null at a place.
    fn default_at(at: crate::node::Position) -> Node {
        Node::new(Value::Null, at)
    }
}

/// What a bare name in `depends_on` stands for.
pub(super) fn dependency(at: crate::node::Position) -> Node {
    let mut map = Map::new();
    map.insert("condition".into(), Node::text("service_started", at));
    map.insert("required".into(), Node::new(Value::Bool(true), at));
    Node::new(Value::Map(map), at)
}

fn map_of(node: Node) -> Option<Map> {
    match node.value {
        Value::Map(map) => Some(map),
        Value::Null => Some(Map::new()),
        _ => None,
    }
}

fn build(node: Node) -> Option<Map> {
    if let Value::Str(_) = &node.value {
        let mut map = Map::new();
        map.insert("context".into(), node);
        return Some(map);
    }
    map_of(node)
}

fn mapping(node: Node, entry: fn(crate::node::Position) -> Node) -> Option<Map> {
    let Value::List(items) = node.value else {
        return map_of(node);
    };
    let names = items.into_iter().map(|item| {
        let at = item.at;
        item.as_str().map(|name| (name.to_owned(), entry(at)))
    });
    names.collect()
}

/// Brings a mapping to a sorted list of `KEY=value`, a text to a list of one.
pub(super) fn sequence(node: Node) -> Vec<Node> {
    match node.value {
        Value::List(items) => items,
        Value::Str(_) => vec![node],
        Value::Map(map) => {
            let mut items: Vec<(String, Node)> = Vec::new();
            for (key, value) in map {
                match &value.value {
                    Value::Null => items.push((key, value)),
                    Value::List(list) => items.extend(list.iter().map(|item| {
                        (format!("{key}={}", scalar_text(item).unwrap_or_default()), item.clone())
                    })),
                    _ => {
                        items.push((format!("{key}={}", go_text(&value)), value));
                    }
                }
            }
            items.sort_by(|left, right| left.0.cmp(&right.0));
            items
                .into_iter()
                .map(|(text, node)| Node { value: Value::Str(text), at: node.at, key: node.key })
                .collect()
        }
        _ => Vec::new(),
    }
}
