//! Where the attributes of a loaded project are written, by path, and which values were filled in from variables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::error::Place;
use crate::files::FileTable;
use crate::node::{Map, Node, Position, Value};

/// How far down paths are kept: to the parts of a service's attributes.
const DEPTH: usize = 5;

/// Where the key of an attribute stands, and its value.
#[derive(Debug, Clone, Copy)]
struct Spot {
    key: Position,
    value: Position,
}

/// What is written where, by path.
type Written = BTreeMap<String, Spot>;

/// What is written where, and what was filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    tree: Map,
    /// Made of the tree when it is first asked for: most loads never are.
    written: OnceLock<Written>,
    filled: BTreeSet<Position>,
}

impl Places {
    pub fn new(tree: Map, filled: BTreeSet<Position>) -> Self {
        Self { tree, written: OnceLock::new(), filled }
    }

    fn written(&self) -> &Written {
        self.written.get_or_init(|| written(&self.tree))
    }

    /// The place of an attribute, or of the nearest thing around it that is written somewhere.
    pub fn near(&self, path: &str, files: &FileTable) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.written().get(path).and_then(|spot| files.place(spot.key)) {
                return Some(place);
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    /// Whether the value at a path is written out.
    pub fn is_literal(&self, path: &str) -> bool {
        self.written().get(path).is_some_and(|spot| spot.value.line > 0 && !self.filled.contains(&spot.value))
    }
}

/// Where everything in a tree is written. Items of lists are found by their index, `NAME=value` also by the name.
fn written(tree: &Map) -> Written {
    let mut found = BTreeMap::new();
    let mut open: Vec<(String, &Node, usize)> = Vec::new();
    let below = |prefix: &str, map: &'_ Map| -> Vec<String> {
        map.keys().map(|key| format!("{prefix}{key}")).collect()
    };
    for (path, node) in below("", tree).into_iter().zip(tree.values()) {
        open.push((path, node, 1));
    }
    while let Some((path, node, depth)) = open.pop() {
        match &node.value {
            Value::Map(map) if depth < DEPTH => {
                let paths = below(&format!("{path}."), map);
                open.extend(paths.into_iter().zip(map.values()).map(|(path, node)| (path, node, depth + 1)));
            }
            Value::List(items) if depth < DEPTH => {
                for (index, item) in items.iter().enumerate() {
                    let spot = Spot { key: item.key, value: item.at };
                    if let Some((name, _)) = item.as_str().and_then(|text| text.split_once('=')) {
                        found.insert(format!("{path}.{name}"), spot);
                    }
                    found.insert(format!("{path}.{index}"), spot);
                }
            }
            _ => {}
        }
        found.insert(path, Spot { key: node.key, value: node.at });
    }
    found
}
