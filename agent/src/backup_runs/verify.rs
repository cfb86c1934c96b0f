//! Verifying a backup: which one, and what is written down of it. The trial itself is in `trial`.

use super::{
    BackupError, BackupRow, BackupState, Inner, Origin, Progress, Verify,
    keys::Keys,
    list,
    live::Doing,
    opened,
    origin::{self, Chosen},
    places::Places,
    recover,
    subject::Subject,
    trial::{self, Trial},
};
use crate::{
    apps::{AppName, ServiceName},
    backup::{BackupId, PartName},
    release::chain,
};

pub(super) async fn verify(
    inner: &Inner,
    wanted: Verify,
    progress: Progress,
) -> Result<BackupRow, BackupError> {
    let Verify { app, service, id, keys, actor } = wanted;
    let service = match id {
        Some(id) => Some(service_of(inner, &app, (service, id)).await?),
        None => service,
    };
    let subject = inner.subject(&app, service.as_ref()).await?;
    let now = inner.clock.now();
    let reserved = inner.live.reserve((&app, &subject.service), Doing::Verification, (&actor, now))?;
    recover::of_service(inner, &subject).await?;
    let row = chosen(inner, &subject, id).await?;
    let keys = Keys::of(inner, &row, keys).await?;
    let after = inner.settings.patience.verification;
    let trial = trial::trial(inner, Trial { subject: &subject, row: &row, keys, progress: &progress });
    let outcome = match tokio::time::timeout(after, Box::pin(trial)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(BackupError::Timeout { doing: Doing::Verification, after }),
    };
    match outcome {
        Ok(took) => inner.store.verified(row.id, (inner.clock.now(), took)).await?,
        Err(error) => {
            if let Err(unwritten) = inner.store.verify_failed(row.id, &error.failure()).await {
                let (id, error) = (row.id, chain(&unwritten));
                tracing::error!(%id, error, "that a verification failed could not be written down");
            }
            return Err(error);
        }
    }
    let verified = inner.store.row(subject.folder.droplet(), &app, row.id).await?;
    let verified = verified.ok_or(BackupError::NoBackup { app, id: row.id })?;
    progress.say(format!("backup {} is verified: all of it is there, {}", verified.id, verified.held()));
    drop(reserved);
    Ok(verified)
}

/// The beginnings of a backup's parts.
pub(super) async fn headers(
    inner: &Inner,
    app: &AppName,
    (id, from): (BackupId, Option<&Origin>),
) -> Result<Vec<(PartName, Vec<u8>)>, BackupError> {
    if let Some(origin) = from {
        let chosen = origin::chosen(inner, app, (origin, Some(id))).await?;
        let (destinations, _) = Places::open(inner, app).await?.all();
        return opened::headers(inner, &destinations, &chosen).await;
    }
    let service = service_of(inner, app, (None, id)).await?;
    let subject = inner.subject(app, Some(&service)).await?;
    let row = chosen(inner, &subject, Some(id)).await?;
    opened::headers(inner, &subject.destinations, &Chosen::own(&subject, row)).await
}

/// The service of a backup.
pub(super) async fn service_of(
    inner: &Inner,
    app: &AppName,
    (service, id): (Option<ServiceName>, BackupId),
) -> Result<ServiceName, BackupError> {
    let no_backup = || BackupError::NoBackup { app: app.clone(), id };
    match inner.store.row(&inner.droplet()?, app, id).await? {
        Some(row) if service.as_ref().is_none_or(|service| *service == row.service) => Ok(row.service),
        Some(_) => Err(no_backup()),
        // One that only its copies tell of.
        None => {
            let shown = list::show(inner, app, id).await?;
            Ok(shown.row.service)
        }
    }
}

/// The backup that is meant. One of which the agent remembers nothing is known by its copies.
pub(super) async fn chosen(
    inner: &Inner,
    subject: &Subject,
    id: Option<BackupId>,
) -> Result<BackupRow, BackupError> {
    let (app, service) = (subject.app.clone(), subject.service.clone());
    let rows = inner.store.rows(subject.folder.droplet(), &app, Some(&service)).await?;
    let is_stored = |row: &BackupRow| matches!(row.state, BackupState::Stored | BackupState::Verified);
    let row = match id {
        Some(id) => match rows.into_iter().find(|row| row.id == id) {
            Some(row) => row,
            None => list::show(inner, &app, id).await?.row,
        },
        None => rows.into_iter().find(is_stored).ok_or(BackupError::NothingToVerify { app, service })?,
    };
    if !is_stored(&row) {
        return Err(BackupError::NotStored { id: row.id, state: row.state });
    }
    Ok(row)
}
