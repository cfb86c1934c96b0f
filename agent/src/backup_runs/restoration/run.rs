//! Carries a restore out, from its beginning or from where a dead agent left it, and writes down how it ended.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tidegate_saga::{Ended, Retry, RunError, Runner};

use super::{
    super::{BackupError, BackupId, Inner, Progress, live::Doing, subject::Subject},
    Restore, RestorePlan, RestoreRow, RestoreState, Revert, admit,
    course::{Course, Source},
    engines,
    plan::{self, Place, RestoreSource},
    steps,
    store::Ending,
};
use crate::{
    apps::AppName,
    postgres::DatabaseName,
    release::{Failure, Hold, chain, failure_of},
};

/// What others are told.
const WHAT: &str = "a restore";
/// Who resumes.
const AGENT: &str = "agent";
/// Between tries of a restore whose journal cannot be written, and how many there are.
const STANDSTILL: (Duration, u32) = (Duration::from_secs(15), 40);

enum How {
    Start,
    Resume,
}

pub(super) async fn restore(
    inner: &Inner,
    wanted: Restore,
    progress: Progress,
) -> Result<RestoreRow, BackupError> {
    let subject = admit::subject(inner, &wanted).await?;
    let (now, id) = (inner.clock.now(), BackupId::new(inner.clock.now(), rand::random()));
    let app = (&subject.app, &subject.service);
    let _reserved = inner.live.reserve(app, Doing::Restore, (&wanted.actor, now))?;
    let _hold = match wanted.into {
        Some(_) => None,
        None => Some(hold(inner, &subject.app, &wanted.actor).await?),
    };
    let (plan, backup) = admit::restore(inner, (&subject, &wanted), id).await?;
    let opened = admit::open(inner, (&subject, &backup), wanted.keys, &progress).await?;
    progress.say(format!("restoring backup {} from {}", backup.row.id, opened.destination.title()));
    let row = begin(inner, &subject, (id, wanted.actor), plan).await?;
    let backup = Some(Source { opened, scrub: wanted.scrub });
    let course = Course { inner, subject: &subject, id, plan: &row.plan, backup, progress: &progress };
    finish(inner, &row, carried(&course, How::Start).await).await
}

pub(super) async fn revert(
    inner: &Inner,
    wanted: Revert,
    progress: Progress,
) -> Result<RestoreRow, BackupError> {
    let (now, id) = (inner.clock.now(), BackupId::new(inner.clock.now(), rand::random()));
    let service = admit::kept(inner, &wanted.app, wanted.id).await?.plan.service;
    let app = (&wanted.app, &service);
    let _reserved = inner.live.reserve(app, Doing::Restore, (&wanted.actor, now))?;
    let _hold = hold(inner, &wanted.app, &wanted.actor).await?;
    let (subject, plan) = admit::revert(inner, &wanted, id).await?;
    let row = begin(inner, &subject, (id, wanted.actor), plan).await?;
    let course = Course { inner, subject: &subject, id, plan: &row.plan, backup: None, progress: &progress };
    finish(inner, &row, carried(&course, How::Start).await).await
}

async fn hold(inner: &Inner, app: &AppName, actor: &str) -> Result<Hold, BackupError> {
    let held = inner.engine.hold(app, (WHAT, actor)).await;
    held.map_err(|source| BackupError::Release { app: app.clone(), source: Box::new(source) })
}

async fn begin(
    inner: &Inner,
    subject: &Subject,
    (id, actor): (BackupId, String),
    plan: RestorePlan,
) -> Result<RestoreRow, BackupError> {
    let row = RestoreRow {
        id,
        actor,
        plan,
        state: RestoreState::Running,
        started_at: inner.clock.now(),
        finished_at: None,
        stood_still: None,
        kept: Vec::new(),
        kept_until: None,
        failure: None,
    };
    inner.restores.begin(subject.folder.droplet(), &row).await?;
    Ok(row)
}

/// Through the saga, to its end. Where the journal cannot be written it stands still, and goes on when that has changed.
async fn carried(course: &Course<'_>, how: How) -> Result<Ended, RunError> {
    let Ok(saga) = steps::saga(course.plan) else { return Err(RunError::OtherShape) };
    let journal = course.inner.restores.journal(course.id);
    let retry = Retry::new(5, Duration::from_secs(1), Duration::from_secs(15), rand::random::<f64>);
    let runner = Runner::new(&saga, course, &journal).retry(retry);
    let mut ended = match how {
        How::Start => runner.start(serde_json::Value::Null).await,
        How::Resume => runner.resume().await,
    };
    let (wait, tries) = STANDSTILL;
    for _ in 0..tries {
        let Err(RunError::Journal(error)) = &ended else { break };
        tracing::error!(id = %course.id, error = chain(error), "a restore stands still");
        course.progress.say("the agent cannot write down what it does: it waits");
        tokio::time::sleep(wait.mul_f64(0.5 + rand::random::<f64>())).await;
        ended = match runner.resume().await {
            Err(RunError::NothingToResume) => runner.start(serde_json::Value::Null).await,
            resumed => resumed,
        };
    }
    ended
}

async fn finish(
    inner: &Inner,
    row: &RestoreRow,
    ended: Result<Ended, RunError>,
) -> Result<RestoreRow, BackupError> {
    let id = row.id;
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let failure = Failure::caused_by(format!("the restore {id} stands still"), &error).hint(
                "see that the droplet has space; `systemctl restart tidegate-agent` on the droplet goes on",
            );
            return Err(BackupError::RestoreStuck(failure));
        }
    };
    let now = inner.clock.now();
    let ending = ending(row, ended, now);
    inner.restores.finish(id, &ending, now).await?;
    if ending.state == RestoreState::Restored
        && let RestoreSource::Former(former) = row.plan.source
    {
        inner.restores.keep(former, &[]).await?;
    }
    match (ending.state, ending.failure) {
        (RestoreState::Stuck, Some(failure)) => Err(BackupError::RestoreStuck(failure)),
        (_, Some(failure)) => Err(BackupError::Undone(failure)),
        (_, None) => {
            let done = inner.restores.row(&inner.droplet()?, id).await?;
            done.ok_or_else(|| BackupError::NoRestore { app: row.plan.app.clone(), id })
        }
    }
}

fn ending(row: &RestoreRow, ended: Ended, now: Timestamp) -> Ending {
    let nothing = (Vec::new(), None);
    match ended {
        Ended::Done { outputs } => {
            let millis = outputs.values().find_map(|output| output.get(steps::STOOD_STILL)?.as_u64());
            let kept: Vec<DatabaseName> = row.plan.formers().cloned().collect();
            let until = now.checked_add(plan::KEPT_FOR).ok().filter(|_| !kept.is_empty());
            let stood_still = millis.map(Duration::from_millis);
            Ending { state: RestoreState::Restored, failure: None, stood_still, kept: (kept, until) }
        }
        Ended::Undone { failure } => Ending {
            state: RestoreState::Undone,
            failure: Some(failure_of(&failure)),
            stood_still: None,
            kept: nothing,
        },
        Ended::Stuck { node, failure, .. } => {
            let inner = failure_of(&failure);
            let what = format!("the restore {} is stuck at `{node}`", row.id);
            let failure = Failure::new(what, format!("{}: {}", inner.what, inner.cause))
                .hint("mend it, then `tidegate exec --host -- systemctl restart tidegate-agent` tries again")
                .details(inner.details);
            let (state, failure) = (RestoreState::Stuck, Some(failure));
            Ending { state, failure, stood_still: None, kept: nothing }
        }
    }
}

/// Takes up what a dead agent left.
pub(super) async fn resume_all(inner: &Arc<Inner>) -> Result<usize, BackupError> {
    let rows = inner.restores.rows(&inner.droplet()?, None).await?;
    let is_open = |row: &RestoreRow| matches!(row.state, RestoreState::Running | RestoreState::Stuck);
    let mut resumed = 0_usize;
    for row in rows.into_iter().filter(is_open) {
        let now = inner.clock.now();
        let key = (&row.plan.app, &row.plan.service);
        // Somebody carries it out.
        let Ok(reserved) = inner.live.reserve(key, Doing::Restore, (AGENT, now)) else { continue };
        let held = match row.plan.place {
            Place::Beside => None,
            Place::Serving { .. } => Some(hold(inner, &row.plan.app, AGENT).await?),
        };
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            let (id, guards) = (row.id, (reserved, held));
            tracing::info!(%id, "the restore was cut off; it is finished or undone now");
            match resume(&inner, &row).await {
                Ok(row) => tracing::info!(%id, state = row.state.word(), "the restore came to its end"),
                Err(error) => tracing::warn!(%id, error = chain(&error), "the restore came to its end"),
            }
            drop(guards);
        });
        resumed = resumed.saturating_add(1);
    }
    Ok(resumed)
}

async fn resume(inner: &Inner, row: &RestoreRow) -> Result<RestoreRow, BackupError> {
    let subject = inner.subject(&row.plan.app, Some(&row.plan.service)).await?;
    let progress = Progress::none();
    let course =
        Course { inner, subject: &subject, id: row.id, plan: &row.plan, backup: None, progress: &progress };
    let ended = match carried(&course, How::Resume).await {
        // Of its row, but no step.
        Err(RunError::NothingToResume) => {
            Ok(Ended::Undone { failure: crate::release::to_node_failure(&BackupError::CutOff.failure()) })
        }
        ended => ended,
    };
    finish(inner, row, ended).await
}

pub(super) async fn drop_former(
    inner: &Inner,
    app: &AppName,
    (id, actor): (BackupId, &str),
) -> Result<Vec<DatabaseName>, BackupError> {
    let row = admit::kept(inner, app, id).await?;
    let key = (app, &row.plan.service);
    let _reserved = inner.live.reserve(key, Doing::Restore, (actor, inner.clock.now()))?;
    let subject = inner.subject(app, Some(&row.plan.service)).await?;
    dropped(inner, &subject, &row).await
}

/// Removes what restores of a service kept until now. What cannot be removed is logged, and tried again the next time.
pub(in crate::backup_runs) async fn expire(inner: &Inner, subject: &Subject) -> Result<(), BackupError> {
    let rows = inner.restores.rows(subject.folder.droplet(), Some(&subject.app)).await?;
    let now = inner.clock.now();
    let is_over = |row: &&RestoreRow| {
        row.plan.service == subject.service && row.kept_until.is_some_and(|until| until <= now)
    };
    for row in rows.iter().filter(is_over) {
        let gone = dropped(inner, subject, row).await?;
        let names: Vec<&str> = gone.iter().map(|name| name.0.as_str()).collect();
        tracing::info!(restore = %row.id, databases = names.join(", "), "what served before a restore is removed");
    }
    Ok(())
}

async fn dropped(
    inner: &Inner,
    subject: &Subject,
    row: &RestoreRow,
) -> Result<Vec<DatabaseName>, BackupError> {
    engines::drop_kept(inner, subject, &row.kept).await?;
    inner.restores.keep(row.id, &[]).await?;
    Ok(row.kept.clone())
}
