//! Pruning: the rule's plan, with what is known beside it, and its carrying out.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    BackupError, BackupRow, BackupState, Deleted, Inner, Prune, PruneMode, Pruned, clear, find,
    held::{Held, Locked, locked},
    live::Doing,
    recover,
    subject::Subject,
};
use crate::{
    backup::{
        BackupId, ByteCount,
        catalog::{Catalog, Found, Orphan, Unseen},
        destination::Destination,
        rotation::{self, Candidate, Condition, Keep, ORPHAN_AGE},
    },
    release::Failure,
};

/// Who prunes, for others who come meanwhile.
const ACTOR: &str = "an operator";
/// How long it is remembered that a backup failed.
const FAILED_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);

pub(super) async fn prune(inner: &Inner, wanted: Prune) -> Result<Vec<Pruned>, BackupError> {
    let Prune { app, service, mode } = wanted;
    let subjects = match &service {
        Some(service) => vec![inner.subject(&app, Some(service)).await?],
        None => all(inner, &app).await?,
    };
    let mut reserved = Vec::new();
    if mode == PruneMode::Delete {
        for subject in &subjects {
            let key = (&app, &subject.service);
            reserved.push(inner.live.reserve(key, Doing::Pruning, (ACTOR, inner.clock.now()))?);
        }
    }
    let mut pruned = Vec::new();
    for subject in &subjects {
        if mode == PruneMode::Delete {
            recover::of_service(inner, subject).await?;
        }
        pruned.push(of_service(inner, subject, mode).await?);
    }
    drop(reserved);
    Ok(pruned)
}

async fn all(inner: &Inner, app: &crate::apps::AppName) -> Result<Vec<Subject>, BackupError> {
    inner.droplet()?;
    let mut subjects = Vec::new();
    for backed in inner.asking(app).await? {
        subjects.push(inner.subject_of(app, backed).await?);
    }
    if subjects.is_empty() { Err(BackupError::NobodyAsks(app.clone())) } else { Ok(subjects) }
}

/// The same for one service that the caller has reserved, where something is deleted.
pub(super) async fn of_service(
    inner: &Inner,
    subject: &Subject,
    mode: PruneMode,
) -> Result<Pruned, BackupError> {
    let droplet = subject.folder.droplet();
    let rows = inner.store.rows(droplet, &subject.app, Some(&subject.service)).await?;
    let catalog = subject.look().await;
    let now = inner.clock.now();
    let decision = decide(subject.keep, &rows, (&catalog, now));
    let Locked { decision, held } = locked(&subject.destinations, decision, now).await;
    let Decision { stays, goes, orphans } = decision;
    let mut deleted = Deleted::default();
    if mode == PruneMode::Delete {
        for (found, _) in &goes {
            let id = found.folder.id();
            if delete(&subject.destinations, (found, &held), &mut deleted).await == Left::Nothing {
                deleted.backups.push(id);
                // One that could not be looked at may have a copy still.
                if catalog.unseen.is_empty() {
                    inner.store.forget(id).await?;
                }
            }
        }
        for orphan in &orphans {
            delete_orphan(&subject.destinations, orphan, &mut deleted).await;
        }
        end_uploads(subject, (&catalog.unseen, now)).await;
        for id in outdated(&rows, now) {
            inner.store.forget(id).await?;
        }
    }
    let told = |orphan: &&Orphan| {
        let name = orphan.folder.name().map(|name| name.to_string()).unwrap_or_default();
        (format!("{name} at {}", orphan.at), orphan.bytes)
    };
    Ok(Pruned {
        service: subject.service.clone(),
        stays,
        goes: goes.iter().map(|(found, why)| (found.folder.id(), why.clone())).collect(),
        orphans: orphans.iter().map(told).collect(),
        deleted,
    })
}

/// What is decided about the backups of one service.
pub(super) struct Decision<'a> {
    pub(super) stays: Vec<(BackupId, Vec<String>)>,
    pub(super) goes: Vec<(&'a Found, String)>,
    pub(super) orphans: Vec<&'a Orphan>,
}

/// Pure. A backup whose restore on trial failed takes nobody's place, and all the same stays as long as it would if it were
/// good: the trial may have failed for another reason. One that cannot be judged now stays.
fn decide<'a>(keep: Keep, rows: &[BackupRow], (catalog, now): (&'a Catalog, Timestamp)) -> Decision<'a> {
    let row = |id: BackupId| rows.iter().find(|row| row.id == id);
    let doubted = |id: BackupId| row(id).is_some_and(|row| row.verify_failure.is_some());
    let (undecided, known): (Vec<&Found>, Vec<&Found>) =
        catalog.backups.iter().partition(|found| find::is_undecided(found));
    let candidates = |in_doubt: Condition| -> Vec<Candidate> {
        let condition = |found: &Found| match row(found.folder.id()) {
            _ if !found.is_complete() => Condition::Damaged,
            Some(row) if row.state == BackupState::Verified => Condition::Verified,
            _ if doubted(found.folder.id()) => in_doubt,
            _ => Condition::Complete,
        };
        known.iter().map(|found| Candidate { id: found.folder.id(), condition: condition(found) }).collect()
    };
    let strict = rotation::plan(keep, &candidates(Condition::Damaged));
    let lenient = rotation::plan(keep, &candidates(Condition::Complete));
    let mut stays: Vec<(BackupId, Vec<String>)> = Vec::new();
    for (id, reasons) in &strict.stays {
        stays.push((*id, reasons.iter().map(ToString::to_string).collect()));
    }
    let mut goes = Vec::new();
    for (id, why) in &strict.goes {
        if doubted(*id) && lenient.stays.iter().any(|(stays, _)| stays == id) {
            let why = "its verification failed; kept beside the others as long as `keep` would keep it";
            stays.push((*id, vec![why.to_owned()]));
        } else if let Some(found) = known.iter().find(|found| found.folder.id() == *id) {
            goes.push((*found, why.to_string()));
        }
    }
    let why = "it cannot be judged now: its manifest cannot be read, or not by this agent";
    stays.extend(undecided.iter().map(|found| (found.folder.id(), vec![why.to_owned()])));
    stays.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    let running: BTreeSet<BackupId> =
        rows.iter().filter(|row| row.state == BackupState::Running).map(|row| row.id).collect();
    let mut orphans = rotation::orphans(&catalog.orphans, now);
    orphans.retain(|orphan| !running.contains(&orphan.folder.id()));
    Decision { stays, goes, orphans }
}

/// Whether a copy is left of what was deleted.
#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

async fn delete(
    destinations: &[Arc<dyn Destination>],
    (found, held): (&Found, &[Held]),
    deleted: &mut Deleted,
) -> Left {
    let parts = found.manifest.iter().flat_map(|manifest| &manifest.parts);
    let bytes = parts.fold(ByteCount::default(), |sum, part| sum.plus(part.stored.bytes));
    let mut left = Left::Nothing;
    for copy in &found.copies {
        let Some(at) = destinations.iter().find(|one| one.title() == copy.at) else { continue };
        if held.iter().any(|held| held.id == found.folder.id() && held.at == copy.at) {
            left = Left::Something;
            continue;
        }
        match clear::delete(at.as_ref(), &copy.objects).await {
            Ok(()) => deleted.bytes = deleted.bytes.plus(bytes),
            Err(error) => {
                left = Left::Something;
                let what = format!("the backup {} is not deleted at {}", found.folder.id(), copy.at);
                deleted.failures.push(Failure::caused_by(what, &error).hint(AGAIN));
            }
        }
    }
    left
}

async fn delete_orphan(destinations: &[Arc<dyn Destination>], orphan: &Orphan, deleted: &mut Deleted) {
    let Some(at) = destinations.iter().find(|one| one.title() == orphan.at) else { return };
    match clear::delete(at.as_ref(), &orphan.objects).await {
        Ok(()) => deleted.bytes = deleted.bytes.plus(orphan.bytes),
        Err(error) => {
            let what = format!("what is left of {} is not deleted at {}", orphan.folder.id(), orphan.at);
            deleted.failures.push(Failure::caused_by(what, &error).hint(AGAIN));
        }
    }
}

/// Ends uploads of the service's backups that nobody finished, as old as an orphan has to be. They are no backups: that they
/// could not be looked for is no failure of pruning.
async fn end_uploads(subject: &Subject, (unseen, now): (&[Unseen], Timestamp)) {
    let Ok(before) = now.checked_sub(ORPHAN_AGE) else { return };
    let is_seen = |at: &&Arc<dyn Destination>| !unseen.iter().any(|unseen| unseen.at == at.title());
    for at in subject.destinations.iter().filter(is_seen) {
        match at.end_unfinished(subject.folder.name(), before).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(at = at.title(), ended, "unfinished uploads are ended"),
            Err(error) => {
                tracing::warn!(at = at.title(), %error, "it is not known whether there are unfinished uploads");
            }
        }
    }
}

const AGAIN: &str = "put the destination right; the next pruning tries again";

/// Failed runs of which nobody wants to know any more.
fn outdated(rows: &[BackupRow], now: Timestamp) -> impl Iterator<Item = BackupId> {
    let failed = rows.iter().filter(|row| row.state == BackupState::Failed);
    failed.filter(move |row| now.duration_since(row.started_at) > FAILED_FOR).map(|row| row.id)
}

#[cfg(test)]
#[path = "prune_tests.rs"]
mod tests;
