//! Checks a tree against the table of attributes, and says what would be right.
//!
//! Owns the shapes and the walk; the attributes themselves are in [`table`]. All problems of a tree are collected.

pub(super) mod table;

use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::files::nearest;
use crate::node::{Map, Node, Position, Value};
use crate::problem::Problem;

/// What a value may be.
#[derive(Debug)]
pub(super) enum Shape {
    /// Scalars of these kinds.
    Scalar(&'static [Kind]),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text that a function accepts, and how it is described.
    Text(fn(&str) -> bool, &'static str),
    /// Text, or an integer in a range.
    TextOrRange(i64, i64),
    /// A list of values.
    List(&'static Shape),
    /// A list of values that are all different.
    Set(&'static Shape),
    /// A mapping with free keys.
    Map(&'static MapShape),
    /// A mapping with known keys.
    Record(&'static Record),
    /// One of several; the first is named when none fits.
    Either(&'static [&'static Shape]),
    /// Another shape in 2.26 (the first) than from 2.40 on (the second).
    Since40(&'static Shape, &'static Shape),
}

/// Kinds of scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Null,
}

/// A mapping with free keys.
#[derive(Debug)]
pub(super) struct MapShape {
    /// Which keys are checked, and how they are described.
    pub keys: fn(&str) -> bool,
    /// What happens to other keys.
    pub others: Others,
    /// What stands under a key.
    pub value: &'static Shape,
}

/// What happens to keys that do not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Refused,
    Unchecked,
}

/// A mapping with known keys.
#[derive(Debug)]
pub(super) struct Record {
    pub attributes: &'static [Attribute],
    pub required: &'static [&'static str],
    pub extensions: Extensions,
}

/// Which further keys a record may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extensions {
    /// Those that start with `x-`.
    Allowed,
    /// None.
    Refused,
    /// All.
    Open,
}

/// An attribute of a record.
#[derive(Debug)]
pub(super) struct Attribute {
    pub key: &'static str,
    pub shape: &'static Shape,
    /// Whether 2.26 knows it.
    pub age: Age,
}

/// Since when an attribute exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Always,
    Since40,
}

/// The most problems that are collected.
const MAX_PROBLEMS: usize = 100;

/// Checks a whole tree.
pub(super) fn check(root: &Map, at: Position, compat: Compatibility) -> Vec<Problem> {
    let mut checker = Checker { compat, problems: Vec::new() };
    checker.record(root, at, &table::PROJECT);
    if compat == Compatibility::V2_26 {
        root.values().for_each(|node| checker.finite(node));
    }
    checker.problems
}

struct Checker {
    compat: Compatibility,
    problems: Vec<Problem>,
}

impl Checker {
    /// Enough problems for anyone to work on.
    fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    fn fail(&mut self, at: Position, message: String, hint: Option<String>) {
        if !self.is_full() {
            self.problems.push(Problem::new(ErrorClass::Schema, at, message).hint(hint));
        }
    }

    /// The older validator sees the tree as JSON, which has no infinite numbers.
    fn finite(&mut self, node: &Node) {
        match &node.value {
            Value::Float(number) if !number.is_finite() => {
                self.fail(node.at, "expected a finite number".to_owned(), None);
            }
            Value::List(items) => items.iter().for_each(|item| self.finite(item)),
            Value::Map(map) => map.values().for_each(|node| self.finite(node)),
            _ => {}
        }
    }

    fn fail_key(&mut self, at: Position, message: String, hint: Option<String>) {
        if !self.is_full() {
            self.problems.push(Problem::new(ErrorClass::Schema, at, message).about_key().hint(hint));
        }
    }

    fn below(&mut self, step: impl std::fmt::Display, node: &Node, shape: &Shape) {
        if self.is_full() {
            return;
        }
        let before = self.problems.len();
        self.value(node, shape);
        // Few values are wrong: the way to them is put together on the way back.
        for problem in self.problems.iter_mut().skip(before) {
            problem.prefix(&step);
        }
    }

    fn value(&mut self, node: &Node, shape: &Shape) {
        match shape {
            Shape::Since40(old, new) => {
                let shape = if self.compat == Compatibility::V2_26 { old } else { new };
                self.value(node, shape);
            }
            Shape::Either(shapes) => self.either(node, shapes),
            Shape::List(item) => self.list(node, item),
            Shape::Set(item) => {
                self.list(node, item);
                self.distinct(node);
            }
            Shape::Map(shape) => match &node.value {
                Value::Map(map) => self.map(map, shape),
                _ => self.wrong(node, "a mapping"),
            },
            Shape::Record(record) => match &node.value {
                Value::Map(map) => self.record(map, node.at, record),
                _ => self.wrong(node, "a mapping"),
            },
            Shape::Word(words) => self.word(node, words),
            _ if self.fits(node, shape) => {}
            _ => self.wrong(node, &describe(shape, self.compat)),
        }
    }

    fn wrong(&mut self, node: &Node, wanted: &str) {
        let unquoted = wanted.contains("a string").then(|| crate::model::scalar_text(node)).flatten();
        let hint = unquoted.map(|text| format!("put it in quotes: \"{text}\""));
        self.fail(node.at, format!("expected {wanted}, found {}", node.kind()), hint);
    }

    fn word(&mut self, node: &Node, words: &[&'static str]) {
        match node.as_str() {
            Some(text) if words.contains(&text) => {}
            Some(text) => {
                let hint = nearest(text, words.iter().copied());
                let hint = hint.map(|word| format!("did you mean `{word}`?"));
                self.fail(node.at, format!("{text:?} is not one of {}", words.join(", ")), hint);
            }
            None => self.wrong(node, &format!("one of {}", words.join(", "))),
        }
    }

    /// Reports the alternative that comes nearest: one of the same kind with its own problems, else the list of all.
    fn either(&mut self, node: &Node, shapes: &[&Shape]) {
        if shapes.iter().any(|shape| self.fits(node, shape)) {
            return;
        }
        let same = shapes.iter().find(|shape| match resolve(shape, self.compat) {
            Shape::Map(_) | Shape::Record(_) => node.as_map().is_some(),
            Shape::List(_) | Shape::Set(_) => node.as_list().is_some(),
            Shape::Word(_) | Shape::Text(..) => node.as_str().is_some(),
            _ => false,
        });
        if let Some(shape) = same {
            self.value(node, shape);
            return;
        }
        let wanted: Vec<String> = shapes.iter().map(|shape| describe(shape, self.compat)).collect();
        self.wrong(node, &wanted.join(" or "));
    }

    fn list(&mut self, node: &Node, item: &Shape) {
        let Value::List(items) = &node.value else {
            self.wrong(node, "a list");
            return;
        };
        for (index, entry) in items.iter().enumerate() {
            self.below(index, entry, item);
        }
    }

    fn distinct(&mut self, node: &Node) {
        let Value::List(items) = &node.value else { return };
        if let Some((first, again)) = repeated(items) {
            let message = format!("the list has {} twice, first in line {}", shown(again), first.at.line);
            self.fail(again.at, message, Some("remove one of them".to_owned()));
        }
    }

    fn map(&mut self, map: &Map, shape: &MapShape) {
        for (key, node) in map {
            if (shape.keys)(key) {
                self.below(key, node, shape.value);
            } else if shape.others == Others::Refused {
                let message = format!("{key:?} is no valid name; use letters, digits, `.`, `_` and `-`");
                self.fail_key(node.key, message, None);
            }
        }
    }

    fn record(&mut self, map: &Map, at: Position, record: &Record) {
        let compat = self.compat;
        let known = |attribute: &&Attribute| attribute.age == Age::Always || compat != Compatibility::V2_26;
        let mut meant = Vec::new();
        for (key, node) in map {
            let found = record.attributes.iter().filter(known).find(|one| one.key == key);
            if let Some(attribute) = found {
                self.below(key, node, attribute.shape);
                continue;
            }
            match record.extensions {
                Extensions::Open => {}
                Extensions::Allowed if key.starts_with("x-") => {}
                _ => meant.extend(self.unknown(key, node, record)),
            }
        }
        for key in record.required {
            if !map.contains_key(*key) && !meant.contains(key) {
                self.fail(at, format!("`{key}` is missing"), Some(format!("add `{key}:` here")));
            }
        }
    }

    /// Tells of an unknown key, and gives the known one that was likely meant.
    fn unknown(&mut self, key: &str, node: &Node, record: &Record) -> Option<&'static str> {
        if self.is_full() {
            return None;
        }
        let newer = record.attributes.iter().any(|one| one.key == key);
        if newer {
            let message = format!("`{key}` is newer than docker compose {}", self.compat.version());
            self.fail_key(node.key, message, None);
            return None;
        }
        let near = nearest(key, record.attributes.iter().map(|one| one.key));
        let hint = match near {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if record.extensions == Extensions::Allowed => Some("own keys start with `x-`".to_owned()),
            None => None,
        };
        self.fail_key(node.key, format!("unknown key `{key}`"), hint);
        near
    }

    /// Whether a value fits without a problem.
    fn fits(&self, node: &Node, shape: &Shape) -> bool {
        match shape {
            Shape::Scalar(kinds) => kinds.iter().any(|kind| self.is(node, *kind)),
            Shape::Word(words) => node.as_str().is_some_and(|text| words.contains(&text)),
            Shape::Text(accepts, _) => node.as_str().is_some_and(accepts),
            Shape::TextOrRange(low, high) => match &node.value {
                Value::Int(number) => (low..=high).contains(&number),
                Value::Uint(_) => *high == i64::MAX,
                Value::Float(number) => {
                    self.is(node, Kind::Integer)
                        && crate::model::whole(*number).is_some_and(|n| (low..=high).contains(&&n))
                }
                _ => self.is(node, Kind::Text),
            },
            Shape::Since40(..) => self.fits(node, resolve(shape, self.compat)),
            Shape::Either(shapes) => shapes.iter().any(|shape| self.fits(node, shape)),
            Shape::List(_) | Shape::Set(_) | Shape::Map(_) | Shape::Record(_) => {
                let mut probe = Checker { compat: self.compat, problems: Vec::new() };
                probe.value(node, shape);
                probe.problems.is_empty()
            }
        }
    }

    fn is(&self, node: &Node, kind: Kind) -> bool {
        match (&node.value, kind) {
            (Value::Str(_), Kind::Text)
            | (Value::Int(_) | Value::Uint(_), Kind::Integer | Kind::Number)
            | (Value::Float(_), Kind::Number)
            | (Value::Bool(_), Kind::Boolean)
            | (Value::Null, Kind::Null) => true,
            // A date is text for the older validator.
            (Value::Timestamp(_), Kind::Text) => self.compat == Compatibility::V2_26,
            (Value::Float(number), Kind::Integer) => number.fract() == 0.0,
            _ => false,
        }
    }
}

fn resolve(shape: &Shape, compat: Compatibility) -> &Shape {
    match shape {
        Shape::Since40(old, new) => resolve(if compat == Compatibility::V2_26 { old } else { new }, compat),
        other => other,
    }
}

fn describe(shape: &Shape, compat: Compatibility) -> String {
    match resolve(shape, compat) {
        Shape::Scalar(kinds) => {
            let names: Vec<&str> = kinds
                .iter()
                .map(|kind| match kind {
                    Kind::Text => "a string",
                    Kind::Integer => "an integer",
                    Kind::Number => "a number",
                    Kind::Boolean => "a boolean",
                    Kind::Null => "nothing",
                })
                .collect();
            names.join(" or ")
        }
        Shape::Word(words) => format!("one of {}", words.join(", ")),
        Shape::Text(_, what) => (*what).to_owned(),
        Shape::TextOrRange(low, i64::MAX) => format!("an integer from {low}"),
        Shape::TextOrRange(low, high) => format!("an integer from {low} to {high}"),
        Shape::List(_) | Shape::Set(_) => "a list".to_owned(),
        Shape::Map(_) | Shape::Record(_) => "a mapping".to_owned(),
        Shape::Either(shapes) => {
            let all: Vec<String> = shapes.iter().map(|shape| describe(shape, compat)).collect();
            all.join(" or ")
        }
        Shape::Since40(..) => String::new(),
    }
}

fn shown(node: &Node) -> String {
    crate::model::scalar_text(node).map_or_else(|| node.kind().to_owned(), |text| format!("{text:?}"))
}

/// The first entry that comes again. Scalars are compared by a table, so that a long list stays cheap.
fn repeated(items: &[Node]) -> Option<(&Node, &Node)> {
    let mut seen: std::collections::HashMap<String, &Node> = std::collections::HashMap::new();
    for item in items {
        let key = match &item.value {
            Value::Int(number) => format!("n{number}"),
            Value::Float(number) => format!("n{number}"),
            _ => item.to_json().to_compact(),
        };
        if let Some(first) = seen.insert(key, item) {
            return Some((first, item));
        }
    }
    None
}
