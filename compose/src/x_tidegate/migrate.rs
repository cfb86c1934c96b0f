//! `x-tidegate.migrate`.

use std::time::Duration;

use super::reader::Reader;
use super::{Migrate, MigrationKind, MigrationPlace};
use crate::node::{Map, Node};

const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);

impl Reader<'_> {
    pub(super) fn migrate(&mut self, node: &Node) -> Option<Migrate> {
        const PATH: &str = "x-tidegate.migrate";
        let map = self.map(node, PATH, &["service", "command", "kind", "timeout", "place"])?;
        let service = self.required(map, (node, PATH), "service").and_then(|n| self.text(n, PATH));
        let command = self
            .required(map, (node, PATH), "command")
            .and_then(|n| self.command(n, "x-tidegate.migrate.command"));
        let kind = self.kind(map, node);
        let timeout = match map.get("timeout") {
            Some(value) => self.duration(value, "x-tidegate.migrate.timeout"),
            None => Some(DEFAULT_TIMEOUT),
        };
        let place = map.get("place").map_or(Some(MigrationPlace::default()), |n| self.migration_place(n));
        let (service, command, kind) = (service?, command?, kind?);
        Some(Migrate { service, command, kind, timeout: timeout?, place: place?, at: node.at })
    }

    fn migration_place(&mut self, node: &Node) -> Option<MigrationPlace> {
        match node.as_str() {
            Some("one") => Some(MigrationPlace::One),
            Some("all") => Some(MigrationPlace::All),
            _ => {
                let message = "expected `one` or `all`".to_owned();
                let hint =
                    "`one`, the default, where all droplets share a database; `all` where each has its own";
                self.fail(node.at, "x-tidegate.migrate.place", (message, Some(hint.to_owned())));
                None
            }
        }
    }

    pub(super) fn kind(&mut self, map: &Map, node: &Node) -> Option<MigrationKind> {
        const CURE: &str = "write `kind: compatible` when the running release works on the migrated \
                            schema too (columns are only added), else `kind: breaking`";
        let Some(value) = map.get("kind") else {
            let message = "`kind` is missing: whether old code works on the new schema".to_owned();
            self.fail(node.key, "x-tidegate.migrate", (message, Some(CURE.to_owned())));
            return None;
        };
        match value.as_str() {
            Some("compatible") => Some(MigrationKind::Compatible),
            Some("breaking") => Some(MigrationKind::Breaking),
            _ => {
                let message = "expected `compatible` or `breaking`".to_owned();
                self.fail(value.at, "x-tidegate.migrate.kind", (message, Some(CURE.to_owned())));
                None
            }
        }
    }
}
