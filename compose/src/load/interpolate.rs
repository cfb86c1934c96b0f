//! Fills in variables in the values of a tree and casts typed attributes.
//!
//! Keys are left alone. All problems of a file are collected.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::rules::{self, Cast};
use super::template::{self, Lookup, TemplateError};
use crate::compat::Compatibility;
use crate::error::ErrorClass;
use crate::model::boolean;
use crate::node::{Map, Node, Position, Value};
use crate::problem::Problem;
use crate::text::number::parse_float;

/// The most unset variables of a file that are told.
const MAX_WARNINGS: usize = 200;

/// The variables of a load, and what was asked of them.
pub(super) struct Variables<'a> {
    pub values: &'a BTreeMap<String, String>,
    /// All names that were looked up.
    pub used: &'a RefCell<BTreeSet<String>>,
    /// Names without value that were filled in as empty, in order.
    pub unset: RefCell<Vec<(String, Position)>>,
    /// The place that is being filled in.
    pub at: std::cell::Cell<Position>,
}

impl<'a> Variables<'a> {
    pub fn new(values: &'a BTreeMap<String, String>, used: &'a RefCell<BTreeSet<String>>) -> Self {
        Self { values, used, unset: RefCell::default(), at: std::cell::Cell::default() }
    }
}

impl Lookup for Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.used.borrow_mut().insert(name.to_owned());
        self.values.get(name).cloned()
    }

    fn unset(&self, name: &str) {
        let mut unset = self.unset.borrow_mut();
        let one = (name.to_owned(), self.at.get());
        // Once per place is enough, and nobody reads thousands.
        if unset.len() < MAX_WARNINGS && !unset.contains(&one) {
            unset.push(one);
        }
    }
}

/// What walks the tree.
pub(super) struct Interpolation<'a> {
    pub variables: &'a Variables<'a>,
    pub compat: Compatibility,
    pub problems: Vec<Problem>,
    /// Where a variable was filled in.
    pub filled: Vec<Position>,
    /// Booleans written in the words of YAML 1.1, with their nodes' places.
    pub old_booleans: Vec<(String, Position)>,
}

impl Interpolation<'_> {
    /// Fills in a whole tree.
    pub fn project(&mut self, root: &mut Map) {
        let mut path = Vec::new();
        for (key, value) in root {
            path.push(key.as_str());
            self.walk(value, &mut path);
            path.pop();
        }
    }

    /// Fills in a node and everything below it.
    fn walk<'n>(&mut self, node: &'n mut Node, path: &mut Vec<&'n str>) {
        if let Value::Str(text) = &node.value {
            if let Some(value) = self.text(text, path, node.at) {
                node.value = value;
            }
            return;
        }
        match &mut node.value {
            Value::List(items) => {
                path.push("[]");
                for item in items {
                    self.walk(item, path);
                }
                path.pop();
            }
            Value::Map(map) => {
                for (key, value) in map {
                    path.push(key);
                    self.walk(value, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, path: &[&str], at: Position) -> Option<Value> {
        let cast = rules::cast(path, self.compat);
        if cast.is_none() && !text.contains('$') {
            return None;
        }
        self.variables.at.set(at);
        if text.replace("$$", "").contains('$') {
            self.filled.push(at);
        }
        let filled = match template::substitute(text, self.variables) {
            Ok(filled) => filled,
            Err(error) => {
                let hint = match &error {
                    TemplateError::Required { name, .. } => Some(format!(
                        "set {name} in the environment, in .env or in a file given with --env-file"
                    )),
                    _ => None,
                };
                let problem = Problem::new(ErrorClass::Interpolation, at, error.to_string());
                self.problems.push(problem.path(path.join(".")).hint(hint));
                return None;
            }
        };
        let Some(cast) = cast else { return Some(Value::Str(filled)) };
        if cast == Cast::Bool && !matches!(filled.to_lowercase().as_str(), "true" | "false") {
            self.old_booleans.push((filled.clone(), at));
        }
        let value = cast_text(&filled, cast);
        if value.is_none() {
            let kind = match cast {
                Cast::Int => "an integer",
                Cast::Float | Cast::Float32 => "a number",
                Cast::Bool => "a boolean",
            };
            let message = format!("expected {kind}, found {filled:?}");
            let problem = Problem::new(ErrorClass::Interpolation, at, message);
            self.problems.push(problem.path(path.join(".")));
        }
        value
    }
}

fn cast_text(text: &str, cast: Cast) -> Option<Value> {
    match cast {
        Cast::Int => text.parse().ok().map(Value::Int),
        Cast::Float => parse_float(text).map(Value::Float),
        Cast::Float32 => {
            let number = text.parse::<f32>().ok().or_else(|| parse_float(text).map(crate::model::narrow));
            number.filter(|number| number.is_finite()).map(|number| Value::Float(f64::from(number)))
        }
        Cast::Bool => boolean(text).map(Value::Bool),
    }
}
