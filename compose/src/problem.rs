//! A problem while it still only knows positions: what the stages of loading collect.

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
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(class: ErrorClass, at: Position, message: impl Into<String>) -> Self {
        Self { class, path: String::new(), message: message.into(), at, hint: None }
    }

    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
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

/// Turns positions into places.
pub(crate) fn placed(problems: Vec<Problem>, files: &FileTable) -> LoadErrors {
    const SHOWN: usize = 100;
    // In the order they are written; what is written nowhere comes last.
    let mut problems = problems;
    problems.sort_by_key(|problem| (problem.at.file, problem.at.line, problem.at.column));
    let errors = problems
        .into_iter()
        .take(SHOWN)
        .map(|problem| {
            let text = (problem.path.as_str(), problem.message.clone());
            LoadError { hint: problem.hint, ..files.error(problem.class, problem.at, text) }
        })
        .collect();
    LoadErrors { errors }
}
