//! What the agent remembers of starts of the droplet. SQL only; no decisions.
//!
//! # Format
//! Times are RFC 3339 in UTC. `boot` has a row per start of the droplet in which the agent ran: the kernel's id of it, when it
//! was, when the agent began first, and when the droplet was told to go down (null: nobody told it). `app_back` has what became
//! of each app after it, as JSON ([`AppBack`]). At most [`MOST`] starts are kept, the latest.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, types::Type};

use super::{AppBack, Boot, BootId};
use crate::store::{Database, DatabaseError, Migration};

/// The tables.
pub const MIGRATIONS: &[Migration] = &[Migration {
    module: "comeback",
    number: 1,
    sql: "
CREATE TABLE boot (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, agent_at TEXT NOT NULL,
    down_at TEXT) STRICT;
CREATE TABLE app_back (
    boot TEXT NOT NULL, app TEXT NOT NULL, back TEXT NOT NULL, PRIMARY KEY (boot, app)) STRICT, WITHOUT ROWID;
",
}];

/// How many starts of the droplet are remembered.
const MOST: i64 = 20;

/// A start of the droplet, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootRow {
    /// Which, and when.
    pub boot: Boot,
    /// When the agent began, first.
    pub agent_at: Timestamp,
    /// When the droplet was told to go down; none while it runs, or where it lost its power.
    pub down_at: Option<Timestamp>,
}

/// SQL over the tables. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ComebackStore {
    database: Database,
}

impl ComebackStore {
    /// Over this database, which has run [`MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Writes down that the agent runs after this start of the droplet; the start before, if there was one.
    ///
    /// # Errors
    /// When the database fails: nothing was written then.
    pub async fn begin(&self, boot: &Boot, now: Timestamp) -> Result<Option<BootRow>, DatabaseError> {
        let boot = boot.clone();
        let write = move |t: &Transaction<'_>| {
            let (id, at, now) = (boot.id.as_str(), boot.at.to_string(), now.to_string());
            t.execute(
                "INSERT OR IGNORE INTO boot (id, at, agent_at) VALUES (?1, ?2, ?3)",
                params![id, at, now],
            )?;
            // It may be on its way down when the agent is started once more, and come up after all.
            t.execute("UPDATE boot SET down_at = NULL WHERE id = ?1", [id])?;
            let oldest = "SELECT max(number) - ?1 FROM boot";
            t.execute(&format!("DELETE FROM boot WHERE number <= ({oldest})"), [MOST])?;
            t.execute("DELETE FROM app_back WHERE boot NOT IN (SELECT id FROM boot)", ())?;
            let before = "SELECT id, at, agent_at, down_at FROM boot
                          WHERE number < (SELECT number FROM boot WHERE id = ?1) ORDER BY number DESC LIMIT 1";
            t.query_row(before, [id], row_of).optional()
        };
        self.database.write(write).await
    }

    /// Writes down that the droplet goes down.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn going_down(&self, boot: &BootId, now: Timestamp) -> Result<(), DatabaseError> {
        let (boot, now) = (boot.to_string(), now.to_string());
        let update = move |t: &Transaction<'_>| {
            t.execute("UPDATE boot SET down_at = ?2 WHERE id = ?1", [&boot, &now]).map(drop)
        };
        self.database.write(update).await
    }

    /// Writes down what became of an app.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep(&self, boot: &BootId, back: &AppBack) -> Result<(), DatabaseError> {
        let (boot, back) = (boot.to_string(), back.clone());
        let write = move |t: &Transaction<'_>| {
            let json = serde_json::to_string(&back)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            t.execute(
                "INSERT INTO app_back (boot, app, back) VALUES (?1, ?2, ?3)
                 ON CONFLICT (boot, app) DO UPDATE SET back = ?3",
                params![boot, back.app.as_str(), json],
            )
            .map(drop)
        };
        self.database.write(write).await
    }

    /// The latest start of the droplet, and what became of the apps after it; none before the first.
    ///
    /// # Errors
    /// When the database fails, or holds what this agent does not understand.
    pub async fn latest(&self) -> Result<Option<(BootRow, Vec<AppBack>)>, DatabaseError> {
        let select = |connection: &Connection| {
            let latest = "SELECT id, at, agent_at, down_at FROM boot ORDER BY number DESC LIMIT 1";
            let Some(row) = connection.query_row(latest, (), row_of).optional()? else { return Ok(None) };
            let mut statement =
                connection.prepare("SELECT back FROM app_back WHERE boot = ?1 ORDER BY app")?;
            let backs = statement.query_map([row.boot.id.as_str()], |row| {
                let text: String = row.get(0)?;
                serde_json::from_str(&text).map_err(|error| unreadable(0, error))
            })?;
            let backs = backs.collect::<rusqlite::Result<Vec<AppBack>>>()?;
            Ok(Some((row, backs)))
        };
        self.database.read(select).await
    }
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<BootRow> {
    let id: String = row.get(0)?;
    let id = BootId::new(&id).ok_or_else(|| unreadable(0, "no id of a start"))?;
    let down_at: Option<String> = row.get(3)?;
    Ok(BootRow {
        boot: Boot { id, at: time(&row.get::<_, String>(1)?, 1)? },
        agent_at: time(&row.get::<_, String>(2)?, 2)?,
        down_at: down_at.map(|text| time(&text, 3)).transpose()?,
    })
}

fn time(text: &str, column: usize) -> rusqlite::Result<Timestamp> {
    text.parse().map_err(|error: jiff::Error| unreadable(column, error))
}

fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apps::{AppName, ReleaseNumber},
        store::DatabaseSettings,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn boot(number: i64) -> Boot {
        Boot { id: BootId::new(&format!("boot-{number}")).unwrap(), at: at(number * 1000) }
    }

    #[tokio::test]
    async fn the_latest_start_is_told_and_the_one_before_and_no_more_than_twenty_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("agent.db");
        let database = Database::open(&file, MIGRATIONS, DatabaseSettings::default()).unwrap();
        let store = ComebackStore::new(database.clone());
        assert_eq!(store.latest().await.unwrap(), None);
        let back = |release| AppBack::begun(AppName::new("shop").unwrap(), ReleaseNumber::new(release));
        assert_eq!(store.begin(&boot(1), at(1005)).await.unwrap(), None);
        store.keep(&boot(1).id, &back(1)).await.unwrap();
        store.keep(&boot(1).id, &back(2)).await.unwrap();
        store.going_down(&boot(1).id, at(1900)).await.unwrap();
        let before = store.begin(&boot(2), at(2005)).await.unwrap().unwrap();
        assert_eq!((before.boot, before.agent_at, before.down_at), (boot(1), at(1005), Some(at(1900))));
        // The agent is started once more after the same start of the droplet.
        store.going_down(&boot(2).id, at(2050)).await.unwrap();
        assert_eq!(store.begin(&boot(2), at(2100)).await.unwrap().unwrap().boot, boot(1));
        let (row, backs) = store.latest().await.unwrap().unwrap();
        assert_eq!((row.boot, row.agent_at, row.down_at, backs), (boot(2), at(2005), None, Vec::new()));
        for number in 3..30 {
            store.begin(&boot(number), at(number * 1000)).await.unwrap();
            store.keep(&boot(number).id, &back(3)).await.unwrap();
        }
        let count = |table: &'static str| {
            let database = database.clone();
            async move {
                let count = move |connection: &Connection| {
                    connection
                        .query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get::<_, i64>(0))
                };
                database.read(count).await.unwrap()
            }
        };
        assert_eq!((count("boot").await, count("app_back").await), (MOST, MOST));
    }
}
