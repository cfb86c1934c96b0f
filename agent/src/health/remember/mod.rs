//! What the agent remembers of health. SQL only; no decisions.
//!
//! # Format
//! Times are whole seconds since 1970. `health_track` has a row per check: what is told of it and since when, what was told
//! before it became unknown, what it may become and since when (null: nothing else), when it was last looked at, and what it
//! checks. `health_change` has a row per change of what is told, numbered in their order and never reused; at most
//! [`MOST_CHANGES`], and none older than 90 days. `health_sample` has the measured values: `tier` 0 is a row per sample for a
//! day, 1 one per ten minutes for 7 days, 2 one per hour for 90 days; `at` is the beginning of the time, `count` the looks in
//! it, and `series` a JSON object of `[mean, highest]` by name. What lies in the future, as after a clock was set back, goes.

mod compact;
mod sql;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

pub use self::compact::{Row, Value, Values};
use self::{
    compact::{begin, compact},
    sql::{json, row_of_change, row_of_sample, row_of_track},
};
use super::{
    Change, CheckId,
    judge::{History, Track},
    series,
};
use crate::store::{Database, DatabaseError, Migration};

/// The tables of health.
pub const MIGRATIONS: &[Migration] = &[Migration {
    module: "health",
    number: 1,
    sql: "
CREATE TABLE health_track (
    id TEXT NOT NULL PRIMARY KEY, level TEXT NOT NULL, since INTEGER NOT NULL, known TEXT NOT NULL,
    candidate TEXT, candidate_since INTEGER, looked INTEGER NOT NULL, what TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE health_change (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, id TEXT NOT NULL, before TEXT NOT NULL,
    level TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL, hint TEXT NOT NULL) STRICT;
CREATE TABLE health_sample (
    tier INTEGER NOT NULL, at INTEGER NOT NULL, count INTEGER NOT NULL, series TEXT NOT NULL,
    PRIMARY KEY (tier, at)) STRICT, WITHOUT ROWID;
",
}];

const MOST_CHANGES: i64 = 10_000;
const DAY: i64 = 86_400;
/// How long a tier's rows are, but for the first, and how long they stay.
const TIERS: [(i64, i64); 3] = [(1, DAY), (600, 7 * DAY), (3600, 90 * DAY)];
/// How far back a line is drawn: by samples, and before these by the values of ten minutes.
const NEAR: i64 = 3600;
const FAR: i64 = 6 * 3600;

/// A change of what is told, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Counts up.
    pub number: i64,
    /// What changed.
    pub change: Change,
}

/// What one look leaves.
#[derive(Clone, Debug)]
pub struct Looked {
    /// When.
    pub at: Timestamp,
    /// What is told, of all checks.
    pub tracks: Vec<Track>,
    /// What changed.
    pub changes: Vec<Change>,
    /// The measured values.
    pub values: BTreeMap<String, f64>,
}

/// SQL over the tables of health. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HealthStore {
    database: Database,
}

impl HealthStore {
    /// Over this database, which has run [`MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// What is told of all checks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tracks(&self) -> Result<BTreeMap<CheckId, Track>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare("SELECT * FROM health_track")?;
                let tracks = statement.query_map((), row_of_track)?;
                tracks.map(|track| track.map(|track| (track.id.clone(), track))).collect()
            })
            .await
    }

    /// What rules want to know of earlier looks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history(&self, now: Timestamp, restarts_within: Duration) -> Result<History, DatabaseError> {
        let now = now.as_second();
        let restarts_since = now.saturating_sub(signed(restarts_within.as_secs()));
        self.database
            .read(move |connection| {
                let mut history = History::default();
                let near = now.saturating_sub(NEAR);
                let mut rows = samples(connection, (1, now.saturating_sub(FAR), near))?;
                rows.extend(samples(connection, (0, near.min(restarts_since), now.saturating_add(1)))?);
                for row in rows {
                    note(&mut history, row, restarts_since);
                }
                Ok(history)
            })
            .await
    }

    /// Remembers a look. A sample is kept of it when `sample` has passed since the last one.
    ///
    /// # Errors
    /// When the database fails: nothing of it is remembered then.
    pub async fn remember(&self, looked: Looked, sample: Duration) -> Result<(), DatabaseError> {
        let sample = signed(sample.as_secs()).max(1);
        self.database
            .write(move |t| {
                tracks(t, &looked)?;
                changes(t, &looked)?;
                keep_sample(t, &looked, sample)?;
                prune(t, looked.at.as_second())
            })
            .await
    }

    /// What changed since the change of that number, oldest first; at most `most`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes_after(&self, number: i64, most: u32) -> Result<Vec<Remembered>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection
                    .prepare("SELECT * FROM health_change WHERE number > ?1 ORDER BY number LIMIT ?2")?;
                statement.query_map((number, most), row_of_change)?.collect()
            })
            .await
    }

    /// The rows of a tier (0, 1, 2) between two times, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn samples(
        &self,
        tier: u8,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Vec<Row>, DatabaseError> {
        self.database
            .read(move |connection| samples(connection, (tier, from.as_second(), until.as_second())))
            .await
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn samples(connection: &Connection, (tier, from, until): (u8, i64, i64)) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT at, count, series FROM health_sample WHERE tier = ?1 AND at >= ?2 AND at < ?3 ORDER BY at",
    )?;
    statement.query_map((tier, from, until), row_of_sample)?.collect()
}

fn note(history: &mut History, row: Row, restarts_since: i64) {
    let Ok(at) = Timestamp::from_second(row.at) else { return };
    for (name, Value(mean, _)) in row.values {
        if series::is_disk(&name) {
            history.disks.entry(name).or_default().push((at, mean));
        } else if series::is_container(&name) && row.at >= restarts_since {
            // Rows are in the order of their times: the first one is the oldest.
            history.restarts.entry(name).or_insert_with(|| series::whole(mean));
        }
    }
}

fn tracks(t: &Transaction<'_>, looked: &Looked) -> rusqlite::Result<()> {
    // A check that there is no more has no track either.
    t.execute("DELETE FROM health_track", ())?;
    let mut insert = t.prepare_cached("INSERT INTO health_track VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for track in &looked.tracks {
        let (candidate, since) =
            track.candidate.map(|(level, since)| (level.word(), since.as_second())).unzip();
        insert.execute(params![
            track.id.to_string(),
            track.level.word(),
            track.since.as_second(),
            track.known.word(),
            candidate,
            since,
            track.looked.as_second(),
            track.what
        ])?;
    }
    Ok(())
}

fn changes(t: &Transaction<'_>, looked: &Looked) -> rusqlite::Result<()> {
    for Change { check, before } in &looked.changes {
        t.execute(
            "INSERT INTO health_change (at, id, before, level, what, why, hint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                looked.at.as_second(),
                check.id.to_string(),
                before.word(),
                check.level.word(),
                check.what,
                check.why,
                check.hint
            ],
        )?;
    }
    Ok(())
}

fn keep_sample(t: &Transaction<'_>, looked: &Looked, sample: i64) -> rusqlite::Result<()> {
    let now = looked.at.as_second();
    let values: Values =
        looked.values.iter().map(|(name, value)| (name.clone(), Value(*value, *value))).collect();
    let kept = t.execute(
        "INSERT OR IGNORE INTO health_sample VALUES (0, ?1, 1, ?2)",
        (begin(now, sample), json(&values)?),
    )?;
    if kept == 0 {
        return Ok(());
    }
    for (tier, (length, _)) in (0_u8..).zip(TIERS).skip(1) {
        let done: Option<i64> = t.query_row(
            "SELECT max(at) FROM health_sample WHERE tier = ?1 AND at <= ?2",
            (tier, now),
            |row| row.get(0),
        )?;
        let from = done.map_or(i64::MIN, |at| at.saturating_add(length));
        // Only times that are over.
        let rows = samples(t, (tier.saturating_sub(1), from, begin(now, length)))?;
        for Row { at, count, values } in compact(rows, length) {
            t.execute(
                "INSERT OR REPLACE INTO health_sample VALUES (?1, ?2, ?3, ?4)",
                params![tier, at, count, json(&values)?],
            )?;
        }
    }
    Ok(())
}

fn prune(t: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    for (tier, (length, keep)) in (0_u8..).zip(TIERS) {
        t.execute(
            "DELETE FROM health_sample WHERE tier = ?1 AND (at < ?2 OR at > ?3)",
            params![tier, now.saturating_sub(keep), now.saturating_add(length)],
        )?;
    }
    t.execute(
        "DELETE FROM health_change WHERE at < ?1 OR number <= (SELECT max(number) FROM health_change) - ?2",
        (now.saturating_sub(90 * DAY), MOST_CHANGES),
    )?;
    Ok(())
}
