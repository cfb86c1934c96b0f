//! The app stands still: visitors are told to come back later, and what uses the databases stops.
//!
//! Taken back last of all that follows, when the databases are what they were: nobody writes into one that is to go.

use serde_json::Value;

use super::{drain, replace, summary};
use crate::{
    apps::ServiceName,
    ingress::Maintenance,
    release::{
        Failure,
        context::Context,
        plan::{PlannedStandstill, StoppedContainer, Visitors},
    },
};

pub(super) async fn forward(context: &Context, step: &str) -> Result<Value, Failure> {
    let Some(still) = &context.plan.standstill else { return Ok(summary("")) };
    visitors(context, still, Maintenance::On).await?;
    for StoppedContainer { container, .. } in &still.stopped {
        replace::stop_old(context, container, step).await?;
    }
    let names: Vec<&str> = still.stopped.iter().map(|one| one.container.name.as_str()).collect();
    Ok(summary(names.join(", ")))
}

pub(super) async fn undo(context: &Context, step: &str) -> Result<(), Failure> {
    let Some(still) = &context.plan.standstill else { return Ok(()) };
    for stopped in still.stopped.iter().rev() {
        start(context, stopped, step).await?;
    }
    visitors(context, still, Maintenance::Off).await
}

/// Visitors are served again.
pub(super) async fn open(context: &Context) -> Result<Value, Failure> {
    if let Some(still) = &context.plan.standstill {
        visitors(context, still, Maintenance::Off).await?;
    }
    Ok(summary(""))
}

/// Starts the containers of a service that stays.
pub(super) async fn revive(
    context: &Context,
    (service, step): (&ServiceName, &str),
) -> Result<Value, Failure> {
    for stopped in staying(context, service) {
        start(context, stopped, step).await?;
    }
    Ok(summary(""))
}

/// Stops them again: what comes back is the data of before.
pub(super) async fn revive_undo(
    context: &Context,
    (service, step): (&ServiceName, &str),
) -> Result<(), Failure> {
    for stopped in staying(context, service) {
        replace::stop_old(context, &stopped.container, step).await?;
    }
    Ok(())
}

fn staying<'c>(context: &'c Context, service: &'c ServiceName) -> impl Iterator<Item = &'c StoppedContainer> {
    let stopped = context.plan.standstill.iter().flat_map(|still| &still.stopped);
    stopped.filter(move |one| one.service == *service && !context.plan.goes(&one.container))
}

async fn start(context: &Context, stopped: &StoppedContainer, step: &str) -> Result<(), Failure> {
    let StoppedContainer { service, container } = stopped;
    let gone;
    let service = if let Some(service) = context.plan.service(service.as_str()) {
        service
    } else {
        gone = drain::gone(context, container);
        &gone
    };
    replace::start_again(context, service, (container, step)).await
}

async fn visitors(
    context: &Context,
    still: &PlannedStandstill,
    maintenance: Maintenance,
) -> Result<(), Failure> {
    if still.visitors == Visitors::AsBefore {
        return Ok(());
    }
    let set = context.ingress.set_maintenance(&context.id.app, maintenance).await;
    set.map(drop).map_err(|error| {
        Failure::caused_by("the maintenance page could not be switched", &error)
            .hint("see `docker logs tidegate-ingress` on the droplet")
    })
}
