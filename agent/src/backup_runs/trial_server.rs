//! The scratch server of a trial, from its start to its removal, whatever becomes of the trial.

use super::{BackupError, Inner, ServerError, subject::Subject};
use crate::{
    backup::Manifest,
    docker::{AnonymousVolumes, Docker, DockerError},
    host::HostFacts,
    postgres::{DatabaseName, Postgres, PostgresError, Scratch, ScratchSettings},
    scratch::{self, Guard, Idle, IdleSettings, Room, Volumes},
};

/// A scratch server that is removed also where nobody waits for the trial any more.
pub(super) struct ScratchServer {
    postgres: Postgres,
    guard: Guard,
}

impl ScratchServer {
    /// Starts one of the service's image as it serves now, else of the image that the backup was made with.
    pub(super) async fn start(
        inner: &Inner,
        subject: &Subject,
        manifest: &Manifest,
    ) -> Result<Self, BackupError> {
        let docker = inner.engine.docker().clone();
        let name = scratch::name(&stem(subject));
        let Room { memory, milli_cpus } = Room::default();
        let settings = ScratchSettings {
            name: name.clone(),
            purpose: purpose(subject),
            image: image(&docker, subject, manifest).await?,
            user: subject.postgres()?.user.clone(),
            memory,
            milli_cpus,
            start: inner.settings.patience.scratch_start,
        };
        let guard = Guard::over(&docker, &name, AnonymousVolumes::Remove);
        let scratch = Scratch::start(&docker, &settings).await;
        let scratch = scratch.map_err(|error| BackupError::Scratch(error.into()))?;
        Ok(Self { postgres: scratch.postgres().clone(), guard })
    }

    pub(super) fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    pub(super) async fn remove(self) -> Result<(), DockerError> {
        self.guard.remove().await
    }
}

/// A container of the service's image in which a server can be started, or files be put right.
pub(super) async fn idle(
    inner: &Inner,
    (subject, image): (&Subject, String),
    volumes: Volumes,
) -> Result<Idle, BackupError> {
    let (stem, purpose) = (stem(subject), purpose(subject));
    let settings = IdleSettings { stem, purpose, image, room: room(inner).await, volumes };
    let started = Idle::start(inner.engine.docker(), settings).await;
    started.map_err(|error| BackupError::Scratch(ServerError::Docker(error)))
}

/// A server that has its data in memory needs as much as that is: half of what the droplet has left, and no less than others get.
async fn room(inner: &Inner) -> Room {
    let usual = Room::default();
    let measured = HostFacts::new(&inner.settings.local).measure().await;
    let available = measured.map(|measured| measured.memory_available).unwrap_or_default();
    Room { memory: usual.memory.max(available / 2), ..usual }
}

pub(super) fn stem(subject: &Subject) -> String {
    format!("{}-{}", subject.app, subject.service)
}

pub(super) fn purpose(subject: &Subject) -> String {
    format!("verify {}/{}", subject.app, subject.service)
}

/// The image as it serves now, else that which the backup was made with.
pub(super) async fn image(
    docker: &Docker,
    subject: &Subject,
    manifest: &Manifest,
) -> Result<String, BackupError> {
    let (current, former) = (&subject.backed.image_id, &manifest.engine.image_id);
    if !current.is_empty() && docker.image(current).await.map_err(BackupError::Docker)?.is_some() {
        return Ok(current.clone());
    }
    Ok(former.clone())
}

/// An empty database of that name: what the image made at its first start is not the backup's.
pub(super) async fn make_empty(postgres: &Postgres, database: &DatabaseName) -> Result<(), PostgresError> {
    postgres.drop_database(database).await?;
    postgres.create_database(database).await
}
