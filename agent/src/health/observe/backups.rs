//! The backups of an app's services: when they should come, and which came.

use std::{collections::BTreeMap, time::Duration};

use tidegate_compose::x_tidegate::{Backup, OnCalendar, Verify};

use super::{BackupSeen, BackupSize, Seen, unseen, within};
use crate::{
    apps::ServiceName,
    backup_runs::{BackupRow, BackupRuns, BackupState},
    release::Serving,
    timers::Calendars,
};

/// So many schedules are remembered at most.
const MOST: usize = 64;

/// The longest pauses of schedules that were asked for before: systemd's program is started once for each.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    known: BTreeMap<String, Option<Duration>>,
    calendars: Calendars,
}

impl Pauses {
    async fn of(&mut self, schedule: Option<&OnCalendar>) -> Seen<Option<Duration>> {
        let Some(schedule) = schedule else { return Ok(None) };
        if let Some(known) = self.known.get(schedule.as_str()) {
            return Ok(*known);
        }
        let pause = self.calendars.longest_pause(schedule).await.map_err(|error| unseen(&error))?;
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(schedule.as_str().to_owned(), pause);
        Ok(pause)
    }
}

pub(super) async fn look(runs: &BackupRuns, serving: &Serving, pauses: &mut Pauses) -> Seen<Vec<BackupSeen>> {
    let asking: Vec<_> = serving
        .services
        .iter()
        .filter_map(|service| Some((&service.name, service.backup.as_ref()?)))
        .collect();
    if asking.is_empty() {
        return Ok(Vec::new());
    }
    let rows = within(runs.remembered(&serving.app)).await?;
    let mut found = Vec::new();
    for (service, backup) in asking {
        found.push(one((serving, service, backup), &rows, pauses).await);
    }
    Ok(found)
}

async fn one(
    (serving, service, backup): (&Serving, &ServiceName, &Backup),
    rows: &[BackupRow],
    pauses: &mut Pauses,
) -> BackupSeen {
    let own = || rows.iter().filter(|row| row.service == *service);
    let is_good = |row: &&BackupRow| matches!(row.state, BackupState::Stored | BackupState::Verified);
    let newest = own().find(is_good);
    let ended = own().find(|row| row.state != BackupState::Running);
    let verify = match &backup.verify {
        Verify::At(schedule) => Some(schedule),
        Verify::Never => None,
    };
    let verified = own().filter(|row| row.verified_at.is_some()).max_by_key(|row| row.verified_at);
    let first = own().map(|row| row.started_at).min();
    BackupSeen {
        service: service.clone(),
        every: pauses.of(backup.schedule.as_ref()).await,
        verified_every: pauses.of(verify).await,
        // A release of today does not make the backups of last year young.
        since: first.unwrap_or(serving.since).min(serving.since),
        newest: newest.map(|row| row.started_at),
        size: newest.map(size),
        verified: verified.and_then(|row| row.verified_at),
        verify_took: verified.and_then(|row| row.verify_took),
        failure: ended.filter(|row| row.state == BackupState::Failed).and_then(|row| row.failure.clone()),
        verify_failure: newest.and_then(|row| row.verify_failure.clone()),
    }
}

fn size(row: &BackupRow) -> BackupSize {
    let took = row.finished_at.unwrap_or(row.started_at).duration_since(row.started_at);
    BackupSize { plain: row.plain.get(), stored: row.stored.get(), took: took.try_into().unwrap_or_default() }
}
