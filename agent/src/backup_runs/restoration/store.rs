//! What the agent remembers of restores. SQL only; no decisions.
//!
//! # Format
//! `restore` has a row per restore that was begun: `plan` and `failure` as JSON, `kept` a JSON array of the databases that
//! served before and are still there, `stood_still` in milliseconds, times as RFC 3339 in UTC. `droplet` is the folder of the
//! droplet and enrolment as in `backup`. The saga's records are in `journal`, under the name `restore/<id>`.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, types::Type};
use tidegate_saga::{Generation, Journal, JournalError, Record};

use super::{
    super::{BackupError, BackupId},
    row::{RestoreRow, RestoreState},
};
use crate::{
    apps::AppName,
    backup::layout::DropletFolder,
    postgres::DatabaseName,
    release::Failure,
    store::{
        Database, Migration,
        saga_journal::{self, Appended},
    },
};

/// The table of restores.
pub const MIGRATION: Migration = Migration {
    module: "restore",
    number: 1,
    sql: "
CREATE TABLE restore (
    id TEXT NOT NULL PRIMARY KEY, droplet TEXT NOT NULL, app TEXT NOT NULL, actor TEXT NOT NULL, plan TEXT NOT NULL,
    state TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, stood_still INTEGER, kept TEXT NOT NULL DEFAULT '[]',
    kept_until TEXT, failure TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX restore_of_app ON restore (droplet, app, id);
",
};

const COLUMNS: &str =
    "id, actor, plan, state, started_at, finished_at, stood_still, kept, kept_until, failure";

/// SQL over the table of restores. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RestoreStore {
    database: Database,
}

/// How a restore ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Where it is now.
    pub state: RestoreState,
    /// Why.
    pub failure: Option<Failure>,
    /// How long the app stood still.
    pub stood_still: Option<Duration>,
    /// What is kept, and until when.
    pub kept: (Vec<DatabaseName>, Option<Timestamp>),
}

impl RestoreStore {
    /// Over this database, which has run [`MIGRATION`].
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Adds a row that runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self, droplet: &DropletFolder, row: &RestoreRow) -> Result<(), BackupError> {
        let (droplet, row) = (droplet.to_string(), row.clone());
        let insert = move |t: &Transaction<'_>| {
            t.execute(
                "INSERT INTO restore (id, droplet, app, actor, plan, state, started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    row.id.to_string(),
                    droplet,
                    row.plan.app.as_str(),
                    row.actor,
                    json(&row.plan)?,
                    row.state.word(),
                    row.started_at.to_string()
                ],
            )
            .map(drop)
        };
        self.write("writing down that a restore begins", insert).await
    }

    /// Ends a row that runs or is stuck.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish(&self, id: BackupId, ending: &Ending, now: Timestamp) -> Result<(), BackupError> {
        let ending = ending.clone();
        let update = move |t: &Transaction<'_>| {
            let Ending { state, failure, stood_still, kept: (kept, until) } = &ending;
            t.execute(
                "UPDATE restore SET state = ?2, finished_at = ?3, failure = ?4, stood_still = ?5, kept = ?6,
                 kept_until = ?7 WHERE id = ?1 AND state IN ('running', 'stuck')",
                params![
                    id.to_string(),
                    state.word(),
                    now.to_string(),
                    failure.as_ref().map(json).transpose()?,
                    stood_still.map(|still| i64::try_from(still.as_millis()).unwrap_or(i64::MAX)),
                    json(kept)?,
                    until.map(|until| until.to_string())
                ],
            )
            .map(drop)
        };
        self.write("writing down how a restore ended", update).await
    }

    /// What is kept of what served before a restore.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep(&self, id: BackupId, kept: &[DatabaseName]) -> Result<(), BackupError> {
        let kept = kept.to_vec();
        let update = move |t: &Transaction<'_>| {
            let until = if kept.is_empty() { "kept_until = NULL" } else { "kept_until = kept_until" };
            let sql = format!("UPDATE restore SET kept = ?2, {until} WHERE id = ?1");
            t.execute(&sql, params![id.to_string(), json(&kept)?]).map(drop)
        };
        self.write("writing down what a restore keeps", update).await
    }

    /// The restores of this droplet, of an app or of all, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rows(
        &self,
        droplet: &DropletFolder,
        app: Option<&AppName>,
    ) -> Result<Vec<RestoreRow>, BackupError> {
        let (droplet, app) = (droplet.to_string(), app.cloned());
        let select = move |connection: &Connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM restore WHERE droplet = ?1 AND (?2 IS NULL OR app = ?2) ORDER BY id DESC"
            ))?;
            let rows = statement.query_map(params![droplet, app.as_ref().map(AppName::as_str)], row_of)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.read(select).await
    }

    /// One of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn row(
        &self,
        droplet: &DropletFolder,
        id: BackupId,
    ) -> Result<Option<RestoreRow>, BackupError> {
        let droplet = droplet.to_string();
        let select = move |connection: &Connection| {
            let query = format!("SELECT {COLUMNS} FROM restore WHERE droplet = ?1 AND id = ?2");
            connection.query_row(&query, params![droplet, id.to_string()], row_of).optional()
        };
        self.read(select).await
    }

    /// The journal of a restore.
    pub fn journal(&self, id: BackupId) -> RestoreJournal {
        RestoreJournal { database: self.database.clone(), saga: format!("restore/{id}") }
    }

    async fn write<F>(&self, doing: &'static str, work: F) -> Result<(), BackupError>
    where
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
    {
        let written = self.database.write(work).await;
        written.map_err(|source| BackupError::Database { doing, source: Box::new(source) })
    }

    async fn read<T, F>(&self, work: F) -> Result<T, BackupError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let doing = "reading which restores there are";
        let read = self.database.read(work).await;
        read.map_err(|source| BackupError::Database { doing, source: Box::new(source) })
    }
}

/// The journal of one restore.
#[derive(Debug)]
pub struct RestoreJournal {
    database: Database,
    saga: String,
}

impl Journal for RestoreJournal {
    fn claim(&self) -> BoxFuture<'_, Result<(Generation, Vec<Record>), JournalError>> {
        let saga = self.saga.clone();
        let claim = move |t: &Transaction<'_>| saga_journal::claim(t, &saga);
        Box::pin(async move {
            self.database.write(claim).await.map_err(|error| JournalError::storage("read", error))
        })
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        let saga = self.saga.clone();
        let load = move |connection: &Connection| saga_journal::records(connection, &saga);
        Box::pin(async move {
            self.database.read(load).await.map_err(|error| JournalError::storage("read", error))
        })
    }

    fn append<'a>(
        &'a self,
        generation: Generation,
        record: &'a Record,
    ) -> BoxFuture<'a, Result<(), JournalError>> {
        let (saga, record) = (self.saga.clone(), record.clone());
        let append = move |t: &Transaction<'_>| saga_journal::append(t, &saga, (generation, &record));
        Box::pin(async move {
            let appended = self.database.write(append).await;
            match appended.map_err(|error| JournalError::storage("written", error))? {
                Appended::Written => Ok(()),
                Appended::Superseded => Err(JournalError::Superseded { held: generation }),
            }
        })
    }
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<RestoreRow> {
    let text = |column: usize| row.get::<_, String>(column);
    let optional = |column: usize| row.get::<_, Option<String>>(column);
    let failure = optional(9)?.map(|failure| from_json(&failure, 9)).transpose()?;
    let state = RestoreState::of(&text(3)?);
    Ok(RestoreRow {
        id: parse(&text(0)?, 0)?,
        actor: text(1)?,
        plan: from_json(&text(2)?, 2)?,
        state: state.ok_or_else(|| conversion(3, "no state of a restore"))?,
        started_at: parse(&text(4)?, 4)?,
        finished_at: optional(5)?.map(|at| parse(&at, 5)).transpose()?,
        stood_still: row
            .get::<_, Option<i64>>(6)?
            .map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or_default())),
        kept: from_json(&text(7)?, 7)?,
        kept_until: optional(8)?.map(|at| parse(&at, 8)).transpose()?,
        failure,
    })
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_json<T: for<'de> serde::Deserialize<'de>>(text: &str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| conversion(column, error))
}

fn parse<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    text: &str,
    column: usize,
) -> rusqlite::Result<T> {
    text.parse().map_err(|error: T::Err| conversion(column, error))
}

fn conversion(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
