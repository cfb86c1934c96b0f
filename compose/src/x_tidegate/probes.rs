//! `x-tidegate.gate.probes` of a service: what has to answer before a new container counts as good.

use std::time::Duration;

use super::reader::Reader;
use crate::node::{Map, Node, Position, Value};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const KINDS: [&str; 3] = ["http", "tcp", "command"];

/// A question that a container has to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The question.
    pub kind: ProbeKind,
    /// How long a single answer may take.
    pub timeout: Duration,
    /// Where it is written.
    pub at: Position,
}

/// How a container is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeKind {
    /// By a GET request.
    Http(HttpProbe),
    /// By a connection that has to be taken.
    Tcp {
        /// The port in the container.
        port: u16,
    },
    /// By a command in the container that has to end with exit code 0.
    Command(Vec<String>),
}

/// A GET request and what its answer has to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    /// The port in the container.
    pub port: u16,
    /// The path, with its query.
    pub path: String,
    /// The `Host` of the request; none for the ingress's, else `localhost`.
    pub host: Option<String>,
    /// Statuses that are good.
    pub status: StatusRange,
    /// A text that the body has to contain.
    pub contains: Option<String>,
}

/// A range of HTTP statuses, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl Default for StatusRange {
    fn default() -> Self {
        Self { first: 200, last: 399 }
    }
}

impl StatusRange {
    /// `204`, `200-299`
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let status = |text: &str| {
            let status = text.trim().parse::<u16>().ok();
            status.filter(|status| (100..=599).contains(status))
        };
        let range = Self { first: status(first)?, last: status(last)? };
        (range.first <= range.last).then_some(range)
    }
}

impl Reader<'_> {
    pub(super) fn probes(&mut self, node: &Node, path: &str) -> Vec<Probe> {
        let items = self.list(node, path).unwrap_or_default();
        let probes = items.iter().enumerate().map(|(at, node)| self.probe(node, &format!("{path}.{at}")));
        probes.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn probe(&mut self, node: &Node, path: &str) -> Option<Probe> {
        let map = self.map(node, path, &["http", "tcp", "command", "timeout"])?;
        let timeout = match map.get("timeout") {
            Some(value) => self.duration(value, &format!("{path}.timeout")),
            None => Some(DEFAULT_TIMEOUT),
        };
        let mut asked = KINDS.iter().filter_map(|kind| Some((*kind, map.get(*kind)?)));
        let (Some((kind, value)), None) = (asked.next(), asked.next()) else {
            let message = "a probe is exactly one of http, tcp and command".to_owned();
            let hint = Some("write one like `http: { port: 8000, path: /health }`".to_owned());
            self.fail(node.at, path, (message, hint));
            return None;
        };
        let inner = format!("{path}.{kind}");
        let kind = match kind {
            "http" => self.http_probe(value, &inner).map(ProbeKind::Http),
            "tcp" => self.tcp_probe(value, &inner),
            _ => self.command(value, &inner).map(ProbeKind::Command),
        };
        Some(Probe { kind: kind?, timeout: timeout?, at: node.at })
    }

    fn tcp_probe(&mut self, node: &Node, path: &str) -> Option<ProbeKind> {
        let map = self.map(node, path, &["port"])?;
        let port = self.required(map, (node, path), "port").and_then(|n| self.port(n, path))?;
        Some(ProbeKind::Tcp { port })
    }

    fn http_probe(&mut self, node: &Node, path: &str) -> Option<HttpProbe> {
        let map = self.map(node, path, &["port", "path", "host", "status", "contains"])?;
        let port = self.required(map, (node, path), "port").and_then(|n| self.port(n, path));
        let target = match map.get("path") {
            None => Some("/".to_owned()),
            Some(value) => self.target(value, &format!("{path}.path")),
        };
        let host = self.optional_text(map, path, "host");
        let contains = self.optional_text(map, path, "contains");
        let status = match map.get("status") {
            None => Some(StatusRange::default()),
            Some(value) => self.status(value, &format!("{path}.status")),
        };
        Some(HttpProbe { port: port?, path: target?, host: host?, status: status?, contains: contains? })
    }

    /// Nothing when it is wrong.
    #[expect(
        clippy::option_option,
        reason = "the outer tells whether it could be read, the inner whether it is there"
    )]
    fn optional_text(&mut self, map: &Map, path: &str, key: &str) -> Option<Option<String>> {
        match map.get(key) {
            None => Some(None),
            Some(value) => self.text(value, &format!("{path}.{key}")).map(Some),
        }
    }

    fn target(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = self.text(node, path)?;
        if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(text);
        }
        let message = "a path starts with `/` and has no spaces or control characters".to_owned();
        self.fail(node.at, path, (message, Some("write other characters as %20 and so on".to_owned())));
        None
    }

    fn status(&mut self, node: &Node, path: &str) -> Option<StatusRange> {
        let read = match &node.value {
            Value::Int(number) => StatusRange::parse(&number.to_string()),
            Value::Str(text) => StatusRange::parse(text),
            _ => None,
        };
        if read.is_none() {
            let message = "expected a status from 100 to 599, or a range".to_owned();
            self.fail(node.at, path, (message, Some("write 204 or 200-299".to_owned())));
        }
        read
    }
}
