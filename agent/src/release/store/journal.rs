//! Journals of releases: a record and the event that tells of it, in one transaction. SQL only.

use jiff::Timestamp;
use rusqlite::Transaction;
use tidegate_saga::{Generation, Record};

use super::{ReleaseStore, insert_event};
use crate::{
    apps::{AppName, ReleaseNumber},
    release::EventKind,
    store::{
        DatabaseError,
        saga_journal::{self, Appended},
    },
};

impl ReleaseStore {
    /// Takes a journal over: the new generation and the records so far.
    ///
    /// # Errors
    /// When the database fails or holds a record that this program does not know.
    pub async fn claim(&self, saga: &str) -> Result<(Generation, Vec<Record>), DatabaseError> {
        let saga = saga.to_owned();
        let write = move |t: &Transaction<'_>| saga_journal::claim(t, &saga);
        self.database.write(write).await
    }

    /// The records of a journal.
    ///
    /// # Errors
    /// When the database fails or holds a record that this program does not know.
    pub async fn records(&self, saga: &str) -> Result<Vec<Record>, DatabaseError> {
        let saga = saga.to_owned();
        self.database.read(move |connection| saga_journal::records(connection, &saga)).await
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
        let record = record.clone();
        let write = move |t: &Transaction<'_>| {
            let appended = saga_journal::append(t, &saga, (generation, &record))?;
            if appended == Appended::Superseded {
                return Ok(appended);
            }
            if let Some(kind) = &event {
                insert_event(t, &app, release, (kind, now))?;
            }
            Ok(Appended::Written)
        };
        self.database.write(write).await
    }
}
