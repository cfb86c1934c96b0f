//! `MakeBackup`, `VerifyBackup`, `Backups`, `ShowBackup` and `PruneBackups`.
//!
//! Owns the conversion of what is asked, the audit entries, and the stream of a run. Must not know how a backup is made. A
//! run belongs to a task of its own: it goes on when its caller is gone.

pub(super) mod message;
mod row;

use tidegate_proto::v1::{
    self, BackupEvent, BackupHeadersRequest, BackupHeadersResponse, BackupsRequest, BackupsResponse,
    MakeBackupRequest, PartHeader, PruneBackupsRequest, PruneBackupsResponse, ShowBackupRequest,
    ShowBackupResponse, VerifyBackupRequest, backup_event::Event,
};
use tonic::Status;
use zeroize::Zeroizing;

use super::{
    Context,
    caller::Caller,
    deed, errors,
    followed::{Told, follow},
    stream::Answers,
};
use crate::{
    apps::{AppName, ServiceName},
    audit::Deed,
    backup::{BackupId, PartName, seal::FileKey},
    backup_runs::{BackupRow, Cause, FileKeys, Make, Origin, Prune, PruneMode, Verify},
};

pub(super) async fn make(
    context: &Context,
    caller: &Caller,
    request: MakeBackupRequest,
) -> Result<Answers<BackupEvent>, Status> {
    let (app, service) = whose(&request.app, &request.service)?;
    let cause = cause(caller, request.cause());
    let deed = deed(caller, "make-backup", (&app, service.as_ref())).with("cause", cause.word());
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let wanted = Make { app, service, cause, actor: caller.actor() };
    let runs = context.backups.clone();
    Ok(follow(begun, telling(), |progress| async move { runs.make(wanted, progress).await }))
}

pub(super) async fn verify(
    context: &Context,
    caller: &Caller,
    request: VerifyBackupRequest,
) -> Result<Answers<BackupEvent>, Status> {
    let (app, service) = whose(&request.app, &request.service)?;
    let id = if request.id.is_empty() { None } else { Some(id(&request.id)?) };
    let which = id.map_or_else(|| "latest".to_owned(), |id| id.to_string());
    let deed = deed(caller, "verify-backup", (&app, service.as_ref())).with("backup", &which);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let keys = keys(request.keys)?;
    let wanted = Verify { app, service, id, keys, actor: caller.actor() };
    let runs = context.backups.clone();
    Ok(follow(begun, telling(), |progress| async move { runs.verify(wanted, progress).await }))
}

pub(super) async fn list(context: &Context, request: BackupsRequest) -> Result<BackupsResponse, Status> {
    let (app, service) = whose(&request.app, &request.service)?;
    let listing = match origin(request.from)? {
        Some(from) => {
            let from = Origin { service: from.service.or(service), ..from };
            context.backups.list_elsewhere(&app, &from).await
        }
        None => context.backups.list(&app, service.as_ref()).await,
    };
    Ok(message::listing(listing.map_err(|error| errors::backup(&error))?))
}

pub(super) async fn show(
    context: &Context,
    request: ShowBackupRequest,
) -> Result<ShowBackupResponse, Status> {
    let (app, _) = whose(&request.app, "")?;
    let shown = context.backups.show(&app, id(&request.id)?).await;
    Ok(message::shown(shown.map_err(|error| errors::backup(&error))?))
}

pub(super) async fn prune(
    context: &Context,
    caller: &Caller,
    request: PruneBackupsRequest,
) -> Result<PruneBackupsResponse, Status> {
    let (app, service) = whose(&request.app, &request.service)?;
    let mode = if request.dry_run { PruneMode::Show } else { PruneMode::Delete };
    let deed = deed(caller, "prune-backups", (&app, service.as_ref()));
    let runs = context.backups.clone();
    let work = async move {
        let pruned = runs.prune(Prune { app, service, mode }).await;
        pruned.map_err(|error| errors::backup(&error))
    };
    let pruned = match mode {
        PruneMode::Show => work.await?,
        PruneMode::Delete => {
            let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
            deed::done(begun, work).await?
        }
    };
    Ok(PruneBackupsResponse { services: pruned.into_iter().map(message::pruned).collect() })
}

const fn telling() -> Told<BackupRow, BackupEvent> {
    Told { line: |line| event(Event::Progress(line)), end: |row| event(Event::Finished(row::summary(row))) }
}

fn event(event: Event) -> BackupEvent {
    BackupEvent { event: Some(event) }
}

pub(super) fn whose(app: &str, service: &str) -> Result<(AppName, Option<ServiceName>), Status> {
    let app = AppName::new(app).map_err(|error| errors::bad_field("app", &error))?;
    Ok((app, (!service.is_empty()).then(|| ServiceName::new(service))))
}

/// Opens what somebody else could unwrap.
pub(super) fn keys(told: Vec<v1::PartKey>) -> Result<FileKeys, Status> {
    told.into_iter().try_fold(FileKeys::default(), |keys, told| {
        let bytes = Zeroizing::new(told.file_key);
        let part = PartName::new(told.part).map_err(|error| errors::bad_field("keys.part", &error))?;
        let key = FileKey::new(&bytes).map_err(|error| errors::bad_field("keys.file_key", &error))?;
        Ok(keys.with(part, key))
    })
}

pub(super) async fn headers(
    context: &Context,
    request: BackupHeadersRequest,
) -> Result<BackupHeadersResponse, Status> {
    let (app, _) = whose(&request.app, "")?;
    let from = origin(request.from)?;
    let found = context.backups.headers(&app, (id(&request.id)?, from.as_ref())).await;
    let found = found.map_err(|error| errors::backup(&error))?.into_iter();
    let headers = found.map(|(part, header)| PartHeader { part: part.to_string(), header }).collect();
    Ok(BackupHeadersResponse { headers })
}

/// Where backups were made that are not this droplet's.
pub(super) fn origin(told: Option<v1::BackupOrigin>) -> Result<Option<Origin>, Status> {
    let Some(v1::BackupOrigin { environment, app, service, droplet: _ }) = told else { return Ok(None) };
    let environment = environment.parse().map_err(|error| errors::bad_field("from.environment", &error))?;
    let app = AppName::new(app).map_err(|error| errors::bad_field("from.app", &error))?;
    let service = (!service.is_empty()).then(|| ServiceName::new(&service));
    Ok(Some(Origin { environment, app, service }))
}

pub(super) fn id(text: &str) -> Result<BackupId, Status> {
    text.parse().map_err(|error: crate::backup::BackupIdError| errors::bad_field("id", &error))
}

pub(super) fn deed(
    caller: &Caller,
    action: &'static str,
    (app, service): (&AppName, Option<&ServiceName>),
) -> Deed {
    let subject = service.map_or_else(|| app.to_string(), |service| format!("{app}/{service}"));
    Deed::new(caller.actor(), action, subject)
}

/// Why a backup is made. Only the droplet's own timers, which come over the unix socket, make one because its time has come.
fn cause(caller: &Caller, told: v1::BackupCause) -> Cause {
    match (caller, told) {
        (Caller::LocalRoot, v1::BackupCause::Schedule) => Cause::Schedule,
        (
            Caller::LocalRoot | Caller::Certified(_),
            v1::BackupCause::Unspecified
            | v1::BackupCause::Manual
            | v1::BackupCause::Schedule
            | v1::BackupCause::Release,
        ) => Cause::Manual,
    }
}

#[cfg(test)]
mod tests;
