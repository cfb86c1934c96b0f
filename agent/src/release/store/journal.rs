//! Journals of releases: records that only the last claimant may add to. SQL only.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use tidegate_saga::{Generation, Record};

use super::{
    ReleaseStore, insert_event,
    sql::{from_json, signed, unsigned},
};
use crate::{
    apps::{AppName, ReleaseNumber},
    release::EventKind,
    store::DatabaseError,
};

impl ReleaseStore {
    /// Takes a journal over: the new generation and the records so far.
    ///
    /// # Errors
    /// When the database fails or holds a record that this program does not know.
    pub async fn claim(&self, saga: &str) -> Result<(Generation, Vec<Record>), DatabaseError> {
        let saga = saga.to_owned();
        let write = move |t: &Transaction<'_>| {
            t.execute(
                "INSERT INTO journal_claim (saga, generation) VALUES (?1, 1)
                 ON CONFLICT (saga) DO UPDATE SET generation = generation + 1",
                [&saga],
            )?;
            let generation: i64 =
                t.query_row("SELECT generation FROM journal_claim WHERE saga = ?1", [&saga], |row| {
                    row.get(0)
                })?;
            Ok((Generation::new(unsigned(generation)), records(t, &saga)?))
        };
        self.database.write(write).await
    }

    /// The records of a journal.
    ///
    /// # Errors
    /// When the database fails or holds a record that this program does not know.
    pub async fn records(&self, saga: &str) -> Result<Vec<Record>, DatabaseError> {
        let saga = saga.to_owned();
        self.database.read(move |connection| records(connection, &saga)).await
    }

    /// Adds a record, and with it the event that tells of it; false when the generation was superseded.
    ///
    /// # Errors
    /// When the database fails; nothing was added.
    pub async fn append(
        &self,
        (saga, generation, record): (&str, Generation, &Record),
        (app, release): (&AppName, ReleaseNumber),
        (event, now): (Option<EventKind>, Timestamp),
    ) -> Result<Appended, DatabaseError> {
        let (saga, app) = (saga.to_owned(), app.clone());
        let record = serde_json::to_string(record).unwrap_or_default();
        let generation = signed(generation.number());
        let write = move |t: &Transaction<'_>| {
            let current: Option<i64> = t
                .query_row("SELECT generation FROM journal_claim WHERE saga = ?1", [&saga], |row| row.get(0))
                .optional()?;
            if current != Some(generation) {
                return Ok(Appended::Superseded);
            }
            t.execute(
                "INSERT INTO journal (saga, number, generation, record) VALUES
                 (?1, (SELECT coalesce(max(number), 0) + 1 FROM journal WHERE saga = ?1), ?2, ?3)",
                params![saga, generation, record],
            )?;
            if let Some(kind) = &event {
                insert_event(t, &app, release, (kind, now))?;
            }
            Ok(Appended::Written)
        };
        self.database.write(write).await
    }
}

/// Whether a record was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was.
    Written,
    /// Another process has taken the saga over.
    Superseded,
}

fn records(connection: &Connection, saga: &str) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare("SELECT record FROM journal WHERE saga = ?1 ORDER BY number")?;
    let rows = statement.query_map([saga], |row| from_json(&row.get::<_, String>(0)?, 0))?;
    rows.collect()
}
