//! A backup as commands print it: for programs as JSON, for people in words.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tidegate_proto::v1::{self, BackupCause, BackupState, BackupSummary};

use crate::{
    clock::human,
    output::size,
    release::{
        follow::FailureView,
        times::{duration, timestamp},
    },
};

/// What `--json` prints of a backup.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BackupView {
    pub droplet: String,
    pub id: String,
    pub app: String,
    pub service: String,
    pub state: &'static str,
    pub cause: &'static str,
    pub actor: String,
    /// The release that served.
    pub release: u64,
    pub engine: String,
    pub server_version: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub took_seconds: f64,
    pub plain_bytes: u64,
    pub stored_bytes: u64,
    /// Where it was stored.
    pub destinations: Vec<String>,
    pub tables: u64,
    pub rows: u64,
    /// The database's schema.
    pub revision: String,
    pub verified_at: Option<String>,
    /// How long the trial restore took.
    pub verify_seconds: Option<f64>,
    /// Why the last verification failed.
    pub verify_failure: Option<FailureView>,
    /// Why it failed; of a stored one, which destinations do not have it.
    pub failure: Option<FailureView>,
}

/// What a destination has of a backup.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CopyView {
    pub at: String,
    /// Nothing where all of it is there.
    pub damage: Vec<String>,
}

/// What is left of a backup that did not come to its end.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LeftoverView {
    pub droplet: String,
    pub at: String,
    pub folder: String,
    pub bytes: u64,
    pub newest: Option<String>,
}

impl From<v1::BackupCopy> for CopyView {
    fn from(told: v1::BackupCopy) -> Self {
        Self { at: told.at, damage: told.damage }
    }
}

impl LeftoverView {
    pub(super) fn new(droplet: &str, told: v1::BackupLeftover) -> Self {
        Self {
            droplet: droplet.to_owned(),
            at: told.at,
            folder: told.folder,
            bytes: told.bytes,
            newest: told.newest.as_ref().and_then(timestamp),
        }
    }
}

impl BackupView {
    pub(super) fn new(droplet: &str, told: BackupSummary) -> Self {
        let (state, cause) = (state_name(told.state()), cause_name(told.cause()));
        Self {
            droplet: droplet.to_owned(),
            state,
            cause,
            took_seconds: took(&told).as_secs_f64(),
            id: told.id,
            app: told.app,
            service: told.service,
            actor: told.actor,
            release: told.release,
            engine: told.engine,
            server_version: told.server_version,
            started_at: told.started_at.as_ref().and_then(timestamp),
            finished_at: told.finished_at.as_ref().and_then(timestamp),
            plain_bytes: told.plain_bytes,
            stored_bytes: told.stored_bytes,
            destinations: told.copies,
            tables: told.tables,
            rows: told.rows,
            revision: told.revision,
            verified_at: told.verified_at.as_ref().and_then(timestamp),
            verify_seconds: told.verify_took.as_ref().map(|took| duration(Some(took)).as_secs_f64()),
            verify_failure: told.verify_failure.map(FailureView::from),
            failure: told.failure.map(FailureView::from),
        }
    }

    /// `shop/db`
    pub(super) fn whose(&self) -> String {
        format!("{}/{}", self.app, self.service)
    }

    /// `12.4 MB`; nothing of one that was not stored.
    pub(super) fn size(&self) -> String {
        if self.is_stored() { size(self.stored_bytes) } else { "-".to_owned() }
    }

    /// `1200 rows in 14 tables`, `80 keys in 2 databases`
    pub(super) fn rows(&self) -> String {
        let (row, table) = if self.engine == REDIS { ("key", "database") } else { ("row", "table") };
        format!("{} in {}", counted(self.rows, row), counted(self.tables, table))
    }

    /// `3 h`: how long ago it began.
    pub(super) fn age(&self, now: Timestamp) -> String {
        let began = self.started_at.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        began.map_or_else(|| "-".to_owned(), |began| age(now.duration_since(began).as_secs()))
    }

    pub(super) fn is_stored(&self) -> bool {
        matches!(self.state, "stored" | "verified")
    }

    /// What came of the last trial restore.
    pub(super) fn trial(&self) -> String {
        match (&self.verify_failure, &self.verified_at, self.restore_time()) {
            (Some(_), _, _) => "failed".to_owned(),
            (None, Some(at), Some(took)) => format!("{at}, in {took}"),
            (None, Some(at), None) => at.clone(),
            (None, None, _) if self.is_stored() => "not yet".to_owned(),
            (None, None, _) => "-".to_owned(),
        }
    }

    /// `12 s`, as long as the trial restore took.
    pub(super) fn restore_time(&self) -> Option<String> {
        self.verify_seconds.map(seconds)
    }

    /// `3.2 s`, as long as it took to make.
    pub(super) fn time(&self) -> String {
        seconds(self.took_seconds)
    }
}

/// `40 s`, `12 min`, `5 h`, `3 d`; a clock that is behind the droplet's makes no sense of it.
fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn seconds(seconds: f64) -> String {
    human(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// What agents call Redis and Valkey.
const REDIS: &str = "redis";

/// A destination as tables name it. Of directories a droplet has one, which the Compose file calls `local`; where a bucket is
/// stands in the fleet file.
pub(super) fn brief(at: &str) -> &str {
    if at.starts_with("directory ") {
        return "local";
    }
    at.split_once(" at ").map_or(at, |(bucket, _)| bucket)
}

/// `1 table`, `2 tables`
pub(in crate::commands) fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn took(told: &BackupSummary) -> Duration {
    let at = |at: Option<prost_types::Timestamp>| std::time::SystemTime::try_from(at?).ok();
    let between = at(told.started_at).zip(at(told.finished_at));
    between.and_then(|(began, ended)| ended.duration_since(began).ok()).unwrap_or_default()
}

fn state_name(state: BackupState) -> &'static str {
    match state {
        BackupState::Unspecified => "unknown",
        BackupState::Running => "running",
        BackupState::Stored => "stored",
        BackupState::Verified => "verified",
        BackupState::Failed => "failed",
    }
}

fn cause_name(cause: BackupCause) -> &'static str {
    match cause {
        BackupCause::Unspecified => "unknown",
        BackupCause::Manual => "manual",
        BackupCause::Schedule => "schedule",
        BackupCause::Release => "release",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_well() {
        let cases =
            [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_799, "47 h"), (172_800, "2 d")];
        for (seconds, text) in cases {
            assert_eq!(age(seconds), text);
        }
    }
}

#[cfg(test)]
pub(super) mod sample {
    use super::*;

    /// The title of a droplet's directory.
    pub(in super::super) const LOCAL: &str = "directory /var/lib/tidegate/backups";

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds: 1_795_316_400 + seconds, nanos: 0 }
    }

    fn failure(what: &str, cause: &str, hint: &str) -> v1::Failure {
        let [what, cause, hint] = [what, cause, hint].map(str::to_owned);
        v1::Failure { what, cause, hint, ..v1::Failure::default() }
    }

    /// One that was stored and not tried yet.
    pub(in super::super) fn stored() -> BackupSummary {
        BackupSummary {
            id: "20261122T030000Z-4f2a91c0".to_owned(),
            app: "shop".to_owned(),
            service: "db".to_owned(),
            cause: BackupCause::Schedule.into(),
            actor: "local:root".to_owned(),
            state: BackupState::Stored.into(),
            release: 12,
            engine: "postgres".to_owned(),
            server_version: "17.2".to_owned(),
            started_at: Some(at(0)),
            finished_at: Some(at(3)),
            plain_bytes: 84_000_000,
            stored_bytes: 12_400_000,
            copies: vec![LOCAL.to_owned()],
            tables: 14,
            rows: 120_034,
            revision: "0009".to_owned(),
            ..BackupSummary::default()
        }
    }

    /// The same, tried.
    pub(in super::super) fn verified() -> BackupSummary {
        BackupSummary {
            state: BackupState::Verified.into(),
            verified_at: Some(at(3600)),
            verify_took: Some(prost_types::Duration { seconds: 12, nanos: 0 }),
            ..stored()
        }
    }

    /// One that did not survive the trial.
    pub(in super::super) fn doubtful() -> BackupSummary {
        BackupSummary {
            id: "20261121T030000Z-00000000".to_owned(),
            verify_failure: Some(failure(
                "what was restored differs",
                "public.orders has 2 rows instead of 3",
                "make another backup",
            )),
            ..stored()
        }
    }

    /// One that was never whole.
    pub(in super::super) fn failed() -> BackupSummary {
        BackupSummary {
            id: "20261120T030000Z-11111111".to_owned(),
            state: BackupState::Failed.into(),
            stored_bytes: 0,
            copies: Vec::new(),
            tables: 0,
            rows: 0,
            failure: Some(failure(
                "the backup did not fit",
                "the disk has 1.0 GB free, and 2.4 GB are needed",
                "make room, or let `to` name a bucket",
            )),
            ..stored()
        }
    }
}
