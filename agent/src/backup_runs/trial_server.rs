//! The scratch server of a trial, from its start to its removal, whatever becomes of the trial.

use super::{BackupError, Inner, subject::Subject};
use crate::{
    backup::Manifest,
    docker::{AnonymousVolumes, Docker},
    postgres::{DatabaseName, Postgres, PostgresError, Scratch, ScratchSettings},
    release::chain,
};

/// What it may take of the droplet: others serve there.
const MEMORY: u64 = 512 * 1024 * 1024;
const MILLI_CPUS: u32 = 1000;

/// A scratch server that is removed also where nobody waits for the trial any more.
pub(super) struct ScratchServer {
    scratch: Option<Scratch>,
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
        // A name that no other trial has: what removes one late must not remove the next one.
        let name =
            format!("tidegate-scratch-{}-{}-{:08x}", subject.app, subject.service, rand::random::<u32>());
        let settings = ScratchSettings {
            name: name.clone(),
            purpose: format!("verify {}/{}", subject.app, subject.service),
            image: image(&docker, subject, manifest).await?,
            user: subject.user.clone(),
            memory: MEMORY,
            milli_cpus: MILLI_CPUS,
            start: inner.settings.patience.scratch_start,
        };
        let guard = Guard { docker: docker.clone(), name, left: Left::Something };
        let scratch = Scratch::start(&docker, &settings).await.map_err(BackupError::Scratch)?;
        Ok(Self { postgres: scratch.postgres().clone(), scratch: Some(scratch), guard })
    }

    pub(super) fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    pub(super) async fn remove(mut self) -> Result<(), PostgresError> {
        if let Some(scratch) = self.scratch.take() {
            scratch.remove().await?;
        }
        self.guard.left = Left::Nothing;
        Ok(())
    }
}

async fn image(docker: &Docker, subject: &Subject, manifest: &Manifest) -> Result<String, BackupError> {
    let (current, former) = (&subject.backed.image_id, &manifest.engine.image_id);
    if !current.is_empty() && docker.image(current).await.map_err(BackupError::Docker)?.is_some() {
        return Ok(current.clone());
    }
    Ok(former.clone())
}

/// What is left of a scratch server.
#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

struct Guard {
    docker: Docker,
    name: String,
    left: Left,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.left == Left::Nothing {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (docker, name) = (self.docker.clone(), self.name.clone());
        runtime.spawn(async move {
            if let Err(error) = docker.remove(&name, AnonymousVolumes::Remove).await {
                tracing::warn!(name, error = chain(&error), "a scratch server could not be removed");
            }
        });
    }
}

/// An empty database of that name: what the image made at its first start is not the backup's.
pub(super) async fn make_empty(postgres: &Postgres, database: &DatabaseName) -> Result<(), PostgresError> {
    postgres.drop_database(database).await?;
    postgres.create_database(database).await
}
