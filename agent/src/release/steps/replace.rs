//! A service that cannot run twice: the old containers stop, the new ones start and are gated. Taken back the same way.

use std::time::Duration;

use bollard::models::{RestartPolicy, RestartPolicyNameEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate_compose::Project;
use tidegate_saga::Cancel;

use super::{files, gate, hooks};
use crate::{
    docker::Container,
    release::{
        Failure,
        context::{Context, docker_failure},
        gate::pass,
        plan::{OldContainer, PlannedService, ReleasePlan, Strategy, Was},
    },
};

/// The key under which the step tells the interruption, in milliseconds.
pub const INTERRUPTED_MS: &str = "interrupted_ms";

pub(super) async fn forward(
    context: &Context,
    (name, step): (&str, &str),
    cancel: &Cancel,
) -> Result<Value, Failure> {
    let service = context.planned(name)?;
    for dependant in dependants(context, name).iter().rev() {
        for old in &dependant.old {
            stop_old(context, old, step).await?;
        }
    }
    for old in &service.old {
        stop_old(context, old, step).await?;
        set_aside(context, old).await?;
    }
    take_names(context, service).await?;
    let well = gate::start_and_pass(context, &named(service), cancel).await?;
    gate::give_restart(context, &named(service)).await?;
    let interrupted = interruption(context, service, well).await?;
    Ok(json!({
        "summary": format!("interrupted for {}.{} s", interrupted.as_secs(), interrupted.subsec_millis() / 100),
        INTERRUPTED_MS: u64::try_from(interrupted.as_millis()).unwrap_or(u64::MAX),
    }))
}

/// Services that are to end before this one does and are replaced after it, in the order of their replacement: those
/// that say `restart: true` where they depend on it, or live in its namespaces, and those that depend on these.
fn dependants<'c>(context: &'c Context, name: &str) -> Vec<&'c PlannedService> {
    dependants_in(&context.plan, &context.project, name)
}

/// See [`dependants`]. Pure.
pub(in crate::release) fn dependants_in<'p>(
    plan: &'p ReleasePlan,
    project: &Project,
    name: &str,
) -> Vec<&'p PlannedService> {
    let mut found: Vec<&PlannedService> = Vec::new();
    for service in plan.services.iter().filter(|service| !service.old.is_empty()) {
        let on = |target: &str| target == name || found.iter().any(|other| other.name.as_str() == target);
        let model = project.services.get(service.name.as_str());
        let mut needed = model.into_iter().flat_map(|model| &model.depends_on);
        if service.strategy == Strategy::Recreate && needed.any(|(target, needs)| needs.restart && on(target))
        {
            found.push(service);
        }
    }
    found
}

/// Whether the service ends and comes back with one that it depends on: that one's step sees to its old containers.
fn is_led(context: &Context, name: &str) -> bool {
    let replaced = context.plan.services.iter().filter(|service| !service.old.is_empty());
    let mut leaders = replaced.filter(|service| service.strategy == Strategy::Recreate);
    leaders
        .any(|leader| dependants(context, leader.name.as_str()).iter().any(|led| led.name.as_str() == name))
}

/// The service with its new containers under their final names.
fn named(service: &PlannedService) -> PlannedService {
    let mut service = service.clone();
    for new in &mut service.new {
        new.temporary = None;
    }
    service
}

/// Takes the restart policy away first, so that Docker does not bring it back, then stops it.
pub(super) async fn stop_old(context: &Context, old: &OldContainer, step: &str) -> Result<(), Failure> {
    let failed = |error| docker_failure(format!("the old container {}", old.name), &error);
    let Some(container) = context.docker.container(&old.id).await.map_err(failed)? else {
        return Ok(());
    };
    let none = RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None };
    context.docker.set_restart(&old.id, none).await.map_err(failed)?;
    hooks::stop(context, &container, step).await.map_err(failed)
}

/// Starts it if it ran before, gives it its restart policy back, and waits until it is well. What stands still for a
/// migration stays so until the databases are what they were.
pub(super) async fn start_old(
    context: &Context,
    service: &PlannedService,
    (old, step): (&OldContainer, &str),
) -> Result<(), Failure> {
    if context.plan.standstill.as_ref().is_some_and(|still| still.stops(old)) {
        return Ok(());
    }
    start_again(context, service, (old, step)).await
}

/// The same, whatever stands still.
pub(super) async fn start_again(
    context: &Context,
    service: &PlannedService,
    (old, step): (&OldContainer, &str),
) -> Result<(), Failure> {
    wake_old(context, old, step).await?;
    if old.was == Was::Stopped {
        return Ok(());
    }
    // It served before, so it only has to get well again, not to stay so for long. The probes are the new release's: it
    // may not know what they ask for.
    let look = PlannedService { stable: Duration::ZERO, probes: Vec::new(), ..service.clone() };
    pass(context, &look, &old.id, &Cancel::new()).await.map(drop)
}

/// Starts it, if it ran before, and gives it its restart policy back.
///
/// The policy comes last, also to one that runs: Docker starts a container even where it cannot write that down (a full
/// disk), and then lists it as stopped, and leaves it so after a power loss. A change of the policy is refused while it
/// cannot be written, and brings the rest with it.
pub(super) async fn wake_old(context: &Context, old: &OldContainer, step: &str) -> Result<(), Failure> {
    let failed = |error| docker_failure(format!("the old container {}", old.name), &error);
    let Some(container) = context.docker.container(&old.id).await.map_err(failed)? else {
        return Err(Failure::new(
            format!("the old container {} is gone", old.name),
            "somebody removed it while the release ran",
        )
        .hint("deploy the former release again"));
    };
    if old.was == Was::Running && !container.is_running() {
        files::restore(context)?;
        context.docker.start(&old.id).await.map_err(failed)?;
        hooks::post_start_again(context, &container, step).await;
    }
    let (word, retries) = &old.restart;
    let name = word.parse().unwrap_or(RestartPolicyNameEnum::NO);
    let policy = RestartPolicy { name: Some(name), maximum_retry_count: Some(*retries).filter(|n| *n > 0) };
    context.docker.set_restart(&old.id, policy).await.map_err(failed)
}

async fn set_aside(context: &Context, old: &OldContainer) -> Result<(), Failure> {
    match &old.aside {
        Some(aside) => rename(context, &old.id, aside).await,
        None => Ok(()),
    }
}

/// The new containers get their final names, now that the old ones have given them up.
async fn take_names(context: &Context, service: &PlannedService) -> Result<(), Failure> {
    for new in &service.new {
        let Some(temporary) = &new.temporary else { continue };
        let there =
            context.docker.container(temporary).await.map_err(|e| docker_failure(temporary.clone(), &e))?;
        if let Some(container) = there {
            rename(context, &container.id, &new.name).await?;
        }
    }
    Ok(())
}

async fn rename(context: &Context, id: &str, name: &str) -> Result<(), Failure> {
    let failed = |error| docker_failure(format!("the name {name}"), &error);
    let current: Option<Container> = context.docker.container(id).await.map_err(failed)?;
    match current {
        Some(container) if container.name != name => context.docker.rename(id, name).await.map_err(failed),
        _ => Ok(()),
    }
}

/// How long nobody served: from the end of the last old container, by Docker's own clock, until the first new one was well.
/// True across a crash of the agent too, except that what is well already is then taken to be so since the agent looked.
async fn interruption(
    context: &Context,
    service: &PlannedService,
    well: Option<Timestamp>,
) -> Result<Duration, Failure> {
    if !service.kept.is_empty() {
        return Ok(Duration::ZERO);
    }
    let mut last: Option<Timestamp> = None;
    for old in service.old.iter().filter(|old| old.was == Was::Running) {
        let found =
            context.docker.container(&old.id).await.map_err(|e| docker_failure(old.name.clone(), &e))?;
        let ended = found.and_then(|container| container.finished_at.parse::<Timestamp>().ok());
        last = last.max(ended);
    }
    let well = well.unwrap_or_else(|| context.clock.now());
    let between = last.map(|ended| well.duration_since(ended));
    Ok(between.and_then(|between| between.try_into().ok()).unwrap_or_default())
}

pub(super) async fn undo(context: &Context, (name, step): (&str, &str)) -> Result<(), Failure> {
    let service = context.planned(name)?;
    gate::stop_new(context, service, step).await?;
    let failed = |error| docker_failure(format!("the new containers of {name}"), &error);
    for container in context.made(service).await.map_err(failed)? {
        let new = service.new.iter().find(|new| new.name == container.name);
        if let Some(temporary) = new.and_then(|new| new.temporary.as_ref()) {
            rename(context, &container.id, temporary).await?;
        }
    }
    for old in &service.old {
        rename(context, &old.id, &old.name).await?;
    }
    // Where networks are made anew the undo of that step starts them: until then there is nothing that they could join.
    if is_led(context, name) || context.plan.remade().next().is_some() {
        return Ok(());
    }
    for service in [service].into_iter().chain(dependants(context, name)) {
        for old in &service.old {
            start_old(context, service, (old, step)).await?;
        }
    }
    Ok(())
}
