//! Rows of the tables as values.

use jiff::Timestamp;
use rusqlite::types::Type;

use super::{Remembered, Row, Values};
use crate::health::{Change, Check, CheckId, Level, judge::Track};

pub(super) fn row_of_track(row: &rusqlite::Row<'_>) -> rusqlite::Result<Track> {
    let candidate: Option<String> = row.get("candidate")?;
    let candidate = match candidate {
        Some(word) => {
            Some((Level::of(&word).ok_or_else(|| unreadable("candidate"))?, time(row, "candidate_since")?))
        }
        None => None,
    };
    Ok(Track {
        id: id(row)?,
        level: level(row, "level")?,
        since: time(row, "since")?,
        known: level(row, "known")?,
        candidate,
        looked: time(row, "looked")?,
        what: row.get("what")?,
    })
}

pub(super) fn row_of_change(row: &rusqlite::Row<'_>) -> rusqlite::Result<Remembered> {
    let check = Check {
        id: id(row)?,
        level: level(row, "level")?,
        since: time(row, "at")?,
        what: row.get("what")?,
        why: row.get("why")?,
        hint: row.get("hint")?,
    };
    Ok(Remembered { number: row.get("number")?, change: Change { check, before: level(row, "before")? } })
}

pub(super) fn row_of_sample(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let text: String = row.get("series")?;
    let values: Values = serde_json::from_str(&text).map_err(|_| unreadable("series"))?;
    Ok(Row { at: row.get("at")?, count: row.get("count")?, values })
}

pub(super) fn json(values: &Values) -> rusqlite::Result<String> {
    serde_json::to_string(values).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn id(row: &rusqlite::Row<'_>) -> rusqlite::Result<CheckId> {
    CheckId::parse(&row.get::<_, String>("id")?).ok_or_else(|| unreadable("id"))
}

fn level(row: &rusqlite::Row<'_>, column: &'static str) -> rusqlite::Result<Level> {
    Level::of(&row.get::<_, String>(column)?).ok_or_else(|| unreadable(column))
}

fn time(row: &rusqlite::Row<'_>, column: &'static str) -> rusqlite::Result<Timestamp> {
    Timestamp::from_second(row.get(column)?).map_err(|_| unreadable(column))
}

fn unreadable(column: &str) -> rusqlite::Error {
    let error = format!("the column {column} holds what this agent does not understand");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}
