//! What the agent remembers of backups. SQL only; no decisions.
//!
//! # Format
//! `backup` has a row per backup that was begun: [`BackupRow`] in columns, times as RFC 3339 in UTC, `copies` and the failures
//! as JSON, the time that a verification took in milliseconds. `droplet` is the folder of the droplet and enrolment that made
//! it ([`DropletFolder`] as text): rows of another enrolment are never shown, so a copy of a droplet has none of its backups.
//! `one_time_key` is the age secret key of this one backup; it is erased when the backup was verified or has failed.

mod sql;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use secrecy::{ExposeSecret as _, SecretString};

use self::sql::{COLUMNS, SECURE_DELETE, json, millis, row_of, signed};
use super::{BackupError, BackupRow, BackupState, row::Facts};
use crate::{
    apps::{AppName, ServiceName},
    backup::{BackupId, layout::DropletFolder},
    release::Failure,
    store::{Database, DatabaseError, Migration},
};

/// The table of backups.
pub const MIGRATIONS: &[Migration] = &[Migration {
    module: "backup",
    number: 1,
    sql: "
CREATE TABLE backup (
    id TEXT NOT NULL PRIMARY KEY, droplet TEXT NOT NULL, app TEXT NOT NULL, service TEXT NOT NULL,
    cause TEXT NOT NULL, actor TEXT NOT NULL, state TEXT NOT NULL, release INTEGER NOT NULL, engine TEXT NOT NULL,
    server_version TEXT, started_at TEXT NOT NULL, finished_at TEXT, plain INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0, copies TEXT NOT NULL DEFAULT '[]', tables INTEGER NOT NULL DEFAULT 0,
    rows INTEGER NOT NULL DEFAULT 0, revision TEXT, verified_at TEXT, verify_took INTEGER, verify_failure TEXT,
    failure TEXT, one_time_key TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX backup_of_service ON backup (droplet, app, service, id);
",
}];

/// SQL over the table of backups. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct BackupStore {
    database: Database,
}

/// A row that is still called running.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Running {
    /// The folder of the droplet that made it.
    pub(super) droplet: String,
    pub(super) row: BackupRow,
}

impl BackupStore {
    /// Over this database, which has run [`MIGRATIONS`].
    pub(super) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Adds a row that runs, with the key of its backup.
    pub(super) async fn begin(
        &self,
        droplet: &DropletFolder,
        row: &BackupRow,
        key: SecretString,
    ) -> Result<(), BackupError> {
        let (droplet, row) = (droplet.to_string(), row.clone());
        let insert = move |t: &Transaction<'_>| {
            t.execute(
                "INSERT INTO backup (id, droplet, app, service, cause, actor, state, release, engine, started_at, one_time_key)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    row.id.to_string(), droplet, row.app.as_str(), row.service.as_str(), row.cause.word(), row.actor,
                    BackupState::Running.word(), signed(row.release.get()), row.engine, row.started_at.to_string(),
                    key.expose_secret()
                ],
            )
            .map(drop)
        };
        self.write("writing down that a backup begins", insert).await
    }

    /// Ends a row that runs: it is stored.
    pub(super) async fn stored(
        &self,
        id: BackupId,
        facts: &Facts,
        (failure, now): (Option<&Failure>, Timestamp),
    ) -> Result<(), BackupError> {
        let (facts, failure) = (facts.clone(), failure.cloned());
        let update = move |t: &Transaction<'_>| {
            let Facts { server_version, plain, stored, copies, tables, rows, revision } = &facts;
            let failure = failure.as_ref().map(json).transpose()?;
            t.execute(
                "UPDATE backup SET state = ?2, finished_at = ?3, server_version = ?4, plain = ?5, stored = ?6, copies = ?7,
                 tables = ?8, rows = ?9, revision = ?10, failure = ?11 WHERE id = ?1 AND state = ?12",
                params![
                    id.to_string(), BackupState::Stored.word(), now.to_string(), server_version, signed(plain.get()),
                    signed(stored.get()), json(copies)?, signed(*tables), signed(*rows), revision, failure,
                    BackupState::Running.word()
                ],
            )
            .map(drop)
        };
        self.write("writing down that the backup is stored", update).await
    }

    /// Ends a row that runs: it failed. Its key opens nothing any more, and goes.
    pub(super) async fn failed(
        &self,
        id: BackupId,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<(), BackupError> {
        let failure = failure.clone();
        let update = move |t: &Transaction<'_>| {
            t.execute_batch(SECURE_DELETE)?;
            t.execute(
                "UPDATE backup SET state = ?2, finished_at = ?3, failure = ?4, one_time_key = NULL WHERE id = ?1 AND state = ?5",
                params![
                    id.to_string(), BackupState::Failed.word(), now.to_string(), json(&failure)?,
                    BackupState::Running.word()
                ],
            )
            .map(drop)
        };
        self.write("writing down that the backup failed", update).await
    }

    /// A restore on trial succeeded: the key goes.
    pub(super) async fn verified(
        &self,
        id: BackupId,
        (at, took): (Timestamp, Duration),
    ) -> Result<(), BackupError> {
        let update = move |t: &Transaction<'_>| {
            t.execute_batch(SECURE_DELETE)?;
            t.execute(
                "UPDATE backup SET state = ?2, verified_at = ?3, verify_took = ?4, verify_failure = NULL, one_time_key = NULL
                 WHERE id = ?1 AND state IN (?2, ?5)",
                params![
                    id.to_string(), BackupState::Verified.word(), at.to_string(), millis(took), BackupState::Stored.word()
                ],
            )
            .map(drop)
        };
        self.write("writing down that the backup is verified", update).await
    }

    /// A restore on trial failed.
    pub(super) async fn verify_failed(&self, id: BackupId, failure: &Failure) -> Result<(), BackupError> {
        let failure = failure.clone();
        let update = move |t: &Transaction<'_>| {
            t.execute(
                "UPDATE backup SET state = ?2, verify_failure = ?3 WHERE id = ?1 AND state IN (?2, ?4)",
                params![
                    id.to_string(),
                    BackupState::Stored.word(),
                    json(&failure)?,
                    BackupState::Verified.word()
                ],
            )
            .map(drop)
        };
        self.write("writing down that the verification failed", update).await
    }

    /// The rows of an app, or of one of its services, the newest first.
    pub(super) async fn rows(
        &self,
        droplet: &DropletFolder,
        app: &AppName,
        service: Option<&ServiceName>,
    ) -> Result<Vec<BackupRow>, BackupError> {
        let (droplet, app, service) = (droplet.to_string(), app.clone(), service.cloned());
        let select = move |connection: &Connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM backup WHERE droplet = ?1 AND app = ?2 AND (?3 IS NULL OR service = ?3)
                 ORDER BY id DESC"
            ))?;
            let service = service.as_ref().map(ServiceName::as_str);
            let rows = statement.query_map(params![droplet, app.as_str(), service], row_of)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.read(select).await
    }

    /// One row of an app.
    pub(super) async fn row(
        &self,
        droplet: &DropletFolder,
        app: &AppName,
        id: BackupId,
    ) -> Result<Option<BackupRow>, BackupError> {
        let (droplet, app) = (droplet.to_string(), app.clone());
        let select = move |connection: &Connection| {
            let query = format!("SELECT {COLUMNS} FROM backup WHERE droplet = ?1 AND app = ?2 AND id = ?3");
            connection.query_row(&query, params![droplet, app.as_str(), id.to_string()], row_of).optional()
        };
        self.read(select).await
    }

    /// Rows that are called running, whoever made them.
    pub(super) async fn running(&self) -> Result<Vec<Running>, BackupError> {
        let select = |connection: &Connection| {
            let query = format!("SELECT {COLUMNS}, droplet FROM backup WHERE state = ?1 ORDER BY id");
            let mut statement = connection.prepare(&query)?;
            let rows = statement.query_map([BackupState::Running.word()], |row| {
                Ok(Running { row: row_of(row)?, droplet: row.get("droplet")? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.read(select).await
    }

    /// The key of a backup, as long as the agent holds it.
    pub(super) async fn key(&self, id: BackupId) -> Result<Option<SecretString>, BackupError> {
        let select = move |connection: &Connection| {
            let query = "SELECT one_time_key FROM backup WHERE id = ?1";
            let key: Option<Option<String>> =
                connection.query_row(query, [id.to_string()], |row| row.get(0)).optional()?;
            Ok(key.flatten().map(SecretString::from))
        };
        self.read(select).await
    }

    /// Forgets a backup that is gone from all destinations, with its key. One that runs stays.
    pub(super) async fn forget(&self, id: BackupId) -> Result<(), BackupError> {
        let delete = move |t: &Transaction<'_>| {
            t.execute_batch(SECURE_DELETE)?;
            t.execute(
                "DELETE FROM backup WHERE id = ?1 AND state <> ?2",
                params![id.to_string(), BackupState::Running.word()],
            )
            .map(drop)
        };
        self.write("forgetting a backup that was deleted", delete).await
    }

    async fn write<F>(&self, doing: &'static str, work: F) -> Result<(), BackupError>
    where
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
    {
        self.database
            .write(work)
            .await
            .map_err(|source| BackupError::Database { doing, source: Box::new(source) })
    }

    async fn read<T, F>(&self, work: F) -> Result<T, BackupError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let failed = |source: DatabaseError| BackupError::Database {
            doing: "reading which backups there are",
            source: Box::new(source),
        };
        self.database.read(work).await.map_err(failed)
    }
}
