//! The audit log: who did what to this droplet, when, and how it ended. Append-only and hash-chained.
//!
//! Owns the table `audit` and the order of its entries. Must not know what is audited, and never holds a secret or the
//! value of an argument: callers give names and counts. How an entry is hashed stands in `tidegate_proto::audit`.
//!
//! # Format
//! Table `audit`: `number` (from 1, without gaps), `seconds` and `nanoseconds` since 1970, `actor`, `action`, `subject`,
//! `outcome`, `fields` (a JSON object of strings), `previous_hash` and `hash` (32 bytes each). Triggers refuse updates
//! and deletions.

mod store;

use std::{collections::BTreeMap, sync::Arc};

use tidegate_proto::{audit::Record, v1::AuditEntry};
use tracing::error;

pub use store::MIGRATIONS;
pub use tidegate_proto::audit::{ChainError, Head};

use crate::{
    clock::Clock,
    store::{Database, DatabaseError},
};

/// Why the log could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database did not take or give entries.
    #[error("the audit log could not be {action}")]
    Database {
        /// Written, read.
        action: &'static str,
        /// Why.
        source: Box<DatabaseError>,
    },
    /// The log was tampered with, or its disk is damaged.
    #[error("the audit log is not intact")]
    Chain(#[source] ChainError),
}

/// Something that is about to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// A SPIFFE id, `local:root`, or `agent`.
    pub actor: String,
    /// `deploy`, `exec-container`, `enrol`, ...
    pub action: &'static str,
    /// `shop/web`, `droplet`.
    pub subject: String,
    /// What else is worth knowing. Never secrets, never values of arguments.
    pub fields: BTreeMap<String, String>,
}

impl Deed {
    /// A deed with nothing else worth knowing.
    pub fn new(actor: impl Into<String>, action: &'static str, subject: impl Into<String>) -> Self {
        Self { actor: actor.into(), action, subject: subject.into(), fields: BTreeMap::new() }
    }

    /// Adds something worth knowing.
    #[must_use]
    pub fn with(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.fields.insert(name.to_owned(), value.to_string());
        self
    }
}

/// How a deed ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has begun; another entry tells the end.
    Started,
    /// It is done.
    Succeeded,
    /// It is not done; the code says why.
    Failed(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Started => formatter.write_str("started"),
            Self::Succeeded => formatter.write_str("succeeded"),
            Self::Failed(code) => write!(formatter, "failed: {code}"),
        }
    }
}

/// The log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl AuditLog {
    /// A log in a database that was opened with [`MIGRATIONS`].
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Writes that a deed begins. To be called before anything is changed: what cannot be audited is not done.
    ///
    /// # Errors
    /// When the entry could not be stored.
    pub async fn begin(&self, deed: Deed) -> Result<Begun, AuditError> {
        let head = self.write(&deed, &Outcome::Started).await?;
        Ok(Begun { log: self.clone(), deed: deed.with("started", &head.number) })
    }

    /// Writes one entry about something that is over.
    ///
    /// # Errors
    /// When the entry could not be stored.
    pub async fn write(&self, deed: &Deed, outcome: &Outcome) -> Result<Head, AuditError> {
        let record = Record {
            at: self.clock.now(),
            actor: deed.actor.clone(),
            action: deed.action.to_owned(),
            subject: deed.subject.clone(),
            outcome: outcome.to_string(),
            fields: deed.fields.clone(),
        };
        let write = self.database.write(move |transaction| store::append(transaction, record.clone()));
        write.await.map_err(|source| AuditError::Database { action: "written", source: Box::new(source) })
    }

    /// Number and hash of the last entry.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn head(&self) -> Result<Head, AuditError> {
        let read = self.database.read(store::head);
        read.await.map_err(|source| AuditError::Database { action: "read", source: Box::new(source) })
    }

    /// At most `limit` entries with higher numbers than `after`, in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entries(&self, after: u64, limit: u32) -> Result<Vec<AuditEntry>, AuditError> {
        let read = self.database.read(move |connection| store::entries(connection, after, limit));
        read.await.map_err(|source| AuditError::Database { action: "read", source: Box::new(source) })
    }

    /// Walks the whole log and checks every hash.
    ///
    /// # Errors
    /// At the first entry that does not follow from the one before.
    pub async fn verify(&self) -> Result<Head, AuditError> {
        const AT_A_TIME: u32 = 500;
        let mut head = Head::EMPTY;
        loop {
            let entries = self.entries(head.number, AT_A_TIME).await?;
            if entries.is_empty() {
                return Ok(head);
            }
            head = tidegate_proto::audit::verify(head, &entries).map_err(AuditError::Chain)?;
        }
    }
}

/// A deed that was begun; its end is still to be written.
#[derive(Debug)]
#[must_use = "the end of a deed has to be written"]
pub struct Begun {
    log: AuditLog,
    deed: Deed,
}

impl Begun {
    /// Adds what was learned on the way.
    pub fn with(self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        Self { deed: self.deed.with(name, value), ..self }
    }

    /// Writes how it ended. A failure to write is logged: the deed itself cannot be taken back by it.
    pub async fn end(self, outcome: Outcome) {
        if let Err(failure) = self.log.write(&self.deed, &outcome).await {
            error!(error = %failure, action = self.deed.action, "the end of a deed is not in the audit log");
        }
    }
}

#[cfg(test)]
mod tests;
