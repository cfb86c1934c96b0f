//! What an operator would do better in a project that is valid.
//!
//! [`advise`] is a pure function of a loaded project. Each group of rules is a module of its own; a rule says what it
//! found, why it matters on a droplet, and the cure. No rule shows the value of a secret.

pub(crate) mod image;
mod limits;
mod mounts;
mod ports;
mod secrets;
mod start;

use std::fmt;

use crate::error::Place;
use crate::load::Loaded;

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The name of its rule, stable, for `--json`.
    pub rule: &'static str,
    /// The path of the attribute it is about (`services.web.ports.0`).
    pub path: String,
    /// Where that is written, or the nearest thing around it.
    pub place: Option<Place>,
    /// What was found.
    pub message: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub cure: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{}:{}:{}: ", place.file, place.line, place.column)?;
        }
        write!(out, "{}: {}", self.path, self.message)?;
        if let Some(place) = &self.place {
            place.show(out)?;
        }
        write!(out, "\n  why: {}\n  cure: {}", self.why, self.cure)
    }
}

/// All advice, in the order of files and lines.
pub fn advise(loaded: &Loaded) -> Vec<Advice> {
    let mut look = Look { loaded, found: Vec::new() };
    for rules in [start::rules, image::rules, ports::rules, limits::rules, secrets::rules, mounts::rules] {
        rules(&mut look);
    }
    let key = |advice: &Advice| advice.place.as_ref().map(|at| (at.file.clone(), at.line, at.column));
    // What is written nowhere comes last; what stands at one place stays in the order of the rules.
    look.found.sort_by_key(|advice| (advice.place.is_none(), key(advice)));
    look.found
}

/// A project that is looked at, and what was found so far.
struct Look<'l> {
    loaded: &'l Loaded,
    found: Vec<Advice>,
}

/// The fixed part of a rule.
struct Rule {
    name: &'static str,
    why: &'static str,
}

impl Look<'_> {
    fn say(&mut self, rule: &Rule, path: &str, (message, cure): (String, String)) {
        let place = self.loaded.place(path);
        let (rule, why) = (rule.name, rule.why);
        self.found.push(Advice { rule, path: path.to_owned(), place, message, why, cure });
    }
}

#[cfg(test)]
mod tests;
