//! The source files of a load, so that a position can be shown as file, line and text.

use crate::error::{ErrorClass, LoadError, Place, Warning};
use crate::node::{FileId, Position};

/// How much of a line is shown.
const SHOWN: usize = 240;

/// The files that were read, by id.
#[derive(Debug, Clone, Default)]
pub struct FileTable {
    files: Vec<(String, String)>,
}

impl FileTable {
    /// Adds a file and gives its id.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        let id = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push((name.to_owned(), text.to_owned()));
        FileId(id)
    }

    /// The name of a file.
    pub fn name(&self, id: FileId) -> Option<&str> {
        let index = usize::try_from(id.0).ok()?;
        self.files.get(index).map(|(name, _)| name.as_str())
    }

    /// The place a position stands for; none for what is written nowhere.
    pub fn place(&self, at: Position) -> Option<Place> {
        let index = usize::try_from(at.file.0).ok()?;
        let (name, text) = self.files.get(index)?;
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        Some(Place {
            file: name.clone(),
            line: at.line,
            column: at.column,
            text: text.lines().nth(line).unwrap_or_default().chars().take(SHOWN).collect(),
        })
    }

    /// An error at a position.
    pub fn error(&self, class: ErrorClass, at: Position, (path, message): (&str, String)) -> LoadError {
        LoadError { class, message, path: path.to_owned(), place: self.place(at), hint: None }
    }

    /// A warning at a position.
    pub fn warning(&self, at: Position, message: String) -> Warning {
        Warning { message, place: self.place(at) }
    }
}

/// The known word nearest to an unknown one, when it is near enough to be a slip.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let plain = |text: &str| text.replace(['_', '-'], "");
    let near = |candidate: &str| {
        let distance = strsim::damerau_levenshtein(&lower, candidate);
        let longest = candidate.len().max(word.len());
        // A part of a longer word (`healthy` for `service_healthy`) is a slip too, if less near.
        let part = lower.len() >= 4 && candidate.contains(&lower);
        match (distance <= 1 + longest / 4 || plain(candidate) == plain(&lower), part) {
            (true, _) => Some(distance),
            (false, true) => Some(100),
            _ => None,
        }
    };
    let scored = known.into_iter().filter_map(|candidate| Some((near(candidate)?, candidate)));
    scored.min().map(|(_, candidate)| candidate)
}
