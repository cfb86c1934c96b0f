//! Which docker compose a statement is about: its version and what differs between versions as tables.
//!
//! A hash is only meaningful for a named version. A further version is a variant here and rows in the tables.

use crate::json::Json;

/// The docker compose version whose reading and hashing is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compatibility {
    /// Docker Compose 2.40.3 (with its model library 2.9.1).
    #[default]
    V2_40,
    /// Debian 13's package 2.26.1-4 (with its model library 2.4.8).
    V2_26,
}

impl Compatibility {
    /// The version as docker compose writes it into the label `com.docker.compose.version`.
    pub fn version(self) -> &'static str {
        match self {
            Self::V2_40 => "2.40.3",
            Self::V2_26 => "2.26.1",
        }
    }

    /// The profile for a version string found on a container or reported by the tool, if there is one.
    pub fn of_version(version: &str) -> Option<Self> {
        let mut parts = version.trim_start_matches('v').split('.');
        match (parts.next(), parts.next()) {
            (Some("2"), Some("40")) => Some(Self::V2_40),
            (Some("2"), Some("26")) => Some(Self::V2_26),
            _ => None,
        }
    }
}

/// Records whose keys differ from the declaration order of the model (which is that of 2.40): the keys that the version
/// prints, in its order.
const ORDERS: &[(Compatibility, &str, &[&str])] = &[(
    Compatibility::V2_26,
    "service.network",
    &["priority", "aliases", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address", "driver_opts"],
)];

/// Puts the fields of the record `id` into the order that `compat` prints.
pub(crate) fn ordered(
    id: &str,
    compat: Compatibility,
    mut fields: Vec<(String, Json)>,
) -> Vec<(String, Json)> {
    let row = ORDERS.iter().find(|(version, record, _)| *version == compat && *record == id);
    if let Some((_, _, order)) = row {
        fields.retain(|(key, _)| order.contains(&key.as_str()));
        fields.sort_by_key(|(key, _)| order.iter().position(|known| known == key).unwrap_or(order.len()));
    }
    fields
}
