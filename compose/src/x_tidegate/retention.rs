//! `x-tidegate.retention`: what stays on a droplet of past releases.

use super::reader::Reader;
use crate::node::{Node, Value};

/// What stays on a droplet of past releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Of how many releases that served, the serving one included, images stay; at least 1.
    pub releases: u32,
    /// What becomes of older images with a tag that people rely on.
    pub tagged: Tagged,
}

/// What becomes of old images that bear `latest`, `stable` or a semantic version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tagged {
    /// They go like others.
    #[default]
    Removed,
    /// They stay.
    Kept,
}

impl Default for Retention {
    fn default() -> Self {
        Self { releases: 5, tagged: Tagged::default() }
    }
}

const PATH: &str = "x-tidegate.retention";

impl Reader<'_> {
    pub(super) fn retention(&mut self, node: &Node, retention: &mut Retention) {
        let Some(map) = self.map(node, PATH, &["releases", "keep_tags"]) else {
            return;
        };
        if let Some(node) = map.get("releases") {
            let read = count(node);
            retention.releases = read.unwrap_or(retention.releases);
            if read.is_none() {
                let message = "expected a number from 1 to 1000".to_owned();
                let hint = "1 keeps the serving release alone, and a rollback finds no images then";
                self.fail(node.at, &format!("{PATH}.releases"), (message, Some(hint.to_owned())));
            }
        }
        if let Some(node) = map.get("keep_tags") {
            let read = switch(node);
            retention.tagged = read.unwrap_or(retention.tagged);
            if read.is_none() {
                let message = format!("expected true or false, found {}", node.kind());
                self.fail(node.at, &format!("{PATH}.keep_tags"), (message, None));
            }
        }
    }
}

/// A number of releases, also as text: it may come from a variable.
fn count(node: &Node) -> Option<u32> {
    let number = match &node.value {
        Value::Int(number) => u32::try_from(*number).ok(),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| (1..=1000).contains(number))
}

fn switch(node: &Node) -> Option<Tagged> {
    match &node.value {
        Value::Bool(true) => Some(Tagged::Kept),
        Value::Bool(false) => Some(Tagged::Removed),
        Value::Str(text) if text == "true" => Some(Tagged::Kept),
        Value::Str(text) if text == "false" => Some(Tagged::Removed),
        _ => None,
    }
}
