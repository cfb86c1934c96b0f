//! `Releases`, `WatchRelease` and `RemoveApp`; a release and its events as messages.
//!
//! Owns the conversion. Must not run releases.

use futures::{Stream, StreamExt};
use tidegate_proto::v1::{
    self, ReleasesRequest, ReleasesResponse, RemoveAppRequest, RemoveAppResponse, WatchReleaseRequest,
    release_event,
};
use tonic::Status;

use super::{Context, caller::Caller, convert, deed, errors, stream::Answers};
use crate::{
    apps::{AppName, ReleaseNumber},
    audit::Deed,
    release::{EngineError, EventKind, Interruption, ReleaseEvent, ReleaseImage, ReleaseRow, Volumes},
};

pub(super) async fn list(context: &Context, request: ReleasesRequest) -> Result<ReleasesResponse, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let rows = context.engine.releases(&app).await.map_err(|error| errors::engine(&error))?;
    if rows.is_empty() {
        return Err(errors::engine(&EngineError::NoApp(app)));
    }
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    Ok(ReleasesResponse { releases: rows.into_iter().take(limit).map(summary).collect() })
}

pub(super) fn summary(row: ReleaseRow) -> v1::ReleaseSummary {
    let image = |ReleaseImage { reference, id, digest }| v1::ReleaseImage {
        reference,
        id,
        digest: digest.unwrap_or_default(),
    };
    v1::ReleaseSummary {
        release: row.number.get(),
        source_digest: row.source_digest,
        started_at: Some(convert::timestamp(row.started_at)),
        finished_at: row.finished_at.map(convert::timestamp),
        actor: row.actor,
        state: convert::release_state(row.state).into(),
        git_revision: row.git.revision,
        git_branch: row.git.branch,
        git_subject: row.git.subject,
        returns_to: row.returns_to.map_or(0, ReleaseNumber::get),
        images: row.images.into_iter().map(image).collect(),
        migration: row.migration.unwrap_or_default(),
        interruptions: row.interruptions.iter().map(interruption).collect(),
        failure: row.failure.map(convert::failure),
    }
}

pub(super) async fn watch(
    context: &Context,
    request: WatchReleaseRequest,
) -> Result<Answers<v1::ReleaseEvent>, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let release = (request.release != 0).then(|| ReleaseNumber::new(request.release));
    follow(context, &app, release, request.after).await
}

pub(super) async fn follow(
    context: &Context,
    app: &AppName,
    release: Option<ReleaseNumber>,
    after: u64,
) -> Result<Answers<v1::ReleaseEvent>, Status> {
    let events = context.engine.watch(app, release, after).await.map_err(|error| errors::engine(&error))?;
    Ok(messages(events))
}

fn messages(
    events: impl Stream<Item = Result<ReleaseEvent, EngineError>> + Send + 'static,
) -> Answers<v1::ReleaseEvent> {
    events.map(|event| event.map(message).map_err(|error| errors::engine(&error))).boxed()
}

pub(super) async fn remove(
    context: &Context,
    caller: &Caller,
    request: RemoveAppRequest,
) -> Result<RemoveAppResponse, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let volumes = if request.volumes { Volumes::Remove } else { Volumes::Keep };
    let deed = Deed::new(caller.actor(), "remove-app", app.to_string())
        .with("volumes", if request.volumes { "removed" } else { "kept" });
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let engine = context.engine.clone();
    let actor = caller.actor();
    let work =
        async move { engine.remove(&app, volumes, &actor).await.map_err(|error| errors::engine(&error)) };
    let removed = deed::done(begun, work).await?;
    Ok(RemoveAppResponse { removed })
}

fn message(event: ReleaseEvent) -> v1::ReleaseEvent {
    v1::ReleaseEvent {
        number: event.number,
        at: Some(convert::timestamp(event.at)),
        event: Some(kind(event.kind)),
    }
}

fn kind(kind: EventKind) -> release_event::Event {
    use release_event::Event;

    match kind {
        EventKind::Started { release, steps } => {
            Event::Started(v1::ReleaseStarted { release: release.get(), steps })
        }
        EventKind::InDoubt { release, failure } => Event::InDoubt(v1::ReleaseInDoubt {
            release: release.get(),
            failure: Some(convert::failure(failure)),
        }),
        EventKind::StepStarted { step } => Event::StepStarted(v1::StepStarted { step }),
        EventKind::StepFinished { step, took, summary } => {
            Event::StepFinished(v1::StepFinished { step, took: Some(convert::duration(took)), summary })
        }
        EventKind::StepFailed { step, failure } => {
            Event::StepFailed(v1::StepFailed { step, failure: Some(convert::failure(failure)) })
        }
        EventKind::StepUndone { step, took } => {
            Event::StepUndone(v1::StepUndone { step, took: Some(convert::duration(took)) })
        }
        EventKind::Progress { step, text } => Event::Progress(v1::StepProgress { step, text }),
        EventKind::Output { step, line } => Event::Output(v1::StepOutput { step, line }),
        EventKind::Finished { release, state, took, interruptions, failure } => {
            Event::Finished(v1::ReleaseFinished {
                release: release.get(),
                state: convert::release_state(state).into(),
                took: Some(convert::duration(took)),
                interruptions: interruptions.iter().map(interruption).collect(),
                failure: failure.map(convert::failure),
            })
        }
    }
}

fn interruption(interruption: &Interruption) -> v1::Interruption {
    v1::Interruption {
        service: interruption.service.to_string(),
        interrupted: Some(convert::duration(interruption.interrupted)),
        closed_requests: interruption.closed_requests,
    }
}
