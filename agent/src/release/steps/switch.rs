//! The moment of a release: names and routes lead to the new containers. Nothing is stopped here, so it is taken back by
//! doing the reverse.

use std::{collections::BTreeMap, net::Ipv4Addr};

use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate_saga::Cancel;

use super::gate;
use crate::{
    apps::ServiceName,
    docker::{DockerError, body::ServiceAlias},
    ingress::{AppRoutes, SWITCH_SEEN_AFTER, subnet},
    release::{
        Failure, certificates,
        context::{Context, docker_failure},
        gate::pass,
        plan::{NewContainer, PlannedService, Strategy},
    },
};

/// The key under which the step tells when it switched.
const SWITCHED_AT: &str = "switched_at";

pub(super) async fn forward(context: &Context) -> Result<Value, Failure> {
    for service in context.plan.blue_green() {
        name(context, service, ServiceAlias::Given).await?;
        gate::give_restart(context, service).await?;
        // The container was off the project's network for a moment: it has to be well still.
        let look = PlannedService { stable: std::time::Duration::ZERO, ..service.clone() };
        for new in &service.new {
            pass(context, &look, new.first_name(), &Cancel::new()).await?;
        }
    }
    let routes = certificates::hand_over(&context.ingress, &context.input, &context.plan.routes)?;
    let routes = AppRoutes { routes, targets: targets(context).await? };
    serve(context, &routes).await?;
    Ok(json!({ "summary": "", SWITCHED_AT: context.clock.now().to_string() }))
}

/// Waits until nobody is sent to the old containers any more. `output` is what the switch told; what follows it goes on
/// meanwhile, but stops nothing that is behind the ingress.
pub(super) async fn seen(context: &Context, output: Option<&Value>) {
    if context.plan.routes.is_empty() && context.plan.former.routes.is_empty() {
        return;
    }
    let at = output.and_then(|output| output.get(SWITCHED_AT)?.as_str()?.parse::<Timestamp>().ok());
    let since = at.and_then(|at| context.clock.now().duration_since(at).try_into().ok()).unwrap_or_default();
    tokio::time::sleep(SWITCH_SEEN_AFTER.saturating_sub(since)).await;
}

pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    serve_former(context).await?;
    if !context.plan.former.routes.is_empty() {
        tokio::time::sleep(SWITCH_SEEN_AFTER).await;
    }
    for service in context.plan.blue_green() {
        name(context, service, ServiceAlias::Withheld).await?;
    }
    Ok(())
}

/// Has the ingress serve what it served before, with the certificates of then. What was rolled is rolled back later: until then its new containers serve.
pub(super) async fn serve_former(context: &Context) -> Result<(), Failure> {
    let mut former = context.plan.former.clone();
    if let Some(input) = &context.former {
        // They may have been forgotten when the new ones were served.
        former.routes = certificates::hand_over(&context.ingress, input, &former.routes)?;
    }
    let now = targets(context).await?;
    let rolled = context.plan.services.iter().filter(|service| service.strategy == Strategy::Rolling);
    for name in rolled.map(|service| &service.name) {
        if let (Some(target), Some(now)) = (former.targets.get_mut(name), now.get(name)) {
            target.clone_from(now);
        }
    }
    serve(context, &former).await
}

/// Has the ingress serve these routes.
pub(super) async fn serve(context: &Context, routes: &AppRoutes) -> Result<(), Failure> {
    context.ingress.serve(&context.id.app, routes).await.map_err(|error| {
        Failure::caused_by("the ingress could not be switched", &error)
            .hint("see `docker logs tidegate-ingress` on the droplet")
    })
}

/// The addresses of the new release's services.
async fn targets(context: &Context) -> Result<BTreeMap<ServiceName, Vec<Ipv4Addr>>, Failure> {
    let slots = context.plan.new_slots();
    if slots.is_empty() {
        return Ok(BTreeMap::new());
    }
    let subnet = context.ingress_subnet().await?;
    let addresses =
        |slots: Vec<u8>| slots.into_iter().filter_map(|slot| subnet::address(&subnet, slot)).collect();
    Ok(slots.into_iter().map(|(service, slots)| (service, addresses(slots))).collect())
}

/// Gives the new containers the service's name inside the project, or takes it away.
async fn name(context: &Context, planned: &PlannedService, alias: ServiceAlias) -> Result<(), Failure> {
    if planned.old.is_empty() {
        return Ok(());
    }
    for new in &planned.new {
        name_one(context, (planned, new), alias).await?;
    }
    Ok(())
}

/// Gives one new container its service's name inside the project, or takes it away. Address and connections stay.
pub(super) async fn name_one(
    context: &Context,
    (planned, new): (&PlannedService, &NewContainer),
    alias: ServiceAlias,
) -> Result<(), Failure> {
    let service = context.service(planned.name.as_str()).await?;
    let failed = |error: DockerError| docker_failure(format!("the name of service {}", planned.name), &error);
    let Some(container) = context.docker.container(new.first_name()).await.map_err(failed)? else {
        return Ok(());
    };
    let (_, endpoints) = context.body(&service, new, alias).await?;
    for endpoint in endpoints {
        context.docker.detach(&endpoint.network, &container.id).await.map_err(failed)?;
        let attached = context.docker.attach(&endpoint.network, &container.id, endpoint.settings).await;
        attached.map_err(failed)?;
    }
    Ok(())
}
