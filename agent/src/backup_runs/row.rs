//! A backup run as the agent remembers it. Values only.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    backup::{BackupId, ByteCount, Manifest, manifest::EngineKind},
    release::Failure,
};

/// What the agent remembers of one backup.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupRow {
    /// Which backup.
    pub id: BackupId,
    /// The app.
    pub app: AppName,
    /// The service whose data it is.
    pub service: ServiceName,
    /// Why it was made.
    pub cause: Cause,
    /// Who asked for it; empty where that is not known any more.
    pub actor: String,
    /// Where it is.
    pub state: BackupState,
    /// The release that served when it was made.
    pub release: ReleaseNumber,
    /// What holds the data: `postgres`.
    pub engine: String,
    /// The server's version; none before it was stored.
    pub server_version: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was stored, or had failed; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// How much data it holds, before compression.
    pub plain: ByteCount,
    /// How much it takes at each destination.
    pub stored: ByteCount,
    /// The titles of the destinations that had all of it when it was stored.
    pub copies: Vec<String>,
    /// How many tables it holds.
    pub tables: u64,
    /// How many rows are in them.
    pub rows: u64,
    /// Up to which migration its databases were, where they say so.
    pub revision: Option<String>,
    /// When a restore of it on trial succeeded.
    pub verified_at: Option<Timestamp>,
    /// How long that restore took, with the comparison.
    pub verify_took: Option<Duration>,
    /// Why the last restore on trial failed.
    pub verify_failure: Option<Failure>,
    /// Why it was not stored, or not at all of its destinations.
    pub failure: Option<Failure>,
}

/// Where a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupState {
    /// It is being made.
    Running,
    /// All of it is at one destination at least.
    Stored,
    /// And a restore of it on trial gave back what it was made of.
    Verified,
    /// There is none: why stands in the row.
    Failed,
}

/// Why a backup is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Somebody asked for it.
    Manual,
    /// Its time had come.
    Schedule,
    /// A release wants one before it changes the data.
    Release,
}

impl BackupState {
    /// As it is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stored => "stored",
            Self::Verified => "verified",
            Self::Failed => "failed",
        }
    }

    /// The state of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Running, Self::Stored, Self::Verified, Self::Failed]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

impl Cause {
    /// As it is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::Release => "release",
        }
    }

    /// The cause of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Manual, Self::Schedule, Self::Release].into_iter().find(|cause| cause.word() == word)
    }
}

/// What is known of a backup once it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) server_version: String,
    pub(super) plain: ByteCount,
    pub(super) stored: ByteCount,
    pub(super) copies: Vec<String>,
    pub(super) tables: u64,
    pub(super) rows: u64,
    pub(super) revision: Option<String>,
}

impl Facts {
    /// What a manifest says, at these destinations.
    pub(super) fn of(manifest: &Manifest, copies: Vec<String>) -> Self {
        let sum = |bytes: &dyn Fn(&crate::backup::Part) -> ByteCount| {
            manifest.parts.iter().fold(ByteCount::default(), |sum, part| sum.plus(bytes(part)))
        };
        let tables = || manifest.parts.iter().flat_map(|part| &part.tables);
        Self {
            server_version: manifest.engine.server_version.clone(),
            plain: sum(&|part| part.plain.bytes),
            stored: sum(&|part| part.stored.bytes),
            copies,
            tables: u64::try_from(tables().count()).unwrap_or(u64::MAX),
            rows: tables().fold(0, |sum, table| sum.saturating_add(table.rows)),
            revision: manifest.migration.clone(),
        }
    }
}

impl BackupRow {
    /// What it holds, in a few words: `14 tables, 1200 rows`.
    pub fn held(&self) -> String {
        let Self { engine, tables, rows, .. } = self;
        if *engine == EngineKind::Redis.name() {
            format!("{tables} databases, {rows} keys")
        } else {
            format!("{tables} tables, {rows} rows")
        }
    }

    /// The row of a backup that was found at a destination while the agent remembers nothing of it.
    pub(super) fn found(manifest: &Manifest, copies: Vec<String>) -> Self {
        let facts = Facts::of(manifest, copies);
        Self {
            id: manifest.id,
            app: manifest.app.clone(),
            service: manifest.service.clone(),
            cause: Cause::Manual,
            actor: String::new(),
            state: BackupState::Stored,
            release: manifest.release.unwrap_or(ReleaseNumber::new(0)),
            engine: manifest.engine.kind.name().to_owned(),
            server_version: Some(facts.server_version),
            started_at: manifest.taken_at,
            finished_at: Some(manifest.finished_at),
            plain: facts.plain,
            stored: facts.stored,
            copies: facts.copies,
            tables: facts.tables,
            rows: facts.rows,
            revision: facts.revision,
            verified_at: None,
            verify_took: None,
            verify_failure: None,
            failure: None,
        }
    }
}
