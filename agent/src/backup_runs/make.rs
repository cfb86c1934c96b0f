//! Making a backup.

use std::{sync::Arc, time::Duration};

use super::{
    BackupError, BackupRow, BackupState, Cause, Inner, Make, Progress, clear,
    live::Doing,
    progress::size,
    prune, recover, restoration,
    row::Facts,
    source::Source,
    space,
    subject::Subject,
    write::{Writing, Written},
};
use crate::{
    backup::{
        BackupId, ByteCount, ObjectName, destination::Destination, layout::BackupFolder, seal::OneTimeKey,
    },
    release::{Failure, chain},
};

pub(super) async fn make(inner: &Inner, wanted: Make, progress: Progress) -> Result<BackupRow, BackupError> {
    let Make { app, service, cause, actor } = wanted;
    let subject = inner.subject(&app, service.as_ref()).await?;
    let now = inner.clock.now();
    let reserved = inner.live.reserve((&app, &subject.service), Doing::Backup, (&actor, now))?;
    recover::of_service(inner, &subject).await?;
    let source = admitted(inner, &subject, &progress).await?;
    second_of_its_own(inner, &subject).await?;
    let row = row_of(inner, &subject, (cause, actor));
    let key = OneTimeKey::generate();
    inner.store.begin(subject.folder.droplet(), &row, key.secret()).await?;
    let made = written(inner, (&subject, &source), (row.id, key), &progress).await;
    let row = ended(inner, &subject, (row, made)).await?;
    progress.say(format!(
        "backup {} is stored: {}, {} of data, {} stored at {}",
        row.id,
        row.held(),
        size(row.plain),
        size(row.stored),
        row.copies.join(", ")
    ));
    if cause == Cause::Schedule {
        pruned(inner, &subject, &progress).await;
        if let Err(error) = restoration::expire(inner, &subject).await {
            tracing::warn!(error = chain(&error), "what served before a restore could not be removed");
        }
    }
    drop(reserved);
    Ok(row)
}

/// Everything that can be known beforehand.
async fn admitted(inner: &Inner, subject: &Subject, progress: &Progress) -> Result<Source, BackupError> {
    let source = Source::find(inner, subject).await?;
    let rows = inner.store.rows(subject.folder.droplet(), &subject.app, Some(&subject.service)).await?;
    let needed = space::needed(&rows, source.size());
    if subject.to.is_empty() {
        return Err(BackupError::NoDestination(subject.closed.clone()));
    }
    for destination in &subject.to {
        space::check(destination.as_ref(), needed).await?;
    }
    progress.say(format!("backing up {}/{}: {}", subject.app, subject.service, source.told()));
    Ok(source)
}

/// Ids sort by their second: of two backups of a service the later one has to be the newer.
async fn second_of_its_own(inner: &Inner, subject: &Subject) -> Result<(), BackupError> {
    let rows = inner.store.rows(subject.folder.droplet(), &subject.app, Some(&subject.service)).await?;
    let second = inner.clock.now().as_second();
    if rows.first().is_some_and(|last| last.id.time().as_second() == second) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn row_of(inner: &Inner, subject: &Subject, (cause, actor): (Cause, String)) -> BackupRow {
    let now = inner.clock.now();
    BackupRow {
        id: BackupId::new(now, rand::random()),
        app: subject.app.clone(),
        service: subject.service.clone(),
        cause,
        actor,
        state: BackupState::Running,
        release: subject.backed.release,
        engine: subject.data.kind().name().to_owned(),
        server_version: None,
        started_at: now,
        finished_at: None,
        plain: ByteCount::default(),
        stored: ByteCount::default(),
        copies: Vec::new(),
        tables: 0,
        rows: 0,
        revision: None,
        verified_at: None,
        verify_took: None,
        verify_failure: None,
        failure: None,
    }
}

/// Parts and manifest; where it fails nothing is left, as far as the destinations let us.
async fn written(
    inner: &Inner,
    (subject, source): (&Subject, &Source),
    (id, key): (BackupId, OneTimeKey),
    progress: &Progress,
) -> Result<Written, BackupError> {
    let objects = objects(subject, source, id)?;
    let mut writing = Writing::new(inner, (subject, source), (id, key), progress);
    let after = subject.backed.backup.timeout;
    let parts = match tokio::time::timeout(after, writing.parts()).await {
        Ok(parts) => parts,
        Err(_) => Err(BackupError::Timeout { doing: Doing::Backup, after }),
    };
    let made = match parts {
        Ok(()) => writing.manifest().await,
        Err(error) => Err(error),
    };
    let has_it = |destination: &Arc<dyn Destination>| {
        made.as_ref().is_ok_and(|written| written.copies.iter().any(|at| at == destination.title()))
    };
    for destination in subject.to.iter().filter(|destination| !has_it(destination)) {
        clear::clear(destination.as_ref(), &objects, inner.settings.patience.clearing).await;
    }
    made
}

fn objects(subject: &Subject, source: &Source, id: BackupId) -> Result<Vec<ObjectName>, BackupError> {
    let folder = BackupFolder::new(subject.folder.clone(), id);
    clear::objects(&folder, &source.part_names()?)
}

/// Writes down how it ended.
async fn ended(
    inner: &Inner,
    subject: &Subject,
    (row, made): (BackupRow, Result<Written, BackupError>),
) -> Result<BackupRow, BackupError> {
    let (id, now) = (row.id, inner.clock.now());
    let error = match made {
        Ok(Written { manifest, copies, troubles }) => {
            let facts = Facts::of(&manifest, copies);
            let partly = partly(&troubles);
            // Where this fails the backup is there all the same: the next run of the service finds it and writes it down.
            inner.store.stored(id, &facts, (partly.as_ref(), now)).await?;
            let stored = inner.store.row(subject.folder.droplet(), &subject.app, id).await?;
            return stored.ok_or(BackupError::NoBackup { app: subject.app.clone(), id });
        }
        Err(error) => error,
    };
    if let Err(unwritten) = inner.store.failed(id, &error.failure(), now).await {
        tracing::error!(%id, error = chain(&unwritten), "that a backup failed could not be written down");
    }
    Err(error)
}

fn partly(troubles: &[String]) -> Option<Failure> {
    if troubles.is_empty() {
        return None;
    }
    let failure = Failure::new("the backup is not at all of its destinations", troubles.join("; "));
    Some(failure.hint("put the destination right; the next backup goes there again"))
}

/// The backup is stored whatever becomes of older ones.
async fn pruned(inner: &Inner, subject: &Subject, progress: &Progress) {
    match prune::of_service(inner, subject, super::PruneMode::Delete).await {
        Ok(pruned) => {
            for id in &pruned.deleted.backups {
                progress.say(format!("backup {id} is deleted: `keep` does not keep it"));
            }
            for failure in &pruned.deleted.failures {
                progress.say(format!("{}: {}", failure.what, failure.cause));
                tracing::warn!(what = failure.what, cause = failure.cause, "old backups are not all deleted");
            }
        }
        Err(error) => {
            progress.say(format!("older backups are not pruned: {}", chain(&error)));
            tracing::warn!(error = chain(&error), "older backups are not pruned");
        }
    }
}
