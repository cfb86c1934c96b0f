//! The audit log's hash chain.
//!
//! # Bytes
//! `hash = SHA-256(previous_hash || entry)`. `entry` is a sequence of fields, each preceded by its length as 8 bytes, big
//! endian: the text `tidegate audit entry v1`; number, seconds and nanoseconds of the time as 8 bytes each (seconds in
//! two's complement); actor, action, subject and outcome in UTF-8; the count of `fields` as 8 bytes; then key and value
//! of each, in the order of the keys' bytes. The first entry's `previous_hash` is 32 zero bytes.
//!
//! It must not store entries or know what they are about.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{canonical::Canonical, v1::AuditEntry};

/// The last entry of a chain: what a controller remembers of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 before the first entry.
    pub number: u64,
    /// Its hash; zeros before the first entry.
    pub hash: [u8; 32],
}

impl Head {
    /// The head of an empty log.
    pub const EMPTY: Self = Self { number: 0, hash: [0; 32] };
}

/// What is written down; number and hashes come from the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// Who: a SPIFFE id, `local:root`, or `agent`.
    pub actor: String,
    /// What: `deploy`, `exec-container`, `enrol`, ...
    pub action: String,
    /// To what: `shop/web`, `droplet`.
    pub subject: String,
    /// How it ended: `started`, `succeeded`, `failed: <code>`.
    pub outcome: String,
    /// More; never secrets, never argument values.
    pub fields: BTreeMap<String, String>,
}

/// A run of entries that is no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A number is missing or comes twice.
    #[error(
        "the audit log does not go on at entry {expected}: the next one has number {found}; entries were removed, repeated or reordered"
    )]
    Number {
        /// The number that should follow.
        expected: u64,
        /// The one that did.
        found: u64,
    },
    /// An entry does not follow the one before.
    #[error(
        "entry {number} of the audit log does not follow from the entry before it; the log was changed or replaced"
    )]
    Link {
        /// The entry.
        number: u64,
    },
    /// An entry is not what was hashed.
    #[error("entry {number} of the audit log was changed after it was written")]
    Content {
        /// The entry.
        number: u64,
    },
    /// An entry lacks a time, or has one that is none.
    #[error("entry {number} of the audit log has no valid time")]
    Time {
        /// The entry.
        number: u64,
    },
    /// The log is shorter than what was seen before.
    #[error("the audit log ends at entry {found}, but entry {expected} was seen before; its end was cut off")]
    Cut {
        /// The number remembered.
        expected: u64,
        /// The last one there.
        found: u64,
    },
}

/// Makes the entry that follows `head`.
pub fn seal(head: Head, record: Record) -> AuditEntry {
    let at = prost_types::Timestamp {
        seconds: record.at.as_second(),
        // jiff keeps seconds and nanoseconds of one sign, protobuf wants nanoseconds from 0 up.
        nanos: record.at.subsec_nanosecond(),
    };
    let at = if at.nanos < 0 {
        prost_types::Timestamp { seconds: at.seconds - 1, nanos: at.nanos + 1_000_000_000 }
    } else {
        at
    };
    let mut entry = AuditEntry {
        number: head.number.saturating_add(1),
        at: Some(at),
        actor: record.actor,
        action: record.action,
        subject: record.subject,
        outcome: record.outcome,
        fields: record.fields.into_iter().collect::<HashMap<_, _>>(),
        previous_hash: head.hash.to_vec(),
        hash: Vec::new(),
    };
    entry.hash = hash(&entry, at).to_vec();
    entry
}

/// Checks that the entries follow each other and the head, and tells the new head.
///
/// # Errors
/// The first mismatch.
pub fn verify<'a>(head: Head, entries: impl IntoIterator<Item = &'a AuditEntry>) -> Result<Head, ChainError> {
    entries.into_iter().try_fold(head, follow)
}

/// Checks one more entry; for streams.
///
/// # Errors
/// It does not follow the head, or was changed.
pub fn follow(head: Head, entry: &AuditEntry) -> Result<Head, ChainError> {
    let expected = head.number.saturating_add(1);
    let number = entry.number;
    if number != expected {
        return Err(ChainError::Number { expected, found: number });
    }
    if entry.previous_hash != head.hash {
        return Err(ChainError::Link { number });
    }
    let at =
        entry.at.filter(|at| (0..1_000_000_000).contains(&at.nanos)).ok_or(ChainError::Time { number })?;
    let hash = hash(entry, at);
    if entry.hash != hash {
        return Err(ChainError::Content { number });
    }
    Ok(Head { number, hash })
}

/// Checks that a log whose verified head is `found` still holds what was remembered: `at_remembered` is the hash of its
/// entry with the remembered number, if it goes that far.
///
/// # Errors
/// The log was cut or replaced.
pub fn extends(remembered: Head, found: Head, at_remembered: Option<&[u8]>) -> Result<(), ChainError> {
    if remembered == Head::EMPTY {
        return Ok(());
    }
    if found.number < remembered.number {
        return Err(ChainError::Cut { expected: remembered.number, found: found.number });
    }
    match at_remembered {
        Some(hash) if hash == remembered.hash => Ok(()),
        _ => Err(ChainError::Link { number: remembered.number }),
    }
}

fn hash(entry: &AuditEntry, at: prost_types::Timestamp) -> [u8; 32] {
    let fields: BTreeMap<&str, &str> =
        entry.fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut bytes = Canonical::new("tidegate audit entry v1")
        .number(entry.number)
        .bytes(&at.seconds.to_be_bytes())
        .bytes(&i64::from(at.nanos).to_be_bytes())
        .text(&entry.actor)
        .text(&entry.action)
        .text(&entry.subject)
        .text(&entry.outcome)
        .number(u64::try_from(fields.len()).unwrap_or(u64::MAX));
    for (key, value) in fields {
        bytes = bytes.text(key).text(value);
    }
    Sha256::new().chain_update(&entry.previous_hash).chain_update(bytes.finish()).finalize().into()
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
