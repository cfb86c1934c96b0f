//! `inventory.json`: what this workstation knows of its environment beyond what the cloud tells. Ids of kinds that carry
//! no tags (they prove what is ours), the intent of every wanted droplet (written before its create call), who is
//! enrolled, and the audit head last seen of each agent.
//!
//! Format: JSON, `version` 1; unknown versions are refused. Written whole and atomically by the one command that holds
//! the lock; losing it loses the proof for the ssh key only, for all else carries a mark in the cloud.

use std::{collections::BTreeMap, io, net::Ipv4Addr, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{StateDir, StateError, atomic::replace};
use crate::names::IntentId;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    version: u32,
    /// Id of our VPC.
    #[serde(default)]
    pub vpc: Option<String>,
    /// Id of our ssh key.
    #[serde(default)]
    pub ssh_key: Option<u64>,
    /// Ids of our firewalls by their name in the cloud.
    #[serde(default)]
    pub firewalls: BTreeMap<String, String>,
    /// Wanted droplets by name.
    #[serde(default)]
    pub droplets: BTreeMap<String, DropletRecord>,
}

/// One wanted droplet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropletRecord {
    /// Written before the create call; the droplet carries it as a tag.
    pub intent: IntentId,
    /// When its one-time token is worth nothing any more.
    pub token_expires_at: Timestamp,
    /// Known once the API answered.
    #[serde(default)]
    pub id: Option<u64>,
    /// Where its agent answers: the public address, as the API last told it.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// Where the other droplets reach it: its address in the VPC, as the API last told it.
    #[serde(default)]
    pub private_address: Option<Ipv4Addr>,
    /// Present once a certificate was signed: the token is used, and only the same key may ask again.
    #[serde(default)]
    pub enrolment_id: Option<String>,
    /// SHA-256 of that key's SubjectPublicKeyInfo, hex.
    #[serde(default)]
    pub agent_key: String,
    /// Whether the agent was seen with that certificate.
    #[serde(default)]
    pub enrolled: bool,
    /// End of the agent's certificate.
    #[serde(default)]
    pub certificate_not_after: Option<Timestamp>,
    /// Number of the last audit entry seen.
    #[serde(default)]
    pub audit_head_number: u64,
    /// Its hash, hex.
    #[serde(default)]
    pub audit_head_hash: String,
}

impl DropletRecord {
    /// A droplet that is wanted and not made yet.
    pub fn wanted(intent: IntentId, token_expires_at: Timestamp) -> Self {
        Self {
            intent,
            token_expires_at,
            id: None,
            address: None,
            private_address: None,
            enrolment_id: None,
            agent_key: String::new(),
            enrolled: false,
            certificate_not_after: None,
            audit_head_number: 0,
            audit_head_hash: String::new(),
        }
    }
}

impl Default for Inventory {
    fn default() -> Self {
        Self { version: 1, vpc: None, ssh_key: None, firewalls: BTreeMap::new(), droplets: BTreeMap::new() }
    }
}

impl Inventory {
    const FILE: &str = "inventory.json";

    /// Reads it; a missing file is an empty one.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn load(state: &StateDir) -> Result<Self, StateError> {
        let path = state.file(Self::FILE);
        match fs_err::read(&path) {
            Ok(bytes) => parse(&bytes, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(StateError::Io(error)),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, state: &StateDir) -> Result<(), StateError> {
        let path = state.file(Self::FILE);
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|source| StateError::Damaged { path: path.clone(), source })?;
        bytes.push(b'\n');
        replace(&path, &bytes).map_err(StateError::Io)
    }
}

fn parse(bytes: &[u8], path: &Path) -> Result<Inventory, StateError> {
    let damaged = |source| StateError::Damaged { path: path.to_owned(), source };
    let inventory: Inventory = serde_json::from_slice(bytes).map_err(damaged)?;
    if inventory.version != 1 {
        let message = format!("its version is {}, this tidegate knows 1", inventory.version);
        return Err(damaged(serde::de::Error::custom(message)));
    }
    Ok(inventory)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1 as it was first written; it has to be read for ever.
    const GOLDEN: &str = r#"{
        "version": 1, "vpc": "v", "ssh_key": 7, "firewalls": {"shop-production-web": "f"},
        "droplets": {"shop-production-web-1": {"intent": "00ff", "token_expires_at": "2026-11-21T08:00:00Z", "id": 3,
            "enrolment_id": "e", "agent_key": "cd", "enrolled": true, "certificate_not_after": "2028-11-21T08:00:00Z", "audit_head_number": 2, "audit_head_hash": "ab"}}
    }"#;

    #[test]
    fn the_golden_file_is_read() {
        let inventory = parse(GOLDEN.as_bytes(), Path::new("i")).unwrap();
        assert_eq!(inventory.droplets.values().next().unwrap().id, Some(3));
    }

    #[test]
    fn every_cut_is_damage_not_another_inventory() {
        for cut in 0..GOLDEN.len() - 1 {
            assert!(parse(GOLDEN.as_bytes().get(..cut).unwrap(), Path::new("i")).is_err(), "{cut}");
        }
        assert!(parse(br#"{"version": 2}"#, Path::new("i")).is_err());
    }
}
