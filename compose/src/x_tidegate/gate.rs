//! `x-tidegate.gate` of a service.

use std::time::Duration;

use super::probes::Probe;
use super::reader::Reader;
use crate::node::Node;

/// When a new container counts as good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// How long it has to stay well.
    pub stable: Duration,
    /// How long it may take to get there.
    pub timeout: Duration,
    /// What has to answer, beside Docker's own health check.
    pub probes: Vec<Probe>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { stable: Duration::from_secs(5), timeout: Duration::from_mins(2), probes: Vec::new() }
    }
}

impl Reader<'_> {
    pub(super) fn gate(&mut self, node: &Node, path: &str, gate: &mut Gate) {
        let Some(map) = self.map(node, path, &["stable", "timeout", "probes"]) else {
            return;
        };
        let read = |key: &str, reader: &mut Self| {
            map.get(key).and_then(|n| reader.duration(n, &format!("{path}.{key}")))
        };
        gate.stable = read("stable", self).unwrap_or(gate.stable);
        gate.timeout = read("timeout", self).unwrap_or(gate.timeout);
        if let Some(node) = map.get("probes") {
            gate.probes = self.probes(node, &format!("{path}.probes"));
        }
    }
}
