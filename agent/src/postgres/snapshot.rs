//! One moment's state of a database, kept open while it is dumped and counted.

use std::time::Duration;

use super::{DatabaseName, Postgres, PostgresError, QUESTION, Revision, TableRows, session::Session, tables};

/// A snapshot that the server keeps for as long as this lives.
pub struct Snapshot {
    session: Session,
    database: DatabaseName,
    id: String,
}

impl Snapshot {
    pub(super) async fn open(postgres: &Postgres, database: &DatabaseName) -> Result<Self, PostgresError> {
        let mut session = Session::open(postgres, database).await?;
        // A server that ends idle transactions, or slow statements, must not end this one. Where nobody waits for it any more it
        // ends by itself, also in the middle of a count, as far as the server can (14 and later).
        let begin = "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; SET lock_timeout = 0; \
                     DO $$ BEGIN IF EXISTS (SELECT FROM pg_settings WHERE name = 'client_connection_check_interval') \
                     THEN PERFORM set_config('client_connection_check_interval', '5s', false); END IF; END $$; \
                     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot()";
        let answer = session.ask(begin, QUESTION).await?;
        match answer.as_slice() {
            [id] if is_id(id) => Ok(Self { id: id.clone(), session, database: database.clone() }),
            _ => Err(PostgresError::Answer { asked: "a snapshot", answer: answer.join("\n") }),
        }
    }

    /// The name under which other sessions take part in it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Of which database.
    pub fn database(&self) -> &DatabaseName {
        &self.database
    }

    /// How many rows each table has, in the order of their names. Every row is read: on a large database this takes about
    /// as long as the dump.
    ///
    /// # Errors
    /// When the server fails or takes too long.
    pub async fn rows(&mut self, deadline: Duration) -> Result<Vec<TableRows>, PostgresError> {
        let answer = self.session.ask(tables::COUNTS, deadline).await?;
        tables::parse(&answer)
    }

    /// Up to which migration the database is, where it says so in one of the ways that are well known.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn revision(&mut self) -> Result<Option<Revision>, PostgresError> {
        let answer = self.session.ask(tables::REVISIONS, QUESTION).await?;
        tables::parse_revision(&answer)
    }

    /// Lets the server forget it.
    ///
    /// # Errors
    /// When the session does not end.
    pub async fn close(self) -> Result<(), PostgresError> {
        self.session.close().await
    }
}

/// `00000003-0000001B-1`: it becomes an argument.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_one_is_taken() {
        assert!(is_id("00000003-0000001B-1"));
        assert!(!is_id("") && !is_id("1 --file=/etc/passwd"));
    }
}
