//! All new containers, made but not started; those of services behind the ingress without the service's name.

use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{files, summary};
use crate::{
    docker::{
        AnonymousVolumes, Container, ContainerState, archive,
        body::{RELEASE_LABEL, ServiceAlias},
    },
    ingress::{self, fixed_endpoint, subnet},
    release::{
        Failure,
        context::{Context, docker_failure},
        plan::{NewContainer, PlannedService, ServiceAction},
    },
};

/// How many containers are made at a time.
const AT_A_TIME: usize = 4;

pub(super) async fn forward(context: &Context, step: &str) -> Result<Value, Failure> {
    let mut made = 0_usize;
    for wave in waves(context) {
        let making = wave.into_iter().flat_map(|service| service.new.iter().map(move |new| (service, new)));
        let making: Vec<_> = making.map(|(service, new)| one(context, service, new)).collect();
        // All of them come to their end, so that an undo finds what was made.
        let results: Vec<Result<Vec<String>, Failure>> =
            stream::iter(making).buffer_unordered(AT_A_TIME).collect().await;
        made = made.saturating_add(results.len());
        for warning in results.into_iter().collect::<Result<Vec<_>, Failure>>()?.into_iter().flatten() {
            context.progress(step, warning).await;
        }
    }
    Ok(summary(if made == 1 { "1 container".to_owned() } else { format!("{made} containers") }))
}

/// Changed services, those that need each other apart: a container can name one that it needs only when that is there.
fn waves(context: &Context) -> Vec<Vec<&PlannedService>> {
    let mut waves: Vec<Vec<&PlannedService>> = Vec::new();
    for service in context.plan.services.iter().filter(|service| service.action != ServiceAction::Keep) {
        let model = context.project.services.get(service.name.as_str());
        let needs = |other: &PlannedService| {
            model.is_some_and(|model| model.depends_on.contains_key(other.name.as_str()))
        };
        match waves.last_mut().filter(|wave| !wave.iter().any(|other| needs(other))) {
            Some(wave) => wave.push(service),
            None => waves.push(vec![service]),
        }
    }
    waves
}

/// Makes a container; what Docker warns of.
pub(super) async fn one(
    context: &Context,
    planned: &PlannedService,
    new: &NewContainer,
) -> Result<Vec<String>, Failure> {
    let failed = |error| docker_failure(format!("the container {}", new.name), &error);
    let docker = &context.docker;
    if let Some(found) = found(context, new).await? {
        // One that an earlier try may not have finished is made anew; one that was started already is complete.
        if found.state != ContainerState::Created {
            return Ok(Vec::new());
        }
        docker.remove(&found.id, AnonymousVolumes::Remove).await.map_err(failed)?;
    }
    let service = context.service(planned.name.as_str()).await?;
    let folder = context.paths.project(&context.id.app);
    files::stays_inside(&folder, &context.project, &service)?;
    let alias = alias_until_switch(planned);
    let (body, endpoints) = context.body(&service, new, alias).await?;
    let name = new.first_name();
    let (_, warnings) = docker.create(name, &service.platform, body).await.map_err(failed)?;
    for endpoint in endpoints.into_iter().skip(1) {
        docker.attach(&endpoint.network, name, endpoint.settings).await.map_err(failed)?;
    }
    if let Some(slot) = new.slot {
        let app = &context.id.app;
        let subnet = context.ingress_subnet().await?;
        let address = subnet::address(&subnet, slot)
            .ok_or_else(|| Failure::new("the ingress's network has no IPv4 subnet", ""))?;
        docker.attach(&ingress::network_name(app), name, fixed_endpoint(address)).await.map_err(failed)?;
    }
    let archive = archive::files(&context.project, &service)
        .map_err(|error| Failure::caused_by(format!("secrets and configs of {}", planned.name), &error))?;
    if let Some(archive) = archive {
        docker.put_archive(name, archive).await.map_err(failed)?;
    }
    Ok(warnings.into_iter().map(|warning| format!("{}: {warning}", new.name)).collect())
}

/// While the old containers serve, the service's name leads to them alone.
pub(super) fn alias_until_switch(planned: &PlannedService) -> ServiceAlias {
    if planned.strategy.is_beside() && !planned.old.is_empty() {
        ServiceAlias::Withheld
    } else {
        ServiceAlias::Given
    }
}

/// The container of that name, if this release made it. One that somebody else made stands in the way.
async fn found(context: &Context, new: &NewContainer) -> Result<Option<Container>, Failure> {
    for name in [new.temporary.as_ref(), Some(&new.name)].into_iter().flatten() {
        let container = context
            .docker
            .container(name)
            .await
            .map_err(|e| docker_failure(format!("the container {name}"), &e))?;
        let Some(container) = container else { continue };
        if container.label(RELEASE_LABEL) == Some(&context.id.label()) {
            return Ok(Some(container));
        }
        if new.temporary.as_ref() == Some(name) || new.temporary.is_none() {
            let why = "a container of that name is there already and was not made by this release";
            return Err(Failure::new(format!("the container {name} cannot be made"), why)
                .at(name.clone())
                .hint("remove it or rename it on the droplet, or choose another `container_name`"));
        }
    }
    Ok(None)
}

/// Removes every container that bears this release's label, whatever it is called.
pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    let failed = |error| docker_failure("containers of the release", &error);
    let label = format!("{RELEASE_LABEL}={}", context.id.label());
    for container in context.docker.containers(&[label]).await.map_err(failed)? {
        // Anonymous volumes may have been taken over from a container that comes back.
        let recreated = context.plan.services.iter().any(|service| {
            Some(service.name.as_str()) == container.service()
                && !service.old.is_empty()
                && !service.strategy.is_beside()
        });
        let volumes = if recreated { AnonymousVolumes::Keep } else { AnonymousVolumes::Remove };
        context.docker.remove(&container.id, volumes).await.map_err(failed)?;
    }
    Ok(())
}
