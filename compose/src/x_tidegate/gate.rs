//! `x-tidegate.gate` of a service.

use super::Gate;
use super::reader::Reader;
use crate::node::Node;

impl Reader<'_> {
    pub(super) fn gate(&mut self, node: &Node, path: &str, gate: &mut Gate) {
        let Some(map) = self.map(node, path, &["stable", "timeout"]) else {
            return;
        };
        let read = |key: &str, reader: &mut Self| {
            map.get(key).and_then(|n| reader.duration(n, &format!("{path}.{key}")))
        };
        gate.stable = read("stable", self).unwrap_or(gate.stable);
        gate.timeout = read("timeout", self).unwrap_or(gate.timeout);
    }
}
