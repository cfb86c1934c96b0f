//! Values of the domain as SQLite keeps them, and back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::release::ReleaseState;

pub(super) fn word(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Running => "running",
        ReleaseState::Released => "released",
        ReleaseState::Undone => "undone",
        ReleaseState::Stuck => "stuck",
        ReleaseState::Superseded => "superseded",
        ReleaseState::Removed => "removed",
    }
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn from_json<T: for<'de> Deserialize<'de>>(text: &str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| conversion(column, error))
}

pub(super) fn parse(text: &str, column: usize) -> rusqlite::Result<Timestamp> {
    text.parse().map_err(|error: jiff::Error| conversion(column, error))
}

pub(super) fn conversion(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
