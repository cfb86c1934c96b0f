//! Journals of sagas: records that only the last claimant may add to. SQL only; whose saga it is stands in its name.
//!
//! # Format
//! `journal` has the records of a saga as JSON (`tidegate_saga::Record`), each with the generation that wrote it;
//! `journal_claim` has the generation that may write now. The tables are made by the migrations of releases, which had the
//! first sagas.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params, types::Type};
use tidegate_saga::{Generation, Record};

/// Whether a record was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was.
    Written,
    /// Another process has taken the saga over.
    Superseded,
}

/// Takes a journal over: the new generation and the records so far.
///
/// # Errors
/// When the database fails or holds a record that this program does not know.
pub fn claim(t: &Transaction<'_>, saga: &str) -> rusqlite::Result<(Generation, Vec<Record>)> {
    t.execute(
        "INSERT INTO journal_claim (saga, generation) VALUES (?1, 1)
         ON CONFLICT (saga) DO UPDATE SET generation = generation + 1",
        [saga],
    )?;
    let query = "SELECT generation FROM journal_claim WHERE saga = ?1";
    let generation: i64 = t.query_row(query, [saga], |row| row.get(0))?;
    Ok((Generation::new(u64::try_from(generation).unwrap_or(0)), records(t, saga)?))
}

/// The records of a journal.
///
/// # Errors
/// When the database fails or holds a record that this program does not know.
pub fn records(connection: &Connection, saga: &str) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare("SELECT record FROM journal WHERE saga = ?1 ORDER BY number")?;
    let rows = statement.query_map([saga], |row| {
        let text: String = row.get(0)?;
        serde_json::from_str(&text)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into()))
    })?;
    rows.collect()
}

/// Adds a record.
///
/// # Errors
/// When the database fails; nothing was added.
pub fn append(
    t: &Transaction<'_>,
    saga: &str,
    (generation, record): (Generation, &Record),
) -> rusqlite::Result<Appended> {
    let generation = i64::try_from(generation.number()).unwrap_or(i64::MAX);
    let query = "SELECT generation FROM journal_claim WHERE saga = ?1";
    let current: Option<i64> = t.query_row(query, [saga], |row| row.get(0)).optional()?;
    if current != Some(generation) {
        return Ok(Appended::Superseded);
    }
    let record = serde_json::to_string(record)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    t.execute(
        "INSERT INTO journal (saga, number, generation, record) VALUES
         (?1, (SELECT coalesce(max(number), 0) + 1 FROM journal WHERE saga = ?1), ?2, ?3)",
        params![saga, generation, record],
    )?;
    Ok(Appended::Written)
}
