//! What alerts remember over a restart: what was told, what waits to be sent, and how each receiver fares. SQL only; what is told
//! is decided in [`super::plan`].
//!
//! # Format
//! Times are whole seconds since 1970, `next_try` milliseconds. `alert_told` has a row per receiver and check: what the receiver
//! was told of it and knows no end of. `alert_message` is the queue: a message as JSON ([`super::message`]) per row, numbered in
//! the order in which they go; a receiver has at most [`bounds::MOST_WAITING`], and none older than [`bounds::OLDEST`]. `alert_receiver` has a
//! row per receiver that something was sent to: when a message arrived last, since when none does and why (null: the last one
//! did), how many were given up ever (`lost`), and how many of these it was not told of yet (`unsaid`). `alert_ping` has at most one
//! row: when the ping was answered last, and why the last one was not. What was told and what is to be sent are written in one
//! transaction.

mod bounds;
mod sql;
mod values;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use self::bounds::give_up;
use self::sql::{milliseconds, queued, seconds, state, told};
pub use self::values::{PingState, Queued, ReceiverState};
use super::{message::AlertMessage, plan::Book, settings::ReceiverName};
use crate::store::{Database, DatabaseError, Migration};

/// The tables of alerts.
pub const MIGRATIONS: &[Migration] = &[Migration {
    module: "alerts",
    number: 1,
    sql: "
CREATE TABLE alert_told (
    receiver TEXT NOT NULL, id TEXT NOT NULL, level TEXT NOT NULL, worst TEXT NOT NULL, since INTEGER NOT NULL,
    what TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (receiver, id)) STRICT, WITHOUT ROWID;
CREATE TABLE alert_message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, message TEXT NOT NULL, created INTEGER NOT NULL,
    attempts INTEGER NOT NULL, next_try INTEGER NOT NULL) STRICT;
CREATE INDEX alert_message_of ON alert_message (receiver, number);
CREATE TABLE alert_receiver (
    receiver TEXT NOT NULL PRIMARY KEY, delivered INTEGER, failing_since INTEGER, failure TEXT, lost INTEGER NOT NULL,
    unsaid INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE alert_ping (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), answered INTEGER, failure TEXT) STRICT;
",
}];

/// SQL over the tables of alerts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AlertStore {
    database: Database,
}

impl AlertStore {
    /// Over this database, which has run [`MIGRATIONS`].
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// What all receivers were told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn book(&self) -> Result<Book, DatabaseError> {
        self.database
            .read(|connection| {
                let mut book = Book::new();
                let mut statement = connection.prepare("SELECT * FROM alert_told")?;
                for row in statement.query_map((), told)? {
                    let (receiver, id, told) = row?;
                    book.entry(receiver).or_default().insert(id, told);
                }
                Ok(book)
            })
            .await
    }

    /// Remembers what was told, and what is to be sent to whom.
    ///
    /// # Errors
    /// When the database fails: neither is remembered.
    pub async fn record(
        &self,
        book: Book,
        messages: Vec<(ReceiverName, AlertMessage)>,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |t| {
                replace_book(t, &book)?;
                for (receiver, message) in &messages {
                    t.execute(
                        "INSERT INTO alert_message (receiver, message, created, attempts, next_try) VALUES (?1, ?2, ?3, 0, ?4)",
                        params![receiver.as_str(), sql::json(message)?, seconds(now), milliseconds(now)],
                    )?;
                    give_up(t, receiver.as_str(), now)?;
                }
                Ok(())
            })
            .await
    }

    /// The oldest message that waits for a receiver. Those that are too old are given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next(
        &self,
        receiver: &ReceiverName,
        now: Timestamp,
    ) -> Result<Option<Queued>, DatabaseError> {
        let receiver = receiver.as_str().to_owned();
        self.database
            .write(move |t| {
                give_up(t, &receiver, now)?;
                let unsaid: Option<i64> = t
                    .query_row("SELECT unsaid FROM alert_receiver WHERE receiver = ?1", [&receiver], |row| {
                        row.get(0)
                    })
                    .optional()?;
                let oldest = "SELECT * FROM alert_message WHERE receiver = ?1 ORDER BY number LIMIT 1";
                let found = t.query_row(oldest, [&receiver], queued).optional()?;
                Ok(found.map(|mut queued| {
                    queued.message.lost = u64::try_from(unsaid.unwrap_or_default()).unwrap_or_default();
                    queued
                }))
            })
            .await
    }

    /// It arrived, with what it said of lost ones.
    ///
    /// # Errors
    /// When the database fails: it will be sent again.
    pub async fn delivered(
        &self,
        receiver: &ReceiverName,
        sent: &Queued,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let (receiver, number) = (receiver.as_str().to_owned(), sent.number);
        let said = i64::try_from(sent.message.lost).unwrap_or(i64::MAX);
        self.database
            .write(move |t| {
                t.execute("DELETE FROM alert_message WHERE number = ?1", [number])?;
                t.execute(
                    "INSERT INTO alert_receiver VALUES (?1, ?2, NULL, NULL, 0, 0) ON CONFLICT (receiver) DO UPDATE
                     SET delivered = ?2, failing_since = NULL, failure = NULL, unsaid = max(unsaid - ?3, 0)",
                    params![receiver, seconds(now), said],
                )
                .map(drop)
            })
            .await
    }

    /// It did not arrive: why, and when it is tried again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failed(
        &self,
        (receiver, number): (&ReceiverName, i64),
        failure: String,
        (now, next_try): (Timestamp, Timestamp),
    ) -> Result<(), DatabaseError> {
        let receiver = receiver.as_str().to_owned();
        self.database
            .write(move |t| {
                t.execute(
                    "UPDATE alert_message SET attempts = attempts + 1, next_try = ?2 WHERE number = ?1",
                    (number, milliseconds(next_try)),
                )?;
                t.execute(
                    "INSERT INTO alert_receiver VALUES (?1, NULL, ?2, ?3, 0, 0) ON CONFLICT (receiver) DO UPDATE
                     SET failing_since = coalesce(failing_since, ?2), failure = ?3",
                    params![receiver, seconds(now), failure],
                )
                .map(drop)
            })
            .await
    }

    /// Forgets all receivers but these. What waits for them is tried at `try_at` at the latest, where that is given.
    ///
    /// # Errors
    /// When the database fails: nothing was changed.
    pub async fn keep_only(
        &self,
        names: Vec<ReceiverName>,
        try_at: Option<Timestamp>,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |t| {
                let names: Vec<&str> = names.iter().map(ReceiverName::as_str).collect();
                let names = sql::json(&names)?;
                for table in ["alert_told", "alert_message", "alert_receiver"] {
                    let delete = format!(
                        "DELETE FROM {table} WHERE receiver NOT IN (SELECT value FROM json_each(?1))"
                    );
                    t.execute(&delete, [&names])?;
                }
                if let Some(at) = try_at {
                    t.execute("UPDATE alert_message SET next_try = min(next_try, ?1)", [milliseconds(at)])?;
                }
                Ok(())
            })
            .await
    }

    /// How receivers fare; one that nothing was sent to yet is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receivers(&self) -> Result<BTreeMap<ReceiverName, ReceiverState>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare(
                    "SELECT r.*, w.receiver AS name, w.waiting, w.next FROM
                     (SELECT receiver FROM alert_receiver UNION SELECT receiver FROM alert_message) AS n
                     LEFT JOIN alert_receiver AS r ON r.receiver = n.receiver
                     LEFT JOIN (SELECT receiver, count(*) AS waiting, min(number), next_try AS next FROM alert_message
                                GROUP BY receiver) AS w ON w.receiver = n.receiver",
                )?;
                statement.query_map((), state)?.collect()
            })
            .await
    }

    /// Remembers how a ping ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pinged(&self, now: Timestamp, failure: Option<String>) -> Result<(), DatabaseError> {
        let answered = failure.is_none().then(|| seconds(now));
        self.database
            .write(move |t| {
                t.execute(
                    "INSERT INTO alert_ping VALUES (1, ?1, ?2) ON CONFLICT (one) DO UPDATE
                     SET answered = coalesce(?1, answered), failure = ?2",
                    params![answered, failure],
                )
                .map(drop)
            })
            .await
    }

    /// Forgets how the ping fared: it is another one now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_ping(&self) -> Result<(), DatabaseError> {
        self.database.write(|t| t.execute("DELETE FROM alert_ping", ()).map(drop)).await
    }

    /// How the ping fares.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ping(&self) -> Result<PingState, DatabaseError> {
        self.database
            .read(|connection| {
                let row = connection.query_row("SELECT * FROM alert_ping", (), sql::ping).optional()?;
                Ok(row.unwrap_or_default())
            })
            .await
    }
}

fn replace_book(t: &Transaction<'_>, book: &Book) -> rusqlite::Result<()> {
    t.execute("DELETE FROM alert_told", ())?;
    let mut insert = t.prepare_cached("INSERT INTO alert_told VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for (receiver, findings) in book {
        for (id, told) in findings {
            insert.execute(params![
                receiver.as_str(),
                id.to_string(),
                told.level.word(),
                sql::word(told.worst),
                seconds(told.since),
                told.what,
                seconds(told.at)
            ])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
