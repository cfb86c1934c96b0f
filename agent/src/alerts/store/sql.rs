//! Rows of the tables as values.

use jiff::Timestamp;
use rusqlite::{Row, types::Type};
use serde::Serialize;

use super::{PingState, Queued, ReceiverState};
use crate::{
    alerts::{
        plan::Told,
        settings::{ReceiverName, Severity},
    },
    health::{CheckId, Level},
};

pub(super) fn seconds(at: Timestamp) -> i64 {
    at.as_second()
}

pub(super) fn milliseconds(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn told(row: &Row<'_>) -> rusqlite::Result<(ReceiverName, CheckId, Told)> {
    let id = CheckId::parse(&row.get::<_, String>("id")?).ok_or_else(|| unreadable("id"))?;
    let level = Level::of(&row.get::<_, String>("level")?).ok_or_else(|| unreadable("level"))?;
    let worst = match row.get::<_, String>("worst")?.as_str() {
        "warning" => Severity::Warning,
        "critical" => Severity::Critical,
        _ => return Err(unreadable("worst")),
    };
    let told =
        Told { level, worst, since: time(row, "since")?, what: row.get("what")?, at: time(row, "at")? };
    Ok((name(row, "receiver")?, id, told))
}

pub(super) fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    let message: String = row.get("message")?;
    Ok(Queued {
        number: row.get("number")?,
        message: serde_json::from_str(&message).map_err(|_| unreadable("message"))?,
        attempts: row.get("attempts")?,
        next_try: Timestamp::from_millisecond(row.get("next_try")?).map_err(|_| unreadable("next_try"))?,
    })
}

pub(super) fn state(row: &Row<'_>) -> rusqlite::Result<(ReceiverName, ReceiverState)> {
    let known = row.get::<_, Option<String>>("receiver")?.is_some();
    let next = row.get::<_, Option<i64>>("next")?;
    let failing = match optional_time(row, "failing_since")? {
        Some(since) => Some((since, row.get::<_, Option<String>>("failure")?.unwrap_or_default())),
        None => None,
    };
    let state = ReceiverState {
        delivered: optional_time(row, "delivered")?,
        waiting: row.get::<_, Option<u32>>("waiting")?.unwrap_or_default(),
        next: next.map(Timestamp::from_millisecond).transpose().map_err(|_| unreadable("next"))?,
        failing,
        lost: u64::try_from(row.get::<_, Option<i64>>("lost")?.unwrap_or_default()).unwrap_or_default(),
    };
    Ok((name(row, if known { "receiver" } else { "name" })?, state))
}

pub(super) fn ping(row: &Row<'_>) -> rusqlite::Result<PingState> {
    Ok(PingState { answered: optional_time(row, "answered")?, failure: row.get("failure")? })
}

fn name(row: &Row<'_>, column: &'static str) -> rusqlite::Result<ReceiverName> {
    ReceiverName::new(row.get::<_, String>(column)?).ok_or_else(|| unreadable(column))
}

fn time(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Timestamp> {
    Timestamp::from_second(row.get(column)?).map_err(|_| unreadable(column))
}

fn optional_time(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Option<Timestamp>> {
    let seconds: Option<i64> = row.get(column)?;
    seconds.map(Timestamp::from_second).transpose().map_err(|_| unreadable(column))
}

fn unreadable(column: &str) -> rusqlite::Error {
    let error = format!("the column {column} holds what this agent does not understand");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}
