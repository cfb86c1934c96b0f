//! What the agent remembers of releases: their rows, their events, their journals. SQL only; no decisions.
//!
//! # Format
//! `release` has a row per release; `finished_at` is null until its saga ended. `release_event` has the numbered events as
//! JSON ([`super::EventKind`]). `release.images` has the images that it serves with as JSON ([`ReleaseImage`]), so that a rollback needs no registry;
//! `returns_to` the release that a rollback goes back to. `journal` and `journal_claim` are those of all sagas
//! ([`crate::store::saga_journal`]). Times are RFC 3339 in UTC.
//! `rollout` names the release on many droplets that it is part of; null: none. `release_files` has a digest of the files and contents that a release gave to the containers of each service.

mod clean;
mod journal;
mod rollout;
mod sql;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use sql::{conversion, from_json, json, parse, signed, unsigned, word};

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
ALTER TABLE release ADD COLUMN returns_to INTEGER;
ALTER TABLE release ADD COLUMN images TEXT;
ALTER TABLE release ADD COLUMN migration TEXT;
",
    },
    Migration {
        module: "release",
        number: 3,
        sql: "
CREATE TABLE release_files (
    app TEXT NOT NULL, number INTEGER NOT NULL, service TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (app, number, service)) STRICT, WITHOUT ROWID;
",
    },
    Migration { module: "release", number: 4, sql: "ALTER TABLE release ADD COLUMN rollout TEXT" },
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
    /// Which services were interrupted.
    pub interruptions: Vec<Interruption>,
    /// The release that it goes back to, for a rollback.
    pub returns_to: Option<ReleaseNumber>,
    /// What it serves, or served, with; empty before its commit.
    pub images: Vec<ReleaseImage>,
    /// What its migration told last; none when there was none, or it did not end well.
    pub migration: Option<String>,
}

#[cfg(test)]
impl ReleaseRow {
    /// A release of which nothing else matters.
    pub(super) fn in_state(app: &str, number: u64, state: ReleaseState) -> Self {
        Self {
            app: AppName::new(app).unwrap(),
            number: ReleaseNumber::new(number),
            state,
            actor: String::new(),
            source_digest: String::new(),
            git: GitRevision::default(),
            idempotency_key: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: None,
            failure: None,
            interruptions: Vec::new(),
            returns_to: None,
            images: Vec::new(),
            migration: None,
        }
    }
}

/// An image of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseImage {
    /// As the file names it.
    pub reference: String,
    /// `sha256:...` of its configuration: what containers say that they run.
    pub id: String,
    /// What the registry called it; none for one that lives on this droplet only.
    pub digest: Option<String>,
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
    /// What the migration told last.
    pub migration: Option<String>,
}

impl Ending {
    /// An end before anything was done.
    pub fn without_work(state: ReleaseState, failure: Failure) -> Self {
        Self { state, failure: Some(failure), interruptions: Vec::new(), migration: None }
    }
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
        let returns_to = input.returns_to.map(|release| signed(release.get()));
        let rollout = input.together.as_ref().map(|together| together.rollout().to_string());
        let insert = move |t: &Transaction<'_>| {
            let number: i64 = t.query_row(
                "SELECT coalesce(max(number), 0) + 1 FROM release WHERE app = ?1",
                [app.as_str()],
                |row| row.get(0),
            )?;
            t.execute(
                "INSERT INTO release (app, number, state, actor, source_digest, git_revision, git_branch, git_subject,
                 idempotency_key, started_at, returns_to, rollout)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                params![
                    app.as_str(), number, word(ReleaseState::Running), actor, digest, git.revision, git.branch,
                    git.subject, key, now.to_string(), returns_to, rollout
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
                 idempotency_key, started_at, finished_at, failure, interruptions, returns_to, images, migration
                 FROM release
                 WHERE ?1 = '' OR app = ?1 ORDER BY app, number DESC",
            )?;
            let rows = statement.query_map([app], row_of)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.database.read(select).await
    }

    /// Makes the release the one that serves, with these images, and the one before superseded.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn commit(
        &self,
        app: &AppName,
        release: ReleaseNumber,
        images: Vec<ReleaseImage>,
    ) -> Result<(), DatabaseError> {
        let app = app.clone();
        self.database.write(move |t| set_serving(t, &app, (release, &images))).await
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

    /// Ends a release that had nothing to do: it began, it is the one that serves, it ended, all at once.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn finish_idle(
        &self,
        app: &AppName,
        release: ReleaseNumber,
        (images, now): (Vec<ReleaseImage>, Timestamp),
    ) -> Result<(), DatabaseError> {
        let app = app.clone();
        let write = move |t: &Transaction<'_>| {
            insert_event(t, &app, release, (&EventKind::Started { release, steps: Vec::new() }, now))?;
            set_serving(t, &app, (release, &images))?;
            let ending = Ending {
                state: ReleaseState::Released,
                failure: None,
                interruptions: Vec::new(),
                migration: None,
            };
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
            )?;
            super::stopped::store::forget(t, &app)
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
}

fn set_serving(
    t: &Transaction<'_>,
    app: &AppName,
    (release, images): (ReleaseNumber, &[ReleaseImage]),
) -> rusqlite::Result<()> {
    let number = signed(release.get());
    t.execute(
        "UPDATE release SET state = ?3 WHERE app = ?1 AND number <> ?2 AND state = ?4",
        params![app.as_str(), number, word(ReleaseState::Superseded), word(ReleaseState::Released)],
    )?;
    t.execute(
        "UPDATE release SET state = ?3, images = ?4 WHERE app = ?1 AND number = ?2",
        params![app.as_str(), number, word(ReleaseState::Released), json(&images)?],
    )?;
    super::stopped::store::forget(t, app)
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
        "UPDATE release SET state = ?3, finished_at = ?4, failure = ?5, interruptions = ?6, migration = ?7
         WHERE app = ?1 AND number = ?2",
        params![
            app.as_str(),
            number,
            word(ending.state),
            now.to_string(),
            json(&ending.failure)?,
            json(&ending.interruptions)?,
            ending.migration
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
        interruptions: optional_json(row, 12)?.unwrap_or_default(),
        returns_to: row.get::<_, Option<i64>>(13)?.map(|number| ReleaseNumber::new(unsigned(number))),
        images: optional_json(row, 14)?.unwrap_or_default(),
        migration: row.get(15)?,
    })
}

fn optional_json<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|json| from_json(&json, column)).transpose()
}
