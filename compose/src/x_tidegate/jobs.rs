//! `x-tidegate.jobs`: commands that a release runs once, before and after the switch.

use std::time::Duration;

use super::reader::Reader;
use crate::node::{Node, Position};

const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);
const PATH: &str = "x-tidegate.jobs";

/// Commands that a release runs once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jobs {
    /// Before the migration, while the old release serves.
    pub before: Vec<Job>,
    /// After the switch, when the old containers are stopped.
    pub after: Vec<Job>,
}

/// A command that a release runs once, in a one-off container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The service whose image and settings it runs with.
    pub service: String,
    /// The command.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Where it is written.
    pub at: Position,
}

impl Jobs {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl Reader<'_> {
    pub(super) fn jobs(&mut self, node: &Node) -> Jobs {
        let Some(map) = self.map(node, PATH, &["before", "after"]) else {
            return Jobs::default();
        };
        let mut read = |key: &str| {
            let path = format!("{PATH}.{key}");
            let items = map.get(key).and_then(|node| self.list(node, &path)).unwrap_or_default();
            let jobs = items.iter().enumerate().map(|(at, node)| self.job(node, &format!("{path}.{at}")));
            jobs.collect::<Vec<_>>().into_iter().flatten().collect()
        };
        Jobs { before: read("before"), after: read("after") }
    }

    fn job(&mut self, node: &Node, path: &str) -> Option<Job> {
        let map = self.map(node, path, &["service", "command", "timeout"])?;
        let service = self.required(map, (node, path), "service");
        let service = service.and_then(|n| self.text(n, &format!("{path}.service")));
        let command = self.required(map, (node, path), "command");
        let command = command.and_then(|n| self.command(n, &format!("{path}.command")));
        let timeout = match map.get("timeout") {
            Some(value) => self.duration(value, &format!("{path}.timeout")),
            None => Some(DEFAULT_TIMEOUT),
        };
        Some(Job { service: service?, command: command?, timeout: timeout?, at: node.at })
    }
}
