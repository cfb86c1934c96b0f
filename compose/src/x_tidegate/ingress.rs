//! `x-tidegate.ingress` of a service.

use super::Ingress;
use super::reader::Reader;
use crate::node::{Node, Value};

impl Reader<'_> {
    pub(super) fn ingress(&mut self, node: &Node, path: &str) -> Option<Ingress> {
        let map = self.map(node, path, &["host", "port", "path"])?;
        let host = map.get("host").and_then(|n| self.text(n, &format!("{path}.host")));
        let port = self.required(map, (node, path), "port").and_then(|n| self.port(n, path));
        let prefix = match map.get("path") {
            None => Some("/".to_owned()),
            Some(value) => {
                let text = self.text(value, &format!("{path}.path"));
                text.filter(|text| {
                    let absolute = text.starts_with('/');
                    if !absolute {
                        let message = "a path prefix starts with `/`".to_owned();
                        self.fail(value.at, &format!("{path}.path"), (message, None));
                    }
                    absolute
                })
            }
        };
        Some(Ingress { host, port: port?, path: prefix?, at: node.at })
    }

    pub(super) fn port(&mut self, node: &Node, path: &str) -> Option<u16> {
        let port = match &node.value {
            Value::Int(number) => u16::try_from(*number).ok(),
            Value::Str(text) => text.parse().ok(),
            _ => None,
        };
        let port = port.filter(|port| *port > 0);
        if port.is_none() {
            let message = "expected a port from 1 to 65535".to_owned();
            self.fail(node.at, &format!("{path}.port"), (message, None));
        }
        port
    }
}
