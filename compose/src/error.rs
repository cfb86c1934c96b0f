//! What can be wrong with a project: errors and warnings with their place, class and cure.
//!
//! Owns the shape and the printed form of messages. The stages of loading only collect; nothing here reads files.

use std::fmt;

/// The kind of a problem, as the conformance corpus names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorClass {
    /// Not YAML, a duplicate key, an unknown anchor, an empty file, or too large to be meant.
    Yaml,
    /// A file that the project names does not exist or cannot be read.
    MissingFile,
    /// A variable reference is malformed, or a required variable is missing.
    Interpolation,
    /// A key that does not exist, or a value of the wrong type.
    Schema,
    /// A value of the right type that cannot be read (a size, a duration, a command line).
    Decode,
    /// A port specification that cannot be read.
    Ports,
    /// `extends` names something that does not exist, or goes round in a circle.
    Extends,
    /// `include` goes round in a circle, or redefines what it includes.
    Include,
    /// Two files say incompatible things about the same key.
    Merge,
    /// An env file cannot be read as one.
    EnvFile,
    /// Parts that are valid alone and contradict each other.
    Consistency,
    /// The project's name is not a valid one.
    ProjectName,
}

impl ErrorClass {
    /// The name of the class, stable, for `--json` and tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::MissingFile => "missing-file",
            Self::Interpolation => "interpolation",
            Self::Schema => "schema",
            Self::Decode => "decode",
            Self::Ports => "ports",
            Self::Extends => "extends",
            Self::Include => "include",
            Self::Merge => "merge",
            Self::EnvFile => "env-file",
            Self::Consistency => "consistency",
            Self::ProjectName => "project-name",
        }
    }
}

/// A place in a source file, with the line itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the project names it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The text of the line.
    pub text: String,
}

impl Place {
    /// Writes the line with a mark below the column.
    pub(crate) fn show(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return Ok(());
        }
        let number = self.line.to_string();
        let indent = usize::try_from(self.column.saturating_sub(1)).unwrap_or(0).min(200);
        let shown: String = self.text.chars().take(200).collect();
        write!(out, "\n  {number} | {shown}\n  {:width$} | {:indent$}^", "", "", width = number.len())
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// Its kind.
    pub class: ErrorClass,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The path of the attribute (`services.web.ports`), empty when it is about a whole file.
    pub path: String,
    /// Where it is written, when it is written somewhere.
    pub place: Option<Place>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{}:{}:{}: ", place.file, place.line, place.column)?;
        }
        if self.path.is_empty() {
            write!(out, "{}", self.message)?;
        } else {
            write!(out, "{}: {}", self.path, self.message)?;
        }
        if let Some(place) = &self.place {
            place.show(out)?;
        }
        if let Some(hint) = &self.hint {
            write!(out, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// All problems of a project that could be found in one go; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadErrors {
    /// The problems, in the order of files and lines.
    pub errors: Vec<LoadError>,
    first: ErrorClass,
}

impl LoadErrors {
    pub(crate) fn of(first: ErrorClass, errors: Vec<LoadError>) -> Self {
        Self { errors, first }
    }

    /// The class of the problem that docker compose would stop at; it may stand behind others in the file.
    pub fn class(&self) -> ErrorClass {
        self.first
    }
}

impl From<LoadError> for LoadErrors {
    fn from(error: LoadError) -> Self {
        Self { first: error.class, errors: vec![error] }
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write!(out, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadErrors {}

/// Something the user should know that does not stop the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is, in one sentence.
    pub message: String,
    /// Where it is written, when it is written somewhere.
    pub place: Option<Place>,
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{}:{}:{}: ", place.file, place.line, place.column)?;
        }
        write!(out, "{}", self.message)
    }
}
