//! What the release replaced goes: old containers, the containers of migration and jobs, inputs and images of long past releases.

use serde_json::Value;

use super::{job, migrate, summary};
use crate::{
    docker::AnonymousVolumes,
    release::{
        Failure,
        context::{Context, docker_failure},
        plan::ServiceAction,
    },
};

/// How many releases keep their source files, for a rollback.
pub(in crate::release) const KEPT_INPUTS: u64 = 10;

pub(super) async fn forward(context: &Context) -> Result<Value, Failure> {
    for service in context.plan.services.iter().filter(|service| service.action != ServiceAction::Keep) {
        // A recreated container's anonymous volumes were taken over by its successor.
        let beside = service.strategy.is_beside();
        let volumes = if beside { AnonymousVolumes::Remove } else { AnonymousVolumes::Keep };
        for old in &service.old {
            remove(context, (&old.id, &old.name), volumes).await?;
        }
    }
    for old in &context.plan.removed {
        remove(context, (&old.id, &old.name), AnonymousVolumes::Keep).await?;
    }
    migrate::remove(context).await?;
    job::remove_all(context).await?;
    prune_inputs(context);
    context.images().prune().await;
    Ok(summary(""))
}

async fn remove(
    context: &Context,
    (id, name): (&str, &str),
    volumes: AnonymousVolumes,
) -> Result<(), Failure> {
    let removed = context.docker.remove(id, volumes).await;
    removed.map_err(|error| docker_failure(format!("the old container {name}"), &error))
}

/// Source files that are too old to go back to. A failure here harms nobody and is only logged.
fn prune_inputs(context: &Context) {
    let Some(oldest) = context.id.release.get().checked_sub(KEPT_INPUTS) else {
        return;
    };
    let folder = context.paths.releases(&context.id.app);
    let Ok(entries) = fs_err::read_dir(&folder) else {
        return;
    };
    for entry in entries.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        if number.is_some_and(|number| number <= oldest)
            && let Err(error) = fs_err::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, "the files of an old release could not be removed");
        }
    }
}
