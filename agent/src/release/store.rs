//! What the agent remembers of releases: their rows, their events, their journals. SQL only; no decisions.
//!
//! # Format
//! `release` has a row per release; `finished_at` is null until its saga ended. `release_event` has the numbered events as
//! JSON ([`super::EventKind`]). `journal` has the records of a release's saga as JSON (`tidegate_saga::Record`), each with
//! the generation that wrote it; `journal_claim` has the generation that may write now. Times are RFC 3339 in UTC.
//! `release_files` has a digest of the files and contents that a release gave to the containers of each service.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use tidegate_saga::{Generation, Record};

use super::{DeployInput, EventKind, Failure, GitRevision, Interruption, ReleaseEvent, ReleaseState};
use crate::{
    apps::{AppName, ReleaseNumber},
    store::{Database, DatabaseError, Migration},
};

/// The tables of releases.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
    module: "release",
    number: 1,
    sql: "
CREATE TABLE release (
    app TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, actor TEXT NOT NULL,
    source_digest TEXT NOT NULL, git_revision TEXT NOT NULL, git_branch TEXT NOT NULL, git_subject TEXT NOT NULL,
    idempotency_key TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, failure TEXT, interruptions TEXT,
    PRIMARY KEY (app, number)) STRICT;
CREATE TABLE release_event (
    app TEXT NOT NULL, release INTEGER NOT NULL, number INTEGER NOT NULL, at TEXT NOT NULL, event TEXT NOT NULL,
    PRIMARY KEY (app, release, number)) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    saga TEXT NOT NULL, number INTEGER NOT NULL, generation INTEGER NOT NULL, record TEXT NOT NULL,
    PRIMARY KEY (saga, number)) STRICT, WITHOUT ROWID;
CREATE TABLE journal_claim (saga TEXT NOT NULL PRIMARY KEY, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
",
},
    Migration {
        module: "release",
        number: 2,
        sql: "
CREATE TABLE release_files (
    app TEXT NOT NULL, number INTEGER NOT NULL, service TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (app, number, service)) STRICT, WITHOUT ROWID;
",
    },
];

/// A release as a row.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseRow {
    /// Its app.
    pub app: AppName,
    /// Its number.
    pub number: ReleaseNumber,
    /// Where it is.
    pub state: ReleaseState,
    /// Who deployed it.
    pub actor: String,
    /// SHA-256 of source files and variables.
    pub source_digest: String,
    /// Where the source comes from.
    pub git: GitRevision,
    /// The caller's key.
    pub idempotency_key: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// Why it was undone or is stuck.
    pub failure: Option<Failure>,
}

/// SQL over the tables of releases. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReleaseStore {
    database: Database,
}

/// How a release ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Its last state.
    pub state: ReleaseState,
    /// Why, if it did not succeed.
    pub failure: Option<Failure>,
    /// Which services were interrupted.
    pub interruptions: Vec<Interruption>,
}

impl ReleaseStore {
    /// Over this database, which has run [`MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Adds a release that begins now, with the next number of its app.
    ///
    /// # Errors
    /// When the database fails; nothing was added.
    pub async fn begin(
        &self,
        input: &DeployInput,
        files: &BTreeMap<String, String>,
        (actor, now): (&str, Timestamp),
    ) -> Result<ReleaseNumber, DatabaseError> {
        let (app, actor, files) = (input.app.clone(), actor.to_owned(), files.clone());
        let (digest, git, key) = (input.source_digest(), input.git.clone(), input.idempotency_key.clone());
        let insert = move |t: &Transaction<'_>| {
            let number: i64 = t.query_row(
                "SELECT coalesce(max(number), 0) + 1 FROM release WHERE app = ?1",
                [app.as_str()],
                |row| row.get(0),
            )?;
            t.execute(
                "INSERT INTO release (app, number, state, actor, source_digest, git_revision, git_branch, git_subject,
                 idempotency_key, started_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    app.as_str(), number, word(ReleaseState::Running), actor, digest, git.revision, git.branch,
                    git.subject, key, now.to_string()
                ],
            )?;
            for (service, digest) in &files {
                t.execute(
                    "INSERT INTO release_files (app, number, service, digest) VALUES (?1, ?2, ?3, ?4)",
                    params![app.as_str(), number, service, digest],
                )?;
            }
            Ok(number)
        };
        self.database.write(insert).await.map(|number| ReleaseNumber::new(unsigned(number)))
    }

    /// Digests of the files that the app's containers were given, by release (`shop/42`) and service.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn given(&self, app: &AppName) -> Result<BTreeMap<(String, String), String>, DatabaseError> {
        let app = app.to_string();
        let select = move |connection: &Connection| {
            let mut statement = connection
                .prepare("SELECT app || '/' || number, service, digest FROM release_files WHERE app = ?1")?;
            let rows = statement.query_map([app], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
            rows.collect::<rusqlite::Result<BTreeMap<_, _>>>()
        };
        self.database.read(select).await
    }

    /// Releases of an app, or of all apps, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn releases(&self, app: Option<&AppName>) -> Result<Vec<ReleaseRow>, DatabaseError> {
        let app = app.map_or_else(String::new, ToString::to_string);
        let select = move |connection: &Connection| {
            let mut statement = connection.prepare(
                "SELECT app, number, state, actor, source_digest, git_revision, git_branch, git_subject,
                 idempotency_key, started_at, finished_at, failure FROM release
                 WHERE ?1 = '' OR app = ?1 ORDER BY app, number DESC",
            )?;
            let rows = statement.query_map([app], row_of)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.database.read(select).await
    }

    /// Makes the release the one that serves, and the one before superseded.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn commit(&self, app: &AppName, release: ReleaseNumber) -> Result<(), DatabaseError> {
        self.replace_serving(app, (ReleaseState::Released, ReleaseState::Superseded, release)).await
    }

    /// Takes [`ReleaseStore::commit`] back.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn take_back(&self, app: &AppName, release: ReleaseNumber) -> Result<(), DatabaseError> {
        let app = app.clone();
        let number = signed(release.get());
        let update = move |t: &Transaction<'_>| {
            let was_committed = t.execute(
                "UPDATE release SET state = ?3 WHERE app = ?1 AND number = ?2 AND state = ?4",
                params![app.as_str(), number, word(ReleaseState::Running), word(ReleaseState::Released)],
            )?;
            if was_committed == 0 {
                return Ok(());
            }
            t.execute(
                "UPDATE release SET state = ?3 WHERE app = ?1 AND number = (SELECT max(number) FROM release
                 WHERE app = ?1 AND number < ?2 AND state = ?4)",
                params![app.as_str(), number, word(ReleaseState::Released), word(ReleaseState::Superseded)],
            )
            .map(drop)
        };
        self.database.write(update).await
    }

    async fn replace_serving(
        &self,
        app: &AppName,
        (new, old, release): (ReleaseState, ReleaseState, ReleaseNumber),
    ) -> Result<(), DatabaseError> {
        let app = app.clone();
        self.database.write(move |t| set_serving(t, &app, (new, old, release))).await
    }

    /// Ends a release that had nothing to do: it began, it is the one that serves, it ended, all at once.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn finish_idle(
        &self,
        app: &AppName,
        release: ReleaseNumber,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let app = app.clone();
        let write = move |t: &Transaction<'_>| {
            insert_event(t, &app, release, (&EventKind::Started { release, steps: Vec::new() }, now))?;
            set_serving(t, &app, (ReleaseState::Released, ReleaseState::Superseded, release))?;
            let ending = Ending { state: ReleaseState::Released, failure: None, interruptions: Vec::new() };
            end(t, &app, release, (&ending, now))
        };
        self.database.write(write).await
    }

    /// Marks all releases of an app removed.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn removed(&self, app: &AppName) -> Result<(), DatabaseError> {
        let app = app.clone();
        let update = move |t: &Transaction<'_>| {
            t.execute(
                "UPDATE release SET state = ?2 WHERE app = ?1 AND state IN (?3, ?4)",
                params![
                    app.as_str(),
                    word(ReleaseState::Removed),
                    word(ReleaseState::Released),
                    word(ReleaseState::Stuck)
                ],
            )
            .map(drop)
        };
        self.database.write(update).await
    }

    /// Writes down how a release ended, with its last event.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn finish(
        &self,
        app: &AppName,
        release: ReleaseNumber,
        (ending, now): (Ending, Timestamp),
    ) -> Result<(), DatabaseError> {
        let app = app.clone();
        self.database.write(move |t| end(t, &app, release, (&ending, now))).await
    }

    /// Adds an event with the next number.
    ///
    /// # Errors
    /// When the database fails; nothing was added.
    pub async fn event(
        &self,
        app: &AppName,
        release: ReleaseNumber,
        (kind, now): (EventKind, Timestamp),
    ) -> Result<(), DatabaseError> {
        let app = app.clone();
        self.database.write(move |t| insert_event(t, &app, release, (&kind, now))).await
    }

    /// Events of a release with a number higher than `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events(
        &self,
        app: &AppName,
        release: ReleaseNumber,
        (after, limit): (u64, u32),
    ) -> Result<Vec<ReleaseEvent>, DatabaseError> {
        let app = app.clone();
        let select = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, at, event FROM release_event WHERE app = ?1 AND release = ?2 AND number > ?3
                 ORDER BY number LIMIT ?4",
            )?;
            let rows = statement.query_map(
                params![app.as_str(), signed(release.get()), signed(after), limit],
                |row| {
                    let at: String = row.get(1)?;
                    Ok(ReleaseEvent {
                        number: unsigned(row.get(0)?),
                        at: parse(&at, 1)?,
                        kind: from_json(&row.get::<_, String>(2)?, 2)?,
                    })
                },
            )?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.database.read(select).await
    }

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

fn set_serving(
    t: &Transaction<'_>,
    app: &AppName,
    (new, old, release): (ReleaseState, ReleaseState, ReleaseNumber),
) -> rusqlite::Result<()> {
    let number = signed(release.get());
    t.execute(
        "UPDATE release SET state = ?3 WHERE app = ?1 AND number <> ?2 AND state = ?4",
        params![app.as_str(), number, word(old), word(new)],
    )?;
    t.execute(
        "UPDATE release SET state = ?3 WHERE app = ?1 AND number = ?2",
        params![app.as_str(), number, word(new)],
    )
    .map(drop)
}

fn end(
    t: &Transaction<'_>,
    app: &AppName,
    release: ReleaseNumber,
    (ending, now): (&Ending, Timestamp),
) -> rusqlite::Result<()> {
    let number = signed(release.get());
    let started: String = t.query_row(
        "SELECT started_at FROM release WHERE app = ?1 AND number = ?2",
        params![app.as_str(), number],
        |row| row.get(0),
    )?;
    let started: Timestamp = started.parse().unwrap_or(now);
    t.execute(
        "UPDATE release SET state = ?3, finished_at = ?4, failure = ?5, interruptions = ?6
         WHERE app = ?1 AND number = ?2",
        params![
            app.as_str(),
            number,
            word(ending.state),
            now.to_string(),
            json(&ending.failure)?,
            json(&ending.interruptions)?
        ],
    )?;
    let kind = EventKind::Finished {
        release,
        state: ending.state,
        took: now.duration_since(started).unsigned_abs(),
        interruptions: ending.interruptions.clone(),
        failure: ending.failure.clone(),
    };
    insert_event(t, app, release, (&kind, now))
}

/// Whether a record was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was.
    Written,
    /// Another process has taken the saga over.
    Superseded,
}

fn insert_event(
    t: &Transaction<'_>,
    app: &AppName,
    release: ReleaseNumber,
    (kind, now): (&EventKind, Timestamp),
) -> rusqlite::Result<()> {
    t.execute(
        "INSERT INTO release_event (app, release, number, at, event) VALUES (?1, ?2,
         (SELECT coalesce(max(number), 0) + 1 FROM release_event WHERE app = ?1 AND release = ?2), ?3, ?4)",
        params![app.as_str(), signed(release.get()), now.to_string(), json(kind)?],
    )
    .map(drop)
}

fn records(connection: &Connection, saga: &str) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare("SELECT record FROM journal WHERE saga = ?1 ORDER BY number")?;
    let rows = statement.query_map([saga], |row| from_json(&row.get::<_, String>(0)?, 0))?;
    rows.collect()
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<ReleaseRow> {
    let text = |index: usize| row.get::<_, String>(index);
    let app = AppName::new(text(0)?).map_err(|error| conversion(0, error))?;
    let finished: Option<String> = row.get(10)?;
    let failure: Option<String> = row.get(11)?;
    Ok(ReleaseRow {
        app,
        number: ReleaseNumber::new(unsigned(row.get(1)?)),
        state: from_json(&format!("\"{}\"", text(2)?), 2)?,
        actor: text(3)?,
        source_digest: text(4)?,
        git: GitRevision { revision: text(5)?, branch: text(6)?, subject: text(7)? },
        idempotency_key: text(8)?,
        started_at: parse(&text(9)?, 9)?,
        finished_at: finished.map(|at| parse(&at, 10)).transpose()?,
        failure: failure.map(|json| from_json::<Option<Failure>>(&json, 11)).transpose()?.flatten(),
    })
}

fn word(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Running => "running",
        ReleaseState::Released => "released",
        ReleaseState::Undone => "undone",
        ReleaseState::Stuck => "stuck",
        ReleaseState::Superseded => "superseded",
        ReleaseState::Removed => "removed",
    }
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_json<T: for<'de> Deserialize<'de>>(text: &str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| conversion(column, error))
}

fn parse(text: &str, column: usize) -> rusqlite::Result<Timestamp> {
    text.parse().map_err(|error: jiff::Error| conversion(column, error))
}

fn conversion(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
