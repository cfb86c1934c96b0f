//! What the stages of a load find wrong, and what they take out of the tree for it.
//!
//! A stage that finds something wrong notes it here and goes on without it, so that all problems of all files are told
//! in one go. What would only follow from an earlier problem is left out.

use std::collections::{BTreeSet, HashSet};

use crate::error::ErrorClass;
use crate::node::{Map, Node, Position, Value};
use crate::problem::{About, Problem};

/// Enough problems for anyone to work on.
const MAX_PROBLEMS: usize = 100;

/// The sections that other parts of a project refer to.
const SECTIONS: &[&str] = &["services", "networks", "volumes", "secrets", "configs", "models"];

/// The problems of a load so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
    /// Places that were told; a later problem at one of them is a consequence.
    told: HashSet<Position>,
    /// Mappings and lists something was taken out of: what they lack now is a consequence.
    torn: HashSet<Position>,
    /// The class of what docker compose would have stopped at.
    first: Option<ErrorClass>,
    /// What is no longer whole.
    pub damage: Damage,
}

/// What is no longer whole, so that what is missing there is not told.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Whole sources are missing: any name may have been defined there.
    pub incomplete: bool,
    sections: BTreeSet<String>,
    entries: BTreeSet<(String, String)>,
}

impl Damage {
    /// Whether a part of an entry of a section is missing, or all of it.
    pub fn entry(&self, section: &str, name: &str) -> bool {
        self.sections.contains(section)
            || (!self.entries.is_empty() && self.entries.contains(&(section.to_owned(), name.to_owned())))
    }

    /// Whether a section may lack entries.
    pub fn section(&self, section: &str) -> bool {
        self.incomplete || self.sections.contains(section)
    }

    /// Notes that a part of a service is missing.
    pub fn service(&mut self, name: &str) {
        self.entries.insert(("services".to_owned(), name.to_owned()));
    }

    fn removed(&mut self, path: &[String]) {
        match path {
            [section] if SECTIONS.contains(&section.as_str()) => {
                self.sections.insert(section.clone());
            }
            // It may be a slip of the pen for a section.
            [key] if !key.starts_with("x-") && key != "name" => self.incomplete = true,
            [section, name, ..] => {
                self.entries.insert((section.clone(), name.clone()));
            }
            _ => {}
        }
    }
}

impl Findings {
    /// Notes the problems that one stage found.
    pub fn add(&mut self, mut found: Vec<Problem>) {
        let told = |problem: &Problem| {
            problem.at.line > 0
                && (self.told.contains(&problem.at)
                    || (problem.about == About::Value && self.torn.contains(&problem.at)))
        };
        found.retain(|problem| !told(problem));
        if self.first.is_none() {
            let first = found.iter().min_by_key(|problem| problem.at);
            self.first = first.map(|problem| problem.class);
        }
        self.told.extend(found.iter().map(|problem| problem.at));
        let room = MAX_PROBLEMS.saturating_sub(self.problems.len());
        self.problems.extend(found.into_iter().take(room));
    }

    /// Notes the problems that one stage found in a tree, and takes out of it what they are about.
    pub fn take_out(&mut self, found: Vec<Problem>, root: &mut Map) {
        if found.is_empty() {
            return;
        }
        let of = |about: About| -> HashSet<Position> {
            let those = found.iter().filter(|problem| problem.about == about && problem.at.line > 0);
            those.map(|problem| problem.at).collect()
        };
        let wrong = Wrong { values: of(About::Value), keys: of(About::Key) };
        self.add(found);
        self.tear_map(root, (Position::nowhere(), &wrong), &mut Vec::new());
    }

    fn tear_map(&mut self, map: &mut Map, (at, wrong): (Position, &Wrong), path: &mut Vec<String>) {
        map.retain(|key, node| {
            path.push(key.clone());
            let bad = wrong.values.contains(&node.at) || wrong.keys.contains(&node.key);
            if bad {
                self.damage.removed(path);
                self.torn.insert(at);
                // What is named stays defined, so that what refers to it is right.
                if path.len() == 2 {
                    node.value = Value::Null;
                }
            } else {
                self.tear(node, wrong, path);
            }
            let kept = !bad || path.len() == 2;
            path.pop();
            kept
        });
    }

    fn tear(&mut self, node: &mut Node, wrong: &Wrong, path: &mut Vec<String>) {
        let at = node.at;
        match &mut node.value {
            Value::Map(map) => self.tear_map(map, (at, wrong), path),
            Value::List(items) => items.retain_mut(|item| {
                let bad = wrong.values.contains(&item.at);
                if bad {
                    self.damage.removed(path);
                    self.torn.insert(at);
                } else {
                    self.tear(item, wrong, path);
                }
                !bad
            }),
            _ => {}
        }
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether looking further is of no use.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// All problems with the class of the first one found, if there are any.
    pub fn finish(self) -> Option<(Vec<Problem>, ErrorClass)> {
        let first = self.first?;
        Some((self.problems, first))
    }
}

struct Wrong {
    values: HashSet<Position>,
    keys: HashSet<Position>,
}
