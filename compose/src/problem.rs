//! A problem while it still only knows positions: what the stages of loading collect.

use std::collections::HashSet;

use crate::error::{ErrorClass, LoadError, LoadErrors};
use crate::files::FileTable;
use crate::node::Position;

/// A problem at a position.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub class: ErrorClass,
    pub path: String,
    pub message: String,
    pub at: Position,
    pub about: About,
    pub hint: Option<String>,
}

/// What stands at the position of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// A value.
    Value,
    /// The key of a mapping.
    Key,
}

impl Problem {
    pub fn new(class: ErrorClass, at: Position, message: impl Into<String>) -> Self {
        Self { class, path: String::new(), message: message.into(), at, about: About::Value, hint: None }
    }

    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// It is the key that is wrong, not what stands under it.
    pub fn about_key(self) -> Self {
        Self { about: About::Key, ..self }
    }

    /// Puts a step before the path.
    pub fn prefix(&mut self, step: &dyn std::fmt::Display) {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{step}{dot}{}", self.path);
    }

    pub fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

/// The result of a stage that finds all problems it can.
pub(crate) type Stage<T> = Result<T, Vec<Problem>>;

impl From<Problem> for Vec<Problem> {
    fn from(problem: Problem) -> Self {
        vec![problem]
    }
}

/// Ok when nothing was found.
pub(crate) fn none_of(problems: Vec<Problem>) -> Stage<()> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Turns positions into places. `first` is the class of what was found first.
pub(crate) fn placed((problems, first): (Vec<Problem>, ErrorClass), files: &FileTable) -> LoadErrors {
    // In the order they are written; what is written nowhere comes last.
    let mut problems = problems;
    problems.sort_by_key(|problem| problem.at);
    // A file that is read more than once has its problems once.
    let mut told = HashSet::new();
    problems.retain(|problem| {
        let name = files.name(problem.at.file).map(str::to_owned);
        told.insert((name, problem.at.line, problem.at.column, problem.path.clone(), problem.message.clone()))
    });
    let error = |problem: Problem| {
        let text = (problem.path.as_str(), problem.message.clone());
        LoadError { hint: problem.hint, ..files.error(problem.class, problem.at, text) }
    };
    LoadErrors::of(first, problems.into_iter().map(error).collect())
}
