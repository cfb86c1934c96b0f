//! Backups that come back with an earlier release: the release stands still and takes back, what happens to databases is here.
//!
//! Owns the choice of the backup that a release made, its restore under the release's names, and that what served before is kept
//! as after any other restore. Has no saga of its own: the release's steps are journaled.

use jiff::Timestamp;

use super::{
    super::{
        BackupError, BackupId, BackupRow, BackupState, Cause, FileKeys, Inner, Progress,
        copies::{BEFORE, RESTORING, ending, originals},
        keys::Keys,
        source::answering,
        subject::Subject,
    },
    Restore, RestoreRow, RestoreState, admit,
    course::{Course, Source},
    plan::{KEPT_FOR, Place, PlannedDatabase, Replaces, RestorePlan, RestoreSource, Visitors},
    store::Ending,
};
use crate::{
    apps::{AppName, ServiceName},
    backup::{ByteCount, manifest::EngineKind},
    postgres::{DatabaseName, derived},
    release::{Opens, ReleaseId, plan::ReturningBackup},
};

/// Who is named for what a release does.
const AGENT: &str = "agent";

/// The backup of a service that a release made, by when it was made.
pub(in crate::backup_runs) async fn backup_of(
    inner: &Inner,
    (app, service): (&AppName, &ServiceName),
    (from, until): (Timestamp, Timestamp),
) -> Result<Option<ReturningBackup>, BackupError> {
    let rows = inner.store.rows(&inner.droplet()?, app, Some(service)).await?;
    let is_it = |row: &BackupRow| {
        let is_stored = matches!(row.state, BackupState::Stored | BackupState::Verified);
        is_stored && row.cause == Cause::Release && (from..=until).contains(&row.started_at)
    };
    let made = rows.into_iter().find(is_it);
    match made.as_ref().and_then(|row| EngineKind::named(&row.engine)) {
        // What it holds belongs to no schema: it stays as it is.
        Some(EngineKind::Redis) => return Ok(None),
        None | Some(EngineKind::PostgreSql) => {}
        Some(other @ (EngineKind::MySql | EngineKind::Sqlite | EngineKind::Volume)) => {
            return Err(BackupError::NoWayBack { service: service.clone(), engine: other.name() });
        }
    }
    Ok(made.map(|row| ReturningBackup {
        service: service.clone(),
        backup: row.id.to_string(),
        taken_at: row.started_at,
    }))
}

/// All that can be known before it comes back.
pub(in crate::backup_runs) async fn may_bring_back(
    inner: &Inner,
    (app, backup): (&AppName, &ReturningBackup),
    opens: Opens,
) -> Result<(), BackupError> {
    let subject = inner.subject(app, Some(&backup.service)).await?;
    let (_, chosen) = admit::restore(inner, (&subject, &wanted(&subject, backup)?), id(backup)?).await?;
    match opens {
        Opens::Later => Ok(()),
        Opens::Now => Keys::of(inner, &chosen.row, inner.lent.of(app)).await.map(drop),
    }
}

pub(in crate::backup_runs) async fn bring_back(
    inner: &Inner,
    ReleaseId { app, release }: &ReleaseId,
    backup: &ReturningBackup,
) -> Result<String, BackupError> {
    let subject = inner.subject(app, Some(&backup.service)).await?;
    answering(inner, &subject).await?;
    let id = id(backup)?;
    let (mut plan, chosen) = admit::restore(inner, (&subject, &wanted(&subject, backup)?), id).await?;
    // Who stands still is the release's matter, and so are the names: what it takes back it finds by them.
    plan.place = Place::Beside;
    for planned in &mut plan.databases {
        planned.fresh = derived(&planned.name, &ending(RESTORING, *release));
        let former = planned.former.take();
        planned.former = former.map(|_| derived(&planned.name, &ending(BEFORE, *release)));
    }
    let progress = Progress::none();
    let opened = admit::open(inner, (&subject, &chosen), inner.lent.of(app), &progress).await?;
    let source = Some(Source { opened, scrub: None });
    let course = Course { inner, subject: &subject, id, plan: &plan, backup: source, progress: &progress };
    course.restore().await?;
    course.swap().await?;
    let names: Vec<&str> = plan.databases.iter().map(|planned| planned.name.0.as_str()).collect();
    Ok(format!("{} of {}", names.join(", "), plan.taken_at))
}

/// What served before becomes what a restore keeps: it is listed, put back or dropped like that, and goes by itself.
pub(in crate::backup_runs) async fn retain(
    inner: &Inner,
    ReleaseId { app, release }: &ReleaseId,
    backup: &ReturningBackup,
) -> Result<String, BackupError> {
    inner.lent.end(app);
    let subject = inner.subject(app, Some(&backup.service)).await?;
    let postgres = answering(inner, &subject).await?;
    let failed = |source| BackupError::Copying { service: subject.service.clone(), source };
    let there = postgres.database_names().await.map_err(failed)?;
    let end = ending(BEFORE, *release);
    let databases: Vec<PlannedDatabase> = originals(&there, *release)
        .into_iter()
        .map(|name| PlannedDatabase {
            source: name.clone(),
            fresh: derived(&name, &ending(RESTORING, *release)),
            former: Some(derived(&name, &end)),
            name,
        })
        .collect();
    let kept: Vec<DatabaseName> = databases.iter().filter_map(|planned| planned.former.clone()).collect();
    let plan = RestorePlan {
        app: app.clone(),
        service: subject.service.clone(),
        source: RestoreSource::Backup(id(backup)?),
        made_on: None,
        taken_at: backup.taken_at,
        plain: ByteCount::default(),
        revision: None,
        databases,
        place: Place::Serving { writers: Vec::new(), visitors: Visitors::AsBefore },
        replaces: Replaces::Databases,
    };
    let now = inner.clock.now();
    let row = RestoreRow {
        id: BackupId::new(now, rand::random()),
        actor: AGENT.to_owned(),
        plan,
        state: RestoreState::Running,
        started_at: now,
        finished_at: None,
        stood_still: None,
        kept: Vec::new(),
        kept_until: None,
        failure: None,
    };
    inner.restores.begin(subject.folder.droplet(), &row).await?;
    let until = now.checked_add(KEPT_FOR).ok();
    let ending = Ending {
        state: RestoreState::Restored,
        failure: None,
        stood_still: None,
        kept: (kept.clone(), until),
    };
    inner.restores.finish(row.id, &ending, now).await?;
    let names: Vec<&str> = kept.iter().map(|name| name.0.as_str()).collect();
    Ok(names.join(", "))
}

fn id(backup: &ReturningBackup) -> Result<BackupId, BackupError> {
    let lost = |_| BackupError::NoSuchId(backup.backup.clone());
    backup.backup.parse().map_err(lost)
}

fn wanted(subject: &Subject, backup: &ReturningBackup) -> Result<Restore, BackupError> {
    Ok(Restore {
        app: subject.app.clone(),
        service: Some(subject.service.clone()),
        id: Some(id(backup)?),
        database: None,
        into: None,
        keys: FileKeys::default(),
        from: None,
        scrub: None,
        actor: String::new(),
    })
}
