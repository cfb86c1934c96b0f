//! Carries a planned release out, from its beginning or from where a dead agent left it, and writes down how it ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tidegate_compose::Compatibility;
use tidegate_saga::{Ended, Journal as _, NodeName, Record, Retry, Runner, State, Value};

use super::{
    DeployInput, EventKind, Failure, Interruption, ReleasePlan, ReleaseState,
    ahead::Ahead,
    context::{Context, Pledge},
    engine::{Inner, Reservation},
    hooks,
    journal::{ReleaseId, ReleaseJournal, cut_off, failure_of},
    load::{self, LoadedProject},
    plan::{PlannedImage, Step},
    redact::Redactor,
    schedule,
    standstill::{self, Standstill},
    steps,
    store::{Ending, ReleaseImage},
    together::outcome,
};
use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    store::DatabaseError,
};

/// What the saga's parameters are: no secrets.
#[derive(Serialize, Deserialize)]
struct Params {
    plan: ReleasePlan,
}

/// A release whose row and input are stored.
pub(super) struct Begun {
    pub(super) id: ReleaseId,
    pub(super) input: DeployInput,
    pub(super) loaded: LoadedProject,
    pub(super) plan: ReleasePlan,
}

enum How {
    Start(Value),
    Resume,
}

/// Carries a new release out.
pub(super) async fn start(reservation: Reservation, begun: Begun) {
    let id = begun.id.clone();
    let stopped = begin(&reservation, begun).await;
    standstill::go_on_from(&id, stopped, || go_on(&reservation, &id)).await;
}

async fn begin(reservation: &Reservation, begun: Begun) -> Result<(), Standstill> {
    // A release on many droplets is agreed on also where it changes nothing.
    let is_alone = begun.input.together.is_none();
    if is_alone && begun.plan.is_idle() && is_laid(&reservation.inner, &begun).await {
        finish_idle(&reservation.inner, &begun).await?;
        reservation.live.changed.send_modify(|count| *count = count.wrapping_add(1));
        return Ok(());
    }
    let params = serde_json::to_value(Params { plan: begun.plan.clone() }).unwrap_or_default();
    carry_out(reservation, begun, How::Start(params)).await
}

/// Whether the release that serves has the same files and variables: nothing is to be written then.
async fn is_laid(inner: &Inner, begun: &Begun) -> bool {
    let rows = inner.store.releases(Some(&begun.id.app)).await.unwrap_or_default();
    let serving = rows.iter().find(|row| row.state == ReleaseState::Released);
    let folder = inner.paths.project(&begun.id.app);
    serving.is_some_and(|row| row.source_digest == begun.input.source_digest())
        && steps::files::is_laid(&folder, &begun.input)
}

/// Ends a release that has nothing to do. Without steps there is nothing to take back, so it needs no saga; cut off in
/// between it was never begun.
async fn finish_idle(inner: &Inner, begun: &Begun) -> Result<(), DatabaseError> {
    // All of them are here: there is nothing to pull.
    let image = |planned: &PlannedImage| {
        let (reference, digest) = (planned.reference.clone(), planned.digest.clone());
        planned.id.clone().map(|id| ReleaseImage { reference, id, digest })
    };
    let images = begun.plan.images.iter().filter_map(image).collect();
    inner.store.finish_idle(&begun.id.app, begun.id.release, (images, inner.clock.now())).await
}

/// Ends a release that a dead agent left behind.
pub(super) async fn resume(reservation: Reservation, id: ReleaseId) {
    let stopped = go_on(&reservation, &id).await;
    standstill::go_on_from(&id, stopped, || go_on(&reservation, &id)).await;
}

/// Goes on from what is written down.
async fn go_on(reservation: &Reservation, id: &ReleaseId) -> Result<(), Standstill> {
    let inner = &reservation.inner;
    match recover(inner, id).await? {
        Recovered::Begun(begun) => carry_out(reservation, *begun, How::Resume).await,
        Recovered::NeverBegun => Ok(finish_unbegun(inner, id, cut_off()).await?),
        Recovered::Lost(failure) => {
            tracing::error!(release = %id.label(), cause = failure.cause, "the release cannot be resumed");
            Ok(finish(inner, id, Ending::without_work(ReleaseState::Stuck, failure)).await?)
        }
    }
}

enum Recovered {
    Begun(Box<Begun>),
    NeverBegun,
    /// What it was given is not there any more, or makes no sense.
    Lost(Failure),
}

async fn recover(inner: &Inner, id: &ReleaseId) -> Result<Recovered, DatabaseError> {
    let records = inner.store.records(&id.label()).await?;
    let Some(Record::SagaStarted { params, .. }) = records.first() else {
        return Ok(Recovered::NeverBegun);
    };
    let begun = begun(inner, id, params.clone());
    Ok(begun.map_or_else(Recovered::Lost, |begun| Recovered::Begun(Box::new(begun))))
}

fn begun(inner: &Inner, id: &ReleaseId, params: Value) -> Result<Begun, Failure> {
    let what = || format!("release {} cannot be resumed", id.release);
    let Params { plan } =
        serde_json::from_value(params).map_err(|error| Failure::caused_by(what(), &error))?;
    let folder = inner.paths.release(&id.app, id.release);
    let input = DeployInput::read(&folder).map_err(|error| Failure::caused_by(what(), &error))?;
    let compatibility = Compatibility::of_version(&plan.compose).unwrap_or_default();
    let loaded = load::project(&input, &inner.paths.project(&id.app), compatibility).map_err(|failures| {
        let cause = failures.into_iter().map(|failure| failure.what).collect::<Vec<_>>().join("; ");
        Failure::new(what(), cause)
    })?;
    Ok(Begun { id: id.clone(), input, loaded, plan })
}

async fn carry_out(reservation: &Reservation, begun: Begun, how: How) -> Result<(), Standstill> {
    let inner = &reservation.inner;
    let id = begun.id.clone();
    let saga = match steps::saga(&begun.plan) {
        Ok(saga) => saga,
        Err(error) => {
            let failure = Failure::caused_by("the plan makes no saga", &error);
            return Ok(finish(inner, &id, Ending::without_work(ReleaseState::Stuck, failure)).await?);
        }
    };
    let pledge = pledge(inner, &id).await?;
    let context = context(reservation, begun, pledge).await;
    let changed = reservation.live.changed.clone();
    let journal = ReleaseJournal::new(inner.store.clone(), Arc::clone(&inner.clock), id.clone(), changed);
    let retry = Retry::new(5, Duration::from_secs(1), Duration::from_secs(15), rand::random::<f64>);
    let runner = Runner::new(&saga, &context, &journal).retry(retry).cancel(reservation.live.cancel.clone());
    // Where the journal fails nothing may be done that is not written down.
    let ended = match how {
        How::Start(params) => runner.start(params).await,
        How::Resume => runner.resume().await,
    };
    // Where it stands still it goes on with another context, which does not know what this one has begun.
    if ended.is_err()
        && let Err(failure) = context.ahead.settle().await
    {
        tracing::error!(release = %id.label(), cause = failure.cause, "what was being started ended by itself");
    }
    let ending = ending(ended?, &journal).await;
    log(&id, &ending);
    Ok(finish(inner, &id, ending).await?)
}

/// What the release has promised the other droplets, in an earlier run.
async fn pledge(inner: &Inner, id: &ReleaseId) -> Result<Pledge, DatabaseError> {
    let records = inner.store.records(&id.label()).await?;
    // Records that make no sense are refused by the runner.
    let serves = State::replay(&records).is_ok_and(|state| outcome::is_pledged(&state));
    Ok(if serves { Pledge::Serving } else { Pledge::None })
}

pub(super) async fn context(reservation: &Reservation, begun: Begun, pledge: Pledge) -> Context {
    let inner = &reservation.inner;
    let Begun { id, input, loaded, plan } = begun;
    let former = former(inner, &id).await;
    let folder = inner.paths.project(&id.app);
    // Containers that docker compose made are taken to be those of the file as it is now.
    let before =
        former.as_ref().and_then(|input| load::project(input, &folder, Compatibility::default()).ok());
    let former_hooks = hooks::of(before.as_ref().map_or(&loaded.project, |loaded| &loaded.project));
    Context {
        docker: inner.docker.clone(),
        ingress: inner.ingress.clone(),
        store: inner.store.clone(),
        paths: inner.paths.clone(),
        dial: Arc::clone(&inner.dial),
        clock: Arc::clone(&inner.clock),
        former,
        former_hooks,
        redactor: Redactor::new(&loaded.project, &input.variables),
        ahead: Ahead::default(),
        changed: reservation.live.changed.clone(),
        timers: inner.timers.clone(),
        data: inner.data.get().cloned(),
        former_timers: schedule::wanted_of(&id.app, before.as_ref().map(|loaded| &loaded.extension)),
        project: loaded.project,
        extension: loaded.extension,
        profiles: loaded.profiles,
        peers: Arc::clone(&inner.peers),
        standing: reservation.live.standing.clone(),
        cancel: reservation.live.cancel.clone(),
        pledge,
        id,
        input,
        plan,
    }
}

/// The input of the release that served before this one, if it is still kept.
async fn former(inner: &Inner, id: &ReleaseId) -> Option<DeployInput> {
    let rows = inner.store.releases(Some(&id.app)).await.ok()?;
    let served = |state| matches!(state, ReleaseState::Released | ReleaseState::Superseded);
    let row = rows.into_iter().find(|row| row.number < id.release && served(row.state))?;
    DeployInput::read(&inner.paths.release(&id.app, row.number)).ok()
}

/// A release as it was given, if that is still kept and makes sense.
pub(super) fn loaded(inner: &Inner, app: &AppName, release: ReleaseNumber) -> Option<LoadedProject> {
    let input = DeployInput::read(&inner.paths.release(app, release)).ok()?;
    load::project(&input, &inner.paths.project(app), Compatibility::default()).ok()
}

/// The input of the latest release that served, if it is still kept.
pub(super) async fn served(inner: &Inner, app: &AppName) -> Option<DeployInput> {
    former(inner, &ReleaseId { app: app.clone(), release: ReleaseNumber::new(u64::MAX) }).await
}

async fn ending(ended: Ended, journal: &ReleaseJournal) -> Ending {
    let (state, failure, outputs) = match ended {
        Ended::Done { outputs } => (ReleaseState::Released, None, outputs.into_iter().collect()),
        Ended::Undone { failure } => {
            (ReleaseState::Undone, Some(failure_of(&failure)), recorded(journal).await)
        }
        Ended::Stuck { node, failure, .. } => {
            let inner = failure_of(&failure);
            let failure = Failure::new(
                format!("the release is stuck at `{node}`"),
                format!("{}: {}", inner.what, inner.cause),
            )
            .at(inner.place)
            .hint("mend it, then `tidegate exec --host -- systemctl restart tidegate-agent` tries again")
            .details(inner.details);
            (ReleaseState::Stuck, Some(failure), recorded(journal).await)
        }
    };
    let migrated = outputs.iter().find(|(node, _)| node.as_str() == Step::Migrate.to_string());
    Ending {
        state,
        failure,
        interruptions: outputs.iter().flat_map(|(node, output)| interruptions(node, output)).collect(),
        migration: migrated.map(|(_, output)| steps::summary_of(output).to_owned()),
    }
}

/// What the steps told that succeeded: what was replaced and taken back was interrupted too, and a migration stays.
async fn recorded(journal: &ReleaseJournal) -> BTreeMap<NodeName, Value> {
    let records = journal.load().await.unwrap_or_default();
    let output = |record| match record {
        Record::NodeSucceeded { node, output } => Some((node, output)),
        _ => None,
    };
    records.into_iter().filter_map(output).collect()
}

/// What a step's output tells of interruptions.
fn interruptions(node: &NodeName, output: &Value) -> Vec<Interruption> {
    if let Some(service) = node.as_str().strip_prefix("replace ") {
        let millis = output.get(steps::INTERRUPTED_MS).and_then(Value::as_u64).unwrap_or(0);
        let interrupted = Duration::from_millis(millis);
        return vec![Interruption { service: ServiceName::new(service), interrupted, closed_requests: 0 }];
    }
    let closed = output.get(steps::CLOSED).and_then(Value::as_object);
    let of = |(service, count): (&String, &Value)| Interruption {
        service: ServiceName::new(service),
        interrupted: Duration::ZERO,
        closed_requests: count.as_u64().unwrap_or(0),
    };
    closed.into_iter().flatten().map(of).collect()
}

/// Ends a release of which no step was begun.
pub(super) async fn finish_unbegun(
    inner: &Inner,
    id: &ReleaseId,
    failure: Failure,
) -> Result<(), DatabaseError> {
    let started = EventKind::Started { release: id.release, steps: Vec::new() };
    inner.store.event(&id.app, id.release, (started, inner.clock.now())).await?;
    let ending = Ending::without_work(ReleaseState::Undone, failure);
    finish(inner, id, ending).await
}

async fn finish(inner: &Inner, id: &ReleaseId, ending: Ending) -> Result<(), DatabaseError> {
    inner.store.finish(&id.app, id.release, (ending, inner.clock.now())).await
}

fn log(id: &ReleaseId, ending: &Ending) {
    let release = id.label();
    match &ending.failure {
        None => tracing::info!(release, "the release serves"),
        Some(failure) if ending.state == ReleaseState::Undone => {
            tracing::warn!(release, what = failure.what, "the release was undone; the one before serves");
        }
        Some(failure) => {
            tracing::error!(release, what = failure.what, cause = failure.cause, "the release is stuck");
        }
    }
}
