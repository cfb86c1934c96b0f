//! The audit log's table.
//!
//! Owns its SQL. Must not hash: that is the contract's.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use tidegate_proto::{
    audit::{Head, Record, seal},
    v1::AuditEntry,
};

use crate::store::Migration;

/// The table of the audit log.
pub const MIGRATIONS: &[Migration] = &[Migration {
    module: "audit",
    number: 1,
    sql: "CREATE TABLE audit (
              number INTEGER PRIMARY KEY CHECK (number > 0),
              seconds INTEGER NOT NULL,
              nanoseconds INTEGER NOT NULL,
              actor TEXT NOT NULL,
              action TEXT NOT NULL,
              subject TEXT NOT NULL,
              outcome TEXT NOT NULL,
              fields TEXT NOT NULL CHECK (json_valid(fields)),
              previous_hash BLOB NOT NULL CHECK (length(previous_hash) = 32),
              hash BLOB NOT NULL CHECK (length(hash) = 32)
          ) STRICT;
          CREATE TRIGGER audit_keeps_its_entries BEFORE UPDATE ON audit
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
          CREATE TRIGGER audit_loses_no_entries BEFORE DELETE ON audit
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
          CREATE TRIGGER audit_has_no_gaps BEFORE INSERT ON audit
          WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
          BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;",
}];

/// Number and hash of the last entry.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Head> {
    let last = connection
        .query_row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", (), |row| {
            Ok(Head { number: number(row)?, hash: row.get("hash")? })
        })
        .optional()?;
    Ok(last.unwrap_or(Head::EMPTY))
}

/// Adds an entry.
pub(super) fn append(transaction: &Transaction<'_>, record: Record) -> rusqlite::Result<Head> {
    let fields = to_json(&record.fields)?;
    let entry = seal(head(transaction)?, record);
    let at = entry.at.unwrap_or_default();
    transaction.execute(
        "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            sqlite_number(entry.number),
            at.seconds,
            at.nanos,
            &entry.actor,
            &entry.action,
            &entry.subject,
            &entry.outcome,
            fields,
            &entry.previous_hash,
            &entry.hash,
        ),
    )?;
    head(transaction)
}

fn to_json(fields: &BTreeMap<String, String>) -> rusqlite::Result<String> {
    serde_json::to_string(fields).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// SQLite counts to 2^63; no log gets there.
fn sqlite_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>) -> rusqlite::Result<u64> {
    let number: i64 = row.get("number")?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, number))
}

/// Entries in order.
pub(super) fn entries(connection: &Connection, after: u64, limit: u32) -> rusqlite::Result<Vec<AuditEntry>> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    statement.query_map((sqlite_number(after), limit), entry)?.collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let fields: String = row.get("fields")?;
    let fields: HashMap<String, String> = serde_json::from_str(&fields).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(7, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(AuditEntry {
        number: number(row)?,
        at: Some(prost_types::Timestamp { seconds: row.get("seconds")?, nanos: row.get("nanoseconds")? }),
        actor: row.get("actor")?,
        action: row.get("action")?,
        subject: row.get("subject")?,
        outcome: row.get("outcome")?,
        fields,
        previous_hash: row.get("previous_hash")?,
        hash: row.get("hash")?,
    })
}
