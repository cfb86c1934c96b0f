//! `RestoreBackup`, `RevertRestore`, `Restores` and `DropFormer`.
//!
//! Owns the conversion of what is asked, the audit entries, and the stream of a restore. Must not know how one is made. A
//! restore belongs to a task of its own: it goes on when its caller is gone.

use futures::{StreamExt, stream};
use secrecy::SecretString;
use tidegate_proto::v1::{
    self, DropFormerRequest, DropFormerResponse, RestoreBackupRequest, RestoreEvent, RestoresRequest,
    RestoresResponse, RevertRestoreRequest, restore_event::Event,
};
use tonic::Status;

use super::{
    Context,
    backups::{deed, id, keys, message, origin, whose},
    caller::Caller,
    convert, deed as deeds, errors,
    followed::{Told, follow},
    stream::Answers,
};
use crate::{
    backup_runs::{Replaces, Restore, RestorePlan, RestoreRow, RestoreSource, RestoreState, Revert},
    postgres::DatabaseName,
};

pub(super) async fn restore(
    context: &Context,
    caller: &Caller,
    request: RestoreBackupRequest,
) -> Result<Answers<RestoreEvent>, Status> {
    let (app, service) = whose(&request.app, &request.service)?;
    let backup = if request.id.is_empty() { None } else { Some(id(&request.id)?) };
    let name = |text: String| (!text.is_empty()).then_some(DatabaseName(text));
    let wanted = Restore {
        app: app.clone(),
        service: service.clone(),
        id: backup,
        database: name(request.database),
        into: name(request.into),
        keys: keys(request.keys)?,
        from: origin(request.from)?,
        scrub: (!request.scrub.is_empty()).then(|| SecretString::from(request.scrub)),
        actor: caller.actor(),
    };
    if request.dry_run {
        let planned = context.backups.plan_restore(&wanted).await;
        return Ok(only(plan(planned.map_err(|error| errors::backup(&error))?)));
    }
    let which = backup.map_or_else(|| "latest".to_owned(), |id| id.to_string());
    let from = wanted.from.as_ref().map(ToString::to_string).unwrap_or_default();
    let into = wanted.into.as_ref().map_or("", |into| into.0.as_str());
    let deed = deed(caller, "restore", (&app, service.as_ref())).with("backup", &which).with("into", &into);
    let deed = if from.is_empty() { deed } else { deed.with("from", &from) };
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let runs = context.backups.clone();
    Ok(follow(begun, telling(), |progress| async move { runs.restore(wanted, progress).await }))
}

pub(super) async fn revert(
    context: &Context,
    caller: &Caller,
    request: RevertRestoreRequest,
) -> Result<Answers<RestoreEvent>, Status> {
    let (app, _) = whose(&request.app, "")?;
    let wanted = Revert { app: app.clone(), id: id(&request.id)?, actor: caller.actor() };
    if request.dry_run {
        let planned = context.backups.plan_revert(&wanted).await;
        return Ok(only(plan(planned.map_err(|error| errors::backup(&error))?)));
    }
    let deed = deed(caller, "revert-restore", (&app, None)).with("restore", &wanted.id);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let runs = context.backups.clone();
    Ok(follow(begun, telling(), |progress| async move { runs.revert(wanted, progress).await }))
}

pub(super) async fn list(context: &Context, request: RestoresRequest) -> Result<RestoresResponse, Status> {
    let (app, _) = whose(&request.app, "")?;
    let rows = context.backups.restores(&app).await.map_err(|error| errors::backup(&error))?;
    Ok(RestoresResponse { restores: rows.into_iter().map(summary).collect() })
}

pub(super) async fn drop_former(
    context: &Context,
    caller: &Caller,
    request: DropFormerRequest,
) -> Result<DropFormerResponse, Status> {
    let (app, _) = whose(&request.app, "")?;
    let (restore, actor) = (id(&request.id)?, caller.actor());
    let deed = deed(caller, "drop-former", (&app, None)).with("restore", &restore);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let runs = context.backups.clone();
    let work = async move {
        let dropped = runs.drop_former(&app, (restore, &actor)).await;
        dropped.map_err(|error| errors::backup(&error))
    };
    let dropped = deeds::done(begun, work).await?;
    Ok(DropFormerResponse { dropped: dropped.into_iter().map(|name| name.0).collect() })
}

const fn telling() -> Told<RestoreRow, RestoreEvent> {
    Told { line: |line| event(Event::Progress(line)), end: |row| event(Event::Finished(summary(row))) }
}

fn only(plan: v1::RestorePlan) -> Answers<RestoreEvent> {
    stream::once(async move { Ok(event(Event::Planned(plan))) }).boxed()
}

fn event(event: Event) -> RestoreEvent {
    RestoreEvent { event: Some(event) }
}

fn plan(plan: RestorePlan) -> v1::RestorePlan {
    let backup = match plan.source {
        RestoreSource::Backup(id) => id.to_string(),
        RestoreSource::Former(_) => String::new(),
    };
    let stops = plan.writers().iter().map(|writer| writer.container.clone()).collect();
    let databases = plan.databases.into_iter().map(|planned| v1::RestoredDatabase {
        name: planned.name.0,
        former: planned.former.map(|former| former.0).unwrap_or_default(),
    });
    let kind = match plan.replaces {
        Replaces::Databases => v1::RestoredKind::Databases,
        Replaces::Files => v1::RestoredKind::Files,
    };
    v1::RestorePlan {
        kind: kind.into(),
        app: plan.app.to_string(),
        service: plan.service.to_string(),
        backup,
        taken_at: Some(convert::timestamp(plan.taken_at)),
        plain_bytes: plan.plain.get(),
        revision: plan.revision.unwrap_or_default(),
        databases: databases.collect(),
        stops,
        from: plan.made_on.map(message::origin),
    }
}

fn summary(row: RestoreRow) -> v1::RestoreSummary {
    v1::RestoreSummary {
        id: row.id.to_string(),
        actor: row.actor,
        plan: Some(plan(row.plan)),
        state: state(row.state).into(),
        started_at: Some(convert::timestamp(row.started_at)),
        finished_at: row.finished_at.map(convert::timestamp),
        stood_still: row.stood_still.map(convert::duration),
        kept: row.kept.into_iter().map(|name| name.0).collect(),
        kept_until: row.kept_until.map(convert::timestamp),
        failure: row.failure.map(convert::failure),
    }
}

fn state(state: RestoreState) -> v1::RestoreState {
    match state {
        RestoreState::Running => v1::RestoreState::Running,
        RestoreState::Restored => v1::RestoreState::Restored,
        RestoreState::Undone => v1::RestoreState::Undone,
        RestoreState::Stuck => v1::RestoreState::Stuck,
    }
}
