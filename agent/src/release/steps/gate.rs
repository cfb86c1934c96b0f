//! New containers that stand beside the old ones, or have no old ones: started and gated.

use jiff::Timestamp;
use serde_json::Value;
use tidegate_saga::Cancel;

use super::{hooks, summary};
use crate::{
    docker::{Container, ContainerState, Docker, DockerError},
    release::{
        Failure,
        context::{Context, docker_failure},
        gate,
        plan::{PlannedService, Step, Strategy},
    },
};

pub(super) async fn forward(context: &Context, name: &str, cancel: &Cancel) -> Result<Value, Failure> {
    let service = context.planned(name)?;
    for due in [service].into_iter().chain(head_starts(context, name)) {
        let (docker, owned) = (context.docker.clone(), due.clone());
        context.ahead.begin(&due.name, async move { start_all(&docker, &owned).await });
    }
    let passed = async {
        context.ahead.started(&service.name).await?;
        pass_all(context, service, cancel).await
    };
    // One that cannot be started makes the release fail now, and not when its own gate is due.
    tokio::select! {
        failure = context.ahead.failure() => return Err(failure),
        passed = passed => passed?,
    };
    if service.strategy == Strategy::Recreate || service.old.is_empty() {
        give_restart(context, service).await?;
    }
    Ok(summary(""))
}

/// Services whose gates follow directly and that need nothing which is still to come: they get well while this one does.
fn head_starts<'c>(context: &'c Context, name: &str) -> Vec<&'c PlannedService> {
    let steps = &context.plan.steps;
    let own = |step: &Step| matches!(step, Step::Gate(service) if service.as_str() == name);
    let Some(at) = steps.iter().position(own) else { return Vec::new() };
    let to_come: Vec<&str> = steps
        .iter()
        .skip(at)
        .filter_map(|step| match step {
            Step::Gate(service) | Step::Replace(service) => Some(service.as_str()),
            _ => None,
        })
        .collect();
    let following = steps.iter().skip(at.saturating_add(1)).map_while(|step| match step {
        Step::Gate(service) => context.plan.service(service.as_str()),
        _ => None,
    });
    let waits = |service: &PlannedService| {
        let own = context.project.services.get(service.name.as_str());
        own.is_none_or(|own| own.depends_on.keys().any(|needed| to_come.contains(&needed.as_str())))
    };
    following.filter(|service| !waits(service)).collect()
}

/// Starts the service's new containers and waits until all are well; since when the first of them is.
pub(super) async fn start_and_pass(
    context: &Context,
    service: &PlannedService,
    cancel: &Cancel,
) -> Result<Option<Timestamp>, Failure> {
    start_all(&context.docker, service).await?;
    pass_all(context, service, cancel).await
}

async fn start_all(docker: &Docker, service: &PlannedService) -> Result<(), Failure> {
    for new in &service.new {
        start(docker, service, new.first_name()).await?;
    }
    for woken in service.woken() {
        wake(docker, service, &woken.name).await?;
    }
    Ok(())
}

async fn pass_all(
    context: &Context,
    service: &PlannedService,
    cancel: &Cancel,
) -> Result<Option<Timestamp>, Failure> {
    let mut well = Vec::new();
    for name in service.started() {
        hooks::post_start(context, (service, name), cancel).await?;
        well.push(gate::pass(context, service, name, cancel).await?);
    }
    Ok(well.into_iter().min())
}

/// Starts a container, unless it runs or has ended as it should.
pub(super) async fn start(docker: &Docker, service: &PlannedService, name: &str) -> Result<(), Failure> {
    let failed = |error| start_failure(service, name, &error);
    let container = docker.container(name).await.map_err(failed)?;
    let state = container.map(|container| (container.state, container.exit_code));
    match state {
        Some((ContainerState::Running, _)) => Ok(()),
        Some((ContainerState::Exited, 0)) if service.ends != crate::release::plan::Ends::Never => Ok(()),
        _ => docker.start(name).await.map_err(failed),
    }
}

/// Starts a container that was there, unless it runs. How it ended before says nothing: somebody may have stopped it.
pub(super) async fn wake(docker: &Docker, service: &PlannedService, name: &str) -> Result<(), Failure> {
    docker.start(name).await.map_err(|error| start_failure(service, name, &error))
}

pub(super) fn start_failure(service: &PlannedService, name: &str, error: &DockerError) -> Failure {
    let failure = docker_failure(format!("service {} could not be started", service.name), error).at(name);
    let words = error.message().unwrap_or_default();
    if words.contains("port is already allocated") || words.contains("address already in use") {
        let cause = format!("a host port that it publishes is taken: {words}");
        return Failure { cause, ..failure }
            .hint("publish another port, or stop what uses it on the droplet");
    }
    if words.contains("executable file not found") || words.contains("no such file or directory") {
        return failure.hint("its command or entrypoint does not exist in the image");
    }
    failure
}

/// Gives the new containers the restart policy that the file asks for: from now on Docker may start them by itself.
pub(super) async fn give_restart(context: &Context, service: &PlannedService) -> Result<(), Failure> {
    for name in service.started() {
        give_restart_to(context, service, name).await?;
    }
    Ok(())
}

/// Gives one container of a service the restart policy that the file asks for. Where it asks for none the change is an empty
/// one: it is refused all the same while Docker cannot write down that the container was started, see
/// [`super::replace::wake_old`].
pub(super) async fn give_restart_to(
    context: &Context,
    service: &PlannedService,
    name: &str,
) -> Result<(), Failure> {
    let policy = context.wanted_restart(service.name.as_str());
    let given = context.docker.set_restart(name, policy).await;
    given.map_err(|error| docker_failure(format!("the restart policy of {name}"), &error))
}

pub(super) async fn undo(context: &Context, (name, step): (&str, &str)) -> Result<(), Failure> {
    let service = context.planned(name)?;
    stop_new(context, service, step).await
}

/// Stops what was started in its own way; the undo of `create` removes what is new.
pub(super) async fn stop_new(context: &Context, service: &PlannedService, step: &str) -> Result<(), Failure> {
    let failed = |error| docker_failure(format!("the new containers of {}", service.name), &error);
    let mut made: Vec<Container> = context.made(service).await.map_err(failed)?;
    for kept in service.woken() {
        made.extend(context.docker.container(&kept.id).await.map_err(failed)?);
    }
    for container in made {
        hooks::stop(context, &container, step).await.map_err(failed)?;
    }
    Ok(())
}
