//! Rows of the table as values.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    backup::ByteCount,
    backup_runs::{BackupRow, BackupState, Cause},
};

/// What [`row_of`] reads. The key is not among it.
pub(super) const COLUMNS: &str = "id, app, service, cause, actor, state, release, engine, server_version, started_at, \
     finished_at, plain, stored, copies, tables, rows, revision, verified_at, verify_took, verify_failure, failure";

/// What is erased is overwritten, not only left unused.
pub(super) const SECURE_DELETE: &str = "PRAGMA secure_delete = ON";

pub(super) fn row_of(row: &Row<'_>) -> rusqlite::Result<BackupRow> {
    Ok(BackupRow {
        id: text(row, "id", |text| text.parse().ok())?,
        app: text(row, "app", |text| AppName::new(text).ok())?,
        service: ServiceName::new(row.get::<_, String>("service")?),
        cause: text(row, "cause", |text| Cause::of(&text))?,
        actor: row.get("actor")?,
        state: text(row, "state", |text| BackupState::of(&text))?,
        release: ReleaseNumber::new(number(row, "release")?),
        engine: row.get("engine")?,
        server_version: row.get("server_version")?,
        started_at: text(row, "started_at", |text| text.parse().ok())?,
        finished_at: time(row, "finished_at")?,
        plain: ByteCount::new(number(row, "plain")?),
        stored: ByteCount::new(number(row, "stored")?),
        copies: text(row, "copies", |text| serde_json::from_str(&text).ok())?,
        tables: number(row, "tables")?,
        rows: number(row, "rows")?,
        revision: row.get("revision")?,
        verified_at: time(row, "verified_at")?,
        verify_took: row
            .get::<_, Option<i64>>("verify_took")?
            .map(|millis| Duration::from_millis(unsigned(millis))),
        verify_failure: from_json(row, "verify_failure")?,
        failure: from_json(row, "failure")?,
    })
}

fn text<T>(row: &Row<'_>, column: &str, read: impl FnOnce(String) -> Option<T>) -> rusqlite::Result<T> {
    let found: String = row.get(column)?;
    read(found).ok_or_else(|| unreadable(column))
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let found: Option<String> = row.get(column)?;
    found.map(|text| text.parse().map_err(|_| unreadable(column))).transpose()
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let found: Option<String> = row.get(column)?;
    found.map(|text| serde_json::from_str(&text).map_err(|_| unreadable(column))).transpose()
}

fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get(column).map(unsigned)
}

/// Its value is not told: nobody knows what stands there.
fn unreadable(column: &str) -> rusqlite::Error {
    let error = format!("the column `{column}` of the table `backup` cannot be read");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// SQLite counts to 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn millis(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}
