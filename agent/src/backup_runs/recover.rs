//! Rows that say `running` although nobody runs: a dead agent, or a task that was dropped, left them.
//!
//! What is at the destinations decides: a whole backup with its manifest is stored, whatever the row says; without a manifest
//! there is none, and what is left of it is deleted.

use std::sync::Arc;

use super::{
    BackupError, BackupRow, BackupState, Inner, clear, find,
    live::Doing,
    places::Places,
    row::Facts,
    store::Running,
    subject::{Subject, service_folder},
};
use crate::{
    backup::{
        catalog::{Catalog, Orphan},
        destination::Destination,
        layout::{BackupFolder, DropletFolder},
    },
    release::{Failure, chain},
    scratch,
};

/// Who recovers.
const AGENT: &str = "agent";

pub(super) async fn recover(inner: &Inner) -> Result<usize, BackupError> {
    let mut count = 0_usize;
    for Running { droplet, row } in inner.store.running().await? {
        let now = inner.clock.now();
        let key = (&row.app, &row.service);
        // Somebody runs: it is theirs.
        let Ok(_reserved) = inner.live.reserve(key, Doing::Recovery, (AGENT, now)) else { continue };
        match inner.droplet().ok().filter(|mine| mine.to_string() == droplet) {
            Some(mine) => settle(inner, mine, &row).await?,
            // Another enrolment's: its folders are not ours.
            None => inner.store.failed(row.id, &cut_off(), now).await?,
        }
        count = count.saturating_add(1);
    }
    // Who uses one holds the lock; their next use removes what they left.
    if let Ok(_nobody) = inner.scratch.try_lock() {
        let removed = scratch::remove_leftovers(inner.engine.docker()).await;
        count = count.saturating_add(removed.map_err(|error| BackupError::Scratch(error.into()))?);
    }
    Ok(count)
}

/// The same for one service that the caller has reserved.
pub(super) async fn of_service(inner: &Inner, subject: &Subject) -> Result<(), BackupError> {
    let droplet = subject.folder.droplet();
    let rows = inner.store.rows(droplet, &subject.app, Some(&subject.service)).await?;
    for row in rows.iter().filter(|row| row.state == BackupState::Running) {
        settle(inner, droplet.clone(), row).await?;
    }
    Ok(())
}

async fn settle(inner: &Inner, droplet: DropletFolder, row: &BackupRow) -> Result<(), BackupError> {
    let folder = service_folder(droplet, &row.app, &row.service)?;
    let (destinations, unopened) = Places::open(inner, &row.app).await?.all();
    let Catalog { backups, orphans, unseen } = find::look_with((&destinations, &unopened), &folder).await;
    let left = BackupFolder::new(folder, row.id);
    let now = inner.clock.now();
    if let Some(found) = backups.iter().find(|found| found.folder.id() == row.id) {
        if let Some(manifest) = found.manifest.as_ref().filter(|_| found.is_complete()) {
            tracing::info!(id = %row.id, "a backup was stored whole before the agent ended");
            let facts = Facts::of(manifest, find::complete(found));
            inner.store.stored(row.id, &facts, (None, now)).await?;
            clear_rest(inner, &destinations, (&left, &orphans)).await;
            return Ok(());
        }
        if find::is_undecided(found) {
            undecided(row, "its manifest cannot be read");
            return Ok(());
        }
    }
    if let Some(unseen) = unseen.first() {
        undecided(row, &chain(&unseen.error));
        return Ok(());
    }
    clear_rest(inner, &destinations, (&left, &orphans)).await;
    inner.store.failed(row.id, &cut_off(), now).await
}

/// Deletes what is left of a backup where it did not come to its end, and ends uploads of it that nobody finished.
async fn clear_rest(
    inner: &Inner,
    destinations: &[Arc<dyn Destination>],
    (left, orphans): (&BackupFolder, &[Orphan]),
) {
    let patience = inner.settings.patience.clearing;
    for destination in destinations {
        let here = orphans.iter().filter(|orphan| orphan.at == destination.title() && orphan.folder == *left);
        for orphan in here {
            clear::clear(destination.as_ref(), &orphan.objects, patience).await;
        }
        clear::end_uploads(destination.as_ref(), left, patience).await;
    }
}

/// The key of a backup that may be whole is not thrown away.
fn undecided(row: &BackupRow, why: &str) {
    let id = row.id;
    tracing::warn!(%id, why, "it is not known what became of a backup run; it is looked at again before the next one");
}

fn cut_off() -> Failure {
    Failure::new("the backup run was cut off", "the agent ended, or was ended, while it went on")
        .hint("make it again: `tidegate backup now`")
}
