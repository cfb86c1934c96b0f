//! The migration: one container, as `docker compose run` would make it, to its end. It has no undo: its kind says that
//! the old release can live with what it did. One whose end is unknown is run again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tidegate_compose::{labels::Instance, model::Command, names};
use tidegate_saga::Cancel;
use tokio::sync::mpsc;

use super::summary;
use crate::{
    docker::{
        AnonymousVolumes, ContainerState, archive,
        body::{self, ContainerSpec, HostPorts, RestartNow, ServiceAlias},
    },
    release::{
        EventKind, Failure,
        context::{Context, docker_failure},
        plan::PlannedMigration,
    },
};

/// How many of its last lines a failure shows, and how many are kept as events.
const LAST_LINES: usize = 40;
const MAX_LINES: usize = 2000;

pub(super) async fn forward(context: &Context, step: &str, cancel: &Cancel) -> Result<Value, Failure> {
    let Some(migration) = &context.plan.migration else {
        return Ok(summary(""));
    };
    let name = name(context, migration);
    let failed = |error| docker_failure("the migration's container", &error);
    // An earlier try is not looked into: it may have been cut off in the middle, and the command can be repeated.
    remove(context).await?;
    create(context, migration, &name).await?;
    context.docker.start(&name).await.map_err(failed)?;
    let lines = Arc::new(Mutex::new(VecDeque::new()));
    let ended = tokio::select! {
        ended = tokio::time::timeout(migration.timeout, follow(context, step, &name, &lines)) => ended,
        why = cancel.cancelled() => {
            remove(context).await?;
            return Err(Failure::new("the migration was cancelled", why));
        }
    };
    let last: Vec<String> = lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
    let Ok(followed) = ended else {
        remove(context).await?;
        let why = format!("it did not end within {} s and was stopped", migration.timeout.as_secs());
        return Err(failure(migration, why, last));
    };
    followed.map_err(failed)?;
    let code = exit_code(context, &name).await?;
    if code == 0 {
        return Ok(summary(last.last().cloned().unwrap_or_default()));
    }
    let why = match code {
        127 => "it ended with exit code 127: there is no such command in the image".to_owned(),
        code if code > 128 => {
            format!("it ended with exit code {code}, by signal {}", code.saturating_sub(128))
        }
        code => format!("it ended with exit code {code}"),
    };
    remove(context).await?;
    Err(failure(migration, why, last))
}

fn failure(migration: &PlannedMigration, why: String, last: Vec<String>) -> Failure {
    Failure::new(format!("the migration in service {} failed", migration.service), why)
        .at("x-tidegate.migrate")
        .hint("the old release serves on; the migration's output is above")
        .details(last)
}

async fn create(context: &Context, migration: &PlannedMigration, name: &str) -> Result<(), Failure> {
    let failed = |error| docker_failure("the migration's container", &error);
    let mut service = context.service(migration.service.as_str()).await?;
    service.command = Command(Some(migration.command.clone()));
    // A health check would only be in the way of a task.
    service.healthcheck = None;
    service.container_name.clear();
    let image = context.docker.image(&service.image).await.map_err(failed)?;
    let (label, slug) = (context.id.label(), slug(context));
    let spec = ContainerSpec {
        project: &context.project,
        service: &service,
        instance: Instance::OneOff(&slug),
        name,
        image_id: image.as_ref().map(|image| image.id.as_str()),
        release: &label,
        alias: ServiceAlias::Withheld,
        restart: RestartNow::HeldBack,
        ports: HostPorts::None,
        api: context.docker.api_version().await.map_err(failed)?,
        inherited: &[],
        links: &context.links(&service, 1),
        profiles: &context.profiles,
    };
    context.docker.create(name, &service.platform, body::container(&spec)).await.map_err(failed)?;
    for endpoint in body::endpoints(&spec).into_iter().skip(1) {
        context.docker.attach(&endpoint.network, name, endpoint.settings).await.map_err(failed)?;
    }
    let files = archive::files(&context.project, &service)
        .map_err(|error| Failure::caused_by("the migration's secrets and configs", &error))?;
    match files {
        Some(archive) => context.docker.put_archive(name, archive).await.map_err(failed),
        None => Ok(()),
    }
}

/// Reads its output to the end, keeping the last lines and sending all of them, up to a bound, as events.
async fn follow(
    context: &Context,
    step: &str,
    name: &str,
    lines: &Mutex<VecDeque<String>>,
) -> Result<(), crate::docker::DockerError> {
    let (sender, mut receiver) = mpsc::channel::<String>(256);
    let reading = context.docker.follow(name, move |line| {
        // A reader that cannot keep up loses lines of the stream; the last ones are read again for a failure.
        drop(sender.try_send(line));
    });
    let telling = async {
        let mut told = 0_usize;
        while let Some(line) = receiver.recv().await {
            let line = context.redactor.redact(&line);
            {
                let mut last = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if last.len() == LAST_LINES {
                    last.pop_front();
                }
                last.push_back(line.clone());
            }
            told = told.saturating_add(1);
            if told <= MAX_LINES {
                context.emit(EventKind::Output { step: step.to_owned(), line }).await;
            }
        }
    };
    let (read, ()) = tokio::join!(reading, telling);
    read
}

/// Its log has ended; the engine may need a moment more to note its exit.
async fn exit_code(context: &Context, name: &str) -> Result<i64, Failure> {
    for _ in 0..100 {
        let found = context
            .docker
            .container(name)
            .await
            .map_err(|e| docker_failure("the migration's container", &e))?;
        let Some(container) = found else {
            return Err(Failure::new(
                "the migration's container is gone",
                "somebody removed it while it ran",
            ));
        };
        if container.state == ContainerState::Exited || container.state == ContainerState::Dead {
            return Ok(container.exit_code);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(Failure::new("the migration's end is not known", "its output ended, but its container still runs"))
}

/// Takes its container away. What it did to the database stays.
pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    remove(context).await
}

pub(super) async fn remove(context: &Context) -> Result<(), Failure> {
    let Some(migration) = &context.plan.migration else {
        return Ok(());
    };
    let removed = context.docker.remove(&name(context, migration), AnonymousVolumes::Remove).await;
    removed.map_err(|error| docker_failure("the migration's container", &error))
}

fn name(context: &Context, migration: &PlannedMigration) -> String {
    names::one_off_name(context.id.app.as_str(), migration.service.as_str(), &slug(context))
}

/// Not random, so that a later process finds the container.
fn slug(context: &Context) -> String {
    hex::encode(Sha256::digest(format!("migration of {}", context.id.label())))
}
