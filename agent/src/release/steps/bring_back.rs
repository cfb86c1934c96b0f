//! One service of an app that is brought back: its containers are made again and started as a release does it. What fails is
//! told, not taken back: what runs serves.

use std::time::Duration;

use tidegate_saga::Cancel;

use super::{create, gate, hooks, prepare};
use crate::release::{
    Failure,
    bring_back::{Brought, How, Needed},
    context::{Context, docker_failure},
    gate::pass,
    plan::{NewContainer, PlannedService},
};

/// How long those that need a service wait for it at most: what they need may come later, and they have to bear that.
const WAIT: Duration = Duration::from_mins(1);

/// Brings a service's containers back. With `refused` none of them is made again, but others are started.
pub(in crate::release) async fn service(
    context: &Context,
    service: &PlannedService,
    (refused, needed): (Option<&Failure>, Needed),
) -> Vec<Brought> {
    let mut brought = Vec::new();
    for new in &service.new {
        let came = match refused {
            Some(failure) => Err(failure.clone()),
            None => make(context, (service, new)).await,
        };
        brought.push((new.name.as_str(), How::MadeAgain, came.err()));
    }
    for woken in service.woken() {
        let came = start(context, (service, &woken.name)).await;
        brought.push((&woken.name, How::Started, came.err()));
    }
    if needed == Needed::ByOthers {
        let bounded = PlannedService { timeout: service.timeout.min(WAIT), ..service.clone() };
        for (name, ..) in brought.iter().filter(|(_, _, failure)| failure.is_none()) {
            if let Err(failure) = pass(context, &bounded, name, &Cancel::new()).await {
                tracing::warn!(
                    container = name,
                    why = failure.cause,
                    "not well yet; those that need it are started"
                );
            }
        }
    }
    let one = |(container, how, failure): (&str, How, Option<Failure>)| Brought {
        service: service.name.clone(),
        container: container.to_owned(),
        how,
        failure,
    };
    brought.into_iter().map(one).collect()
}

async fn make(context: &Context, (service, new): (&PlannedService, &NewContainer)) -> Result<(), Failure> {
    let networks = context.project.services.get(service.name.as_str()).into_iter();
    for key in networks.flat_map(|service| service.networks.keys()) {
        let made = prepare::network(context, key).await;
        made.map_err(|error| docker_failure(format!("the network {key}"), &error))?;
    }
    for warning in create::one(context, service, new).await? {
        tracing::warn!(warning, "Docker warned");
    }
    start(context, (service, &new.name)).await
}

/// Starts a container. From then on Docker does, by the policy of the file: whether it gets well is seen later.
async fn start(context: &Context, (service, name): (&PlannedService, &str)) -> Result<(), Failure> {
    let started = context.docker.start(name).await;
    started.map_err(|error| gate::start_failure(service, name, &error))?;
    gate::give_restart_to(context, service, name).await?;
    hooks::post_start(context, (service, name), &Cancel::new()).await
}
