//! Restores into a Redis: an RDB file comes beside the server's data and is read on trial there; then the server is stopped, the
//! files change their places, and it is started again.
//!
//! Owns the order of that, and that it can be done again from anywhere. The files themselves are `crate::redis`'s.

use std::time::Duration;

use tokio::sync::MutexGuard;

use super::{
    super::{
        BackupError, BackupId, Inner, MadeOn, ServerError,
        counted::Counted,
        row::Facts,
        source::{answering_redis, container},
        space,
        subject::Subject,
        trial,
        trial_server::idle,
    },
    Restore, RestorePlan, RestoreRow, Revert, admit,
    course::{Course, Source},
    plan::{PlannedDatabase, Replaces, RestoreSource, file_in_place},
};
use crate::{
    backup::{ByteCount, Manifest, manifest::Content},
    docker::{Container, DockerError},
    postgres::DatabaseName,
    redis::{Clues, Files, Kept, Persistence, Redis, RedisError},
    scratch::{Idle, Volumes},
};

/// How long a server may take to write all that it has: it has gigabytes in memory, and a disk that others use.
const SAVE: Duration = Duration::from_mins(30);

/// What a restore of a backup does.
pub(super) async fn plan(
    (inner, subject, clues): (&Inner, &Subject, &Clues),
    (wanted, manifest): (&Restore, &Manifest),
    id: BackupId,
) -> Result<RestorePlan, BackupError> {
    if wanted.database.is_some() || wanted.into.is_some() || wanted.scrub.is_some() {
        return Err(BackupError::NoDatabases { engine: subject.data.kind().name() });
    }
    let persistence = own((inner, subject, clues)).await?;
    let plain = Facts::of(manifest, Vec::new()).plain;
    space::check_for_restore(inner, plain).await?;
    Ok(RestorePlan {
        app: subject.app.clone(),
        service: subject.service.clone(),
        source: RestoreSource::Backup(manifest.id),
        made_on: wanted.from.is_some().then(|| MadeOn::of(manifest)),
        taken_at: manifest.taken_at,
        plain,
        revision: None,
        databases: vec![file_in_place(|name| persistence.beside(name), persistence.path(), id)],
        place: admit::standing(inner, (&subject.app, &subject.service)).await?,
        replaces: Replaces::Files,
    })
}

/// What putting back does.
pub(super) async fn plan_revert(
    (inner, subject, clues): (&Inner, &Subject, &Clues),
    (wanted, former): (&Revert, &RestoreRow),
    id: BackupId,
) -> Result<RestorePlan, BackupError> {
    let persistence = own((inner, subject, clues)).await?;
    let mut databases = Vec::new();
    for planned in &former.plan.databases {
        let Some(fresh) = planned.former.clone().filter(|name| former.kept.contains(name)) else { continue };
        is_where_it_was((subject, &persistence), planned)?;
        let beside = file_in_place(|name| persistence.beside(name), persistence.path(), id);
        databases.push(PlannedDatabase { fresh, ..beside });
    }
    let place = admit::standing(inner, (&subject.app, &subject.service)).await?;
    let site = Site::open(inner, subject).await?;
    for planned in &databases {
        if !site.files().has(&planned.fresh.0).await.map_err(|error| failed(subject, error))? {
            return Err(BackupError::NothingKept { id: wanted.id });
        }
    }
    site.close(subject).await?;
    Ok(RestorePlan {
        app: wanted.app.clone(),
        service: subject.service.clone(),
        source: RestoreSource::Former(wanted.id),
        made_on: None,
        taken_at: former.started_at,
        plain: ByteCount::default(),
        revision: None,
        databases,
        place,
        replaces: Replaces::Files,
    })
}

/// Where the server keeps its data, if that is where a restore can change it.
async fn own((inner, subject, clues): (&Inner, &Subject, &Clues)) -> Result<Persistence, BackupError> {
    let source = answering_redis(inner, (subject, clues)).await?;
    let not_own = |why| Err(failed(subject, RedisError::NotOwn(why)));
    if source.facts.is_replica {
        return not_own("is a replica, and takes its data from another one");
    }
    if source.facts.is_cluster {
        return not_own("has a part of a cluster's data");
    }
    let persistence = source.redis.persistence().await.map_err(|error| failed(subject, error))?;
    let container = container(inner, subject).await?;
    let is_below = |path: &String| {
        let rest = persistence.directory.strip_prefix(path.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !container.kept_paths.iter().any(is_below) {
        return Err(failed(subject, RedisError::NoVolume(persistence.directory)));
    }
    Ok(persistence)
}

/// Refuses where the server keeps its data elsewhere than it did.
fn is_where_it_was(
    (subject, persistence): (&Subject, &Persistence),
    planned: &PlannedDatabase,
) -> Result<(), BackupError> {
    let (now, then) = (persistence.path(), planned.name.0.clone());
    if now == then {
        return Ok(());
    }
    Err(BackupError::Changed { service: subject.service.clone(), now, then })
}

/// Puts the file beside the data, and lets a server of the same image read it.
pub(super) async fn bring(course: &Course<'_>, clues: &Clues) -> Result<(), BackupError> {
    let (inner, subject) = (course.inner, course.subject);
    let Some(Source { opened: backup, .. }) = &course.backup else {
        return match course.plan.source {
            RestoreSource::Former(_) => Ok(()),
            RestoreSource::Backup(_) => Err(BackupError::CutOff),
        };
    };
    let source = answering_redis(inner, (subject, clues)).await?;
    let persistence = source.redis.persistence().await.map_err(|error| failed(subject, error))?;
    let site = Site::open(inner, subject).await?;
    for (part, planned) in backup.parts(Content::RedisSnapshot).zip(&course.plan.databases) {
        is_where_it_was((subject, &persistence), planned)?;
        let what = "the restore of all databases";
        let (opened, count) = Counted::new(backup.open(part).await?);
        let files = site.files();
        let placed = files.place((&persistence, &planned.fresh.0), (opened, backup.deadline()));
        let placed = count.told((course.progress, what), placed).await;
        placed.map_err(|error| backup.failed(part, what, error))?;
        let (directory, file) = persistence.rdb_of(&planned.fresh.0);
        let image = &site.container.image_id;
        trial::redis::read((inner, backup, part), (&site.idle, image), (&directory, &file)).await?;
        course.progress.say("what was restored can be read, and is all there");
    }
    site.close(subject).await
}

pub(super) async fn throw_away(course: &Course<'_>) -> Result<(), BackupError> {
    if let RestoreSource::Former(_) = course.plan.source {
        return Ok(());
    }
    let fresh: Vec<DatabaseName> =
        course.plan.databases.iter().map(|planned| planned.fresh.clone()).collect();
    drop_kept(course.inner, course.subject, &fresh).await
}

pub(super) async fn drop_kept(
    inner: &Inner,
    subject: &Subject,
    kept: &[DatabaseName],
) -> Result<(), BackupError> {
    let site = Site::open(inner, subject).await?;
    for path in kept {
        site.files().remove(&path.0).await.map_err(|error| failed(subject, error))?;
    }
    site.close(subject).await
}

/// The server stands still while the files change their places. Who uses it stands still already.
pub(super) async fn replace(course: &Course<'_>, clues: &Clues) -> Result<(), BackupError> {
    let (inner, subject) = (course.inner, course.subject);
    let site = Site::open(inner, subject).await?;
    for PlannedDatabase { name, fresh, former, .. } in &course.plan.databases {
        let former = former.as_ref().map_or("", |former| former.0.as_str());
        let has = async |path: &str| site.files().has(path).await.map_err(|error| failed(subject, error));
        if !has(&fresh.0).await? {
            continue;
        }
        if !has(former).await? {
            saved((inner, subject, clues), &site.container).await?;
        }
        site.stop(inner, subject).await?;
        let swapped = site.files().swap((&name.0, &fresh.0, former)).await;
        swapped.map_err(|error| failed(subject, error))?;
    }
    site.start((inner, subject, clues)).await
}

pub(super) async fn put_back(course: &Course<'_>, clues: &Clues) -> Result<(), BackupError> {
    let (inner, subject) = (course.inner, course.subject);
    let site = Site::open(inner, subject).await?;
    for PlannedDatabase { name, fresh, former, .. } in &course.plan.databases {
        let Some(former) = former else { continue };
        if !site.files().has(&former.0).await.map_err(|error| failed(subject, error))? {
            continue;
        }
        site.stop(inner, subject).await?;
        let swapped = site.files().swap_back((&name.0, &fresh.0, &former.0)).await;
        swapped.map_err(|error| failed(subject, error))?;
    }
    site.start((inner, subject, clues)).await
}

/// What served is whole on the disk before it goes: a server that keeps no log has it in memory alone.
async fn saved(
    (inner, subject, clues): (&Inner, &Subject, &Clues),
    container: &Container,
) -> Result<(), BackupError> {
    if !container.is_running() {
        return Ok(());
    }
    let redis: Redis = answering_redis(inner, (subject, clues)).await?.redis;
    let persistence = redis.persistence().await.map_err(|error| failed(subject, error))?;
    match persistence.kept {
        Kept::Snapshot(_) => redis.save(SAVE).await.map_err(|error| failed(subject, error)),
        Kept::Log(_) | Kept::Logs { .. } => Ok(()),
    }
}

/// The service's container, and one beside it in which its files can be put right.
struct Site<'a> {
    container: Container,
    idle: Idle,
    /// As long as it is there nobody removes what a dead agent left, of which it would seem to be.
    _used: MutexGuard<'a, ()>,
}

impl<'a> Site<'a> {
    async fn open(inner: &'a Inner, subject: &Subject) -> Result<Self, BackupError> {
        let used = inner.scratch.lock().await;
        let container = container(inner, subject).await?;
        let volumes = Volumes::Of(container.name.clone());
        let idle = idle(inner, (subject, container.image_id.clone()), volumes).await?;
        Ok(Self { container, idle, _used: used })
    }

    fn files(&self) -> Files<'_> {
        Files { idle: &self.idle }
    }

    async fn stop(&self, inner: &Inner, subject: &Subject) -> Result<(), BackupError> {
        let stopped = inner.engine.docker().stop(&self.container).await;
        stopped.map_err(|error| of_docker(subject, error))
    }

    /// Removes what was beside, and waits until the server answers.
    async fn start(self, (inner, subject, clues): (&Inner, &Subject, &Clues)) -> Result<(), BackupError> {
        let name = self.container.name.clone();
        self.close(subject).await?;
        inner.engine.docker().start(&name).await.map_err(|error| of_docker(subject, error))?;
        answering_redis(inner, (subject, clues)).await.map(drop)
    }

    async fn close(self, subject: &Subject) -> Result<(), BackupError> {
        self.idle.remove().await.map_err(|error| of_docker(subject, error))
    }
}

fn of_docker(subject: &Subject, error: DockerError) -> BackupError {
    BackupError::Restoring { service: subject.service.clone(), source: ServerError::Docker(error) }
}

fn failed(subject: &Subject, error: RedisError) -> BackupError {
    BackupError::Restoring { service: subject.service.clone(), source: error.into() }
}
