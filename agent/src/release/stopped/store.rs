//! Which apps somebody has stopped. SQL only; no decisions.
//!
//! # Format
//! `app_stopped` has a row per app that stands still: who stopped it, when (RFC 3339, UTC), and as a JSON array the names of the
//! containers that ran then. The row is written before the first of them stops, and goes when all were started again, with the
//! commit of a release (`store.rs`), or with the app.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, types::Type};

use super::StoppedApp;
use crate::{
    apps::AppName,
    store::{Database, DatabaseError, Migration},
};

/// The table.
pub const MIGRATIONS: &[Migration] = &[Migration {
    module: "stopped",
    number: 1,
    sql: "
CREATE TABLE app_stopped (
    app TEXT NOT NULL PRIMARY KEY, actor TEXT NOT NULL, at TEXT NOT NULL, containers TEXT NOT NULL) STRICT, WITHOUT ROWID;
",
}];

/// SQL over the table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StoppedStore {
    database: Database,
}

impl StoppedStore {
    /// Over this database, which has run [`MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Writes down that an app is stopped.
    ///
    /// # Errors
    /// When the database fails: nothing was written then.
    pub async fn put(&self, app: &AppName, stopped: &StoppedApp) -> Result<(), DatabaseError> {
        let (app, stopped) = (app.clone(), stopped.clone());
        let write = move |t: &Transaction<'_>| {
            let names = serde_json::to_string(&stopped.containers)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            t.execute(
                "INSERT INTO app_stopped (app, actor, at, containers) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (app) DO UPDATE SET containers = ?4",
                params![app.as_str(), stopped.actor, stopped.at.to_string(), names],
            )
            .map(drop)
        };
        self.database.write(write).await
    }

    /// Forgets it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(&self, app: &AppName) -> Result<(), DatabaseError> {
        let app = app.clone();
        self.database.write(move |t: &Transaction<'_>| forget(t, &app)).await
    }

    /// Whether an app is stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(&self, app: &AppName) -> Result<Option<StoppedApp>, DatabaseError> {
        let app = app.clone();
        let select = move |connection: &Connection| {
            connection
                .query_row(
                    "SELECT actor, at, containers FROM app_stopped WHERE app = ?1",
                    [app.as_str()],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)),
                )
                .optional()?
                .map(|(actor, at, names)| {
                    let at: Timestamp = at.parse().map_err(|error: jiff::Error| unreadable(1, error))?;
                    let containers: BTreeSet<String> =
                        serde_json::from_str(&names).map_err(|error| unreadable(2, error))?;
                    Ok(StoppedApp { actor, at, containers })
                })
                .transpose()
        };
        self.database.read(select).await
    }
}

/// Forgets that an app was stopped, in the transaction in which a release begins to serve.
pub(in crate::release) fn forget(t: &Transaction<'_>, app: &AppName) -> rusqlite::Result<()> {
    t.execute("DELETE FROM app_stopped WHERE app = ?1", [app.as_str()]).map(drop)
}

fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
