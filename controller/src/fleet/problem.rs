//! What is wrong with a fleet file, and where: `tidegate.toml:3:1: ...` with the line shown.

use std::{fmt, ops::Range, path::PathBuf};

use serde::Serialize;

/// A line and column, from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    /// The place of a byte in a text.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |part| part.chars().count()) + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub span: Range<usize>,
    pub message: String,
    pub hint: Option<String>,
}

/// A fleet file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// There is none.
    #[error("there is no fleet file at {}: `tidegate init` writes one", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("the fleet file cannot be read")]
    Read(#[source] std::io::Error),
    /// All that is wrong with it, rendered.
    #[error("{0}")]
    Wrong(String),
}

/// A text with parts of it made unreadable, of the same length.
pub(super) fn masked(text: &str, withheld: &[Range<usize>]) -> String {
    let is_withheld = |at: usize| withheld.iter().any(|span| span.contains(&at));
    let letters = text.char_indices().map(|(at, letter)| {
        if is_withheld(at) && letter != '\n' { "*".repeat(letter.len_utf8()) } else { letter.to_string() }
    });
    letters.collect()
}

/// All problems as one text, in the file's order, each once.
pub(super) fn render(file: &str, text: &str, mut problems: Vec<Problem>) -> String {
    problems.sort_by(|a, b| (a.span.start, &a.message).cmp(&(b.span.start, &b.message)));
    problems.dedup_by(|a, b| a.span.start == b.span.start && a.message == b.message);
    let one = |problem: &Problem| {
        let place = Place::of(text, problem.span.start);
        let line = text.lines().nth(place.line - 1).unwrap_or_default();
        let shown: String = line.chars().take(160).collect();
        let number = place.line.to_string();
        let pad = " ".repeat(number.len());
        let on_line = line.chars().count().saturating_sub(place.column - 1).max(1);
        let marked = text.get(problem.span.clone()).map_or(1, |part| part.chars().count());
        let carets = "^".repeat(marked.clamp(1, on_line));
        let indent = " ".repeat(place.column - 1);
        let mut out = format!(
            "{file}:{place}: {}\n{pad} |\n{number} | {shown}\n{pad} | {indent}{carets}",
            problem.message
        );
        if let Some(hint) = &problem.hint {
            out.push(' ');
            out.push_str(hint);
        }
        out
    };
    problems.iter().map(one).collect::<Vec<_>>().join("\n\n")
}
