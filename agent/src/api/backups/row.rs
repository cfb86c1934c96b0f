//! A backup as the agent remembers it, as a message.

use tidegate_proto::v1;

use super::super::convert;
use crate::backup_runs::{BackupRow, BackupState, Cause};

pub(super) fn summary(row: BackupRow) -> v1::BackupSummary {
    v1::BackupSummary {
        id: row.id.to_string(),
        app: row.app.to_string(),
        service: row.service.to_string(),
        cause: cause(row.cause).into(),
        actor: row.actor,
        state: state(row.state).into(),
        release: row.release.get(),
        engine: row.engine,
        server_version: row.server_version.unwrap_or_default(),
        started_at: Some(convert::timestamp(row.started_at)),
        finished_at: row.finished_at.map(convert::timestamp),
        plain_bytes: row.plain.get(),
        stored_bytes: row.stored.get(),
        copies: row.copies,
        tables: row.tables,
        rows: row.rows,
        revision: row.revision.unwrap_or_default(),
        verified_at: row.verified_at.map(convert::timestamp),
        verify_took: row.verify_took.map(convert::duration),
        verify_failure: row.verify_failure.map(convert::failure),
        failure: row.failure.map(convert::failure),
    }
}

fn state(state: BackupState) -> v1::BackupState {
    match state {
        BackupState::Running => v1::BackupState::Running,
        BackupState::Stored => v1::BackupState::Stored,
        BackupState::Verified => v1::BackupState::Verified,
        BackupState::Failed => v1::BackupState::Failed,
    }
}

fn cause(cause: Cause) -> v1::BackupCause {
    match cause {
        Cause::Manual => v1::BackupCause::Manual,
        Cause::Schedule => v1::BackupCause::Schedule,
        Cause::Release => v1::BackupCause::Release,
    }
}
