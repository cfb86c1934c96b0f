//! Everything the controller prints. Results go to standard output, progress and errors to standard error; a closed pipe
//! is not an error. On a terminal progress shows elapsed time, elsewhere it is plain lines.

mod progress;
mod size;
mod table;

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

pub use progress::Step;
use serde::Serialize;
pub use size::size;
pub use table::Table;

use crate::clock::human;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document, or one per line for streams.
    Json,
}

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Results.
    Out,
    /// Everything else.
    Err,
}

/// The one thing that prints.
#[derive(Debug, Clone)]
pub struct Printer {
    format: Format,
    terminal: bool,
    /// Stands before every line that is no result.
    prefix: String,
}

impl Printer {
    /// A printer for this process's streams.
    pub fn new(format: Format) -> Self {
        Self { format, terminal: io::stderr().is_terminal(), prefix: String::new() }
    }

    /// The same for one of several that are under way at once: their lines begin with its name, and nothing spins.
    #[must_use]
    pub fn of(&self, name: &str) -> Self {
        Self { terminal: false, prefix: format!("{name}  "), ..self.clone() }
    }

    /// How results are wanted.
    pub fn format(&self) -> Format {
        self.format
    }

    /// A line of the result.
    pub fn line(&self, text: impl AsRef<str>) {
        self.bytes(Stream::Out, format!("{}\n", text.as_ref()).as_bytes());
    }

    /// A line that is not part of the result.
    pub fn note(&self, text: impl AsRef<str>) {
        self.bytes(Stream::Err, format!("{}{}\n", self.prefix, text.as_ref()).as_bytes());
    }

    /// A value for programs, and a text for people.
    pub fn result(&self, value: &impl Serialize, text: impl AsRef<str>) {
        match self.format {
            Format::Json => self.json(value),
            Format::Text if text.as_ref().trim_end().is_empty() => {}
            Format::Text => self.line(text.as_ref().trim_end()),
        }
    }

    /// One JSON document on a line.
    pub fn json(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(text),
            Err(error) => self.note(format!("error: the result cannot be written as JSON: {error}")),
        }
    }

    /// Bytes as they are.
    pub fn bytes(&self, stream: Stream, bytes: &[u8]) {
        // A reader that went away (`| head`) is no reason to fail.
        let written = match stream {
            Stream::Out => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Stream::Err => io::stderr().lock().write_all(bytes),
        };
        drop(written);
    }

    /// Begins a step that takes time.
    pub fn step(&self, text: impl Into<String>) -> Step {
        let place = if self.terminal { progress::Place::Terminal } else { progress::Place::Elsewhere };
        Step::begin(text.into(), place, self.prefix.clone())
    }

    /// A step that is done, for those that were too quick to show, or were shown by somebody else.
    pub fn done(&self, text: impl AsRef<str>, took: Duration) {
        self.note(progress::line("✓", text.as_ref(), &human(took)));
    }

    /// The error's whole chain, then its hints, each once.
    pub fn error(&self, error: &anyhow::Error, hints: &[String]) {
        let mut text = format!("error: {error}\n");
        for cause in error.chain().skip(1) {
            text.push_str("  cause: ");
            text.push_str(&cause.to_string());
            text.push('\n');
        }
        for hint in hints {
            text.push_str("  hint: ");
            text.push_str(hint);
            text.push('\n');
        }
        self.bytes(Stream::Err, text.as_bytes());
    }

    /// Whether a person can be asked.
    pub fn can_ask(&self) -> bool {
        self.terminal && io::stdin().is_terminal()
    }

    /// Asks for a line of text.
    ///
    /// # Errors
    /// When the terminal goes away.
    pub fn ask(&self, question: &str) -> io::Result<String> {
        let asked = dialoguer::Input::<String>::new().with_prompt(question).allow_empty(true).interact_text();
        asked.map_err(|dialoguer::Error::IO(error)| error)
    }

    /// Asks for a new passphrase, twice.
    ///
    /// # Errors
    /// When the terminal goes away.
    pub fn ask_passphrase(&self, question: &str) -> io::Result<secrecy::SecretString> {
        let asked = dialoguer::Password::new()
            .with_prompt(question)
            .with_confirmation("again", "they differ, once more")
            .interact();
        asked.map(secrecy::SecretString::from).map_err(|dialoguer::Error::IO(error)| error)
    }
}
