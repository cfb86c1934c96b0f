//! One-off containers, as `docker compose run` makes them: a service's image and settings, another command.

use std::collections::BTreeMap;

use tidegate_compose::{Service, hash, labels::Instance, model::Command, names};

use super::{DeployInput, Engine, EngineError, Failure, ReleaseState, load, survey};
use crate::{
    apps::AppName,
    docker::{
        archive,
        body::{self, ContainerSpec, HostPorts, RestartNow, ServiceAlias},
        references,
    },
};

/// What a one-off container is to do.
#[derive(Clone, Debug, Default)]
pub struct OneOffSpec {
    /// Arguments; none for the service's own command.
    pub command: Vec<String>,
    /// Variables beyond the service's.
    pub environment: BTreeMap<String, String>,
    /// As whom; empty for the service's user.
    pub user: String,
    /// Where; empty for the service's directory.
    pub working_directory: String,
    /// Whether it has a terminal.
    pub terminal: Terminal,
    /// Whether it reads an input.
    pub stdin: bool,
}

/// Whether a container has a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terminal {
    /// It has.
    Attached,
    /// It has not.
    #[default]
    None,
}

/// A container that was made and not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOff {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

pub(super) async fn create(
    engine: &Engine,
    app: &AppName,
    (service, spec): (&str, OneOffSpec),
) -> Result<OneOff, EngineError> {
    let inner = &engine.inner;
    let rows = engine.releases(app).await?;
    let row = rows.into_iter().find(|row| row.state == ReleaseState::Released);
    let row = row.ok_or_else(|| EngineError::NoApp(app.clone()))?;
    let input = DeployInput::read(&inner.paths.release(app, row.number)).map_err(|error| {
        EngineError::Failed(Failure::caused_by("the release's source files cannot be read", &error))
    })?;
    let seen = survey::containers(&inner.docker, app, survey::Look::Glance).await?;
    let compatibility = inner.compatibility(&seen).await;
    let folder = inner.paths.project(app);
    let loaded = load::project(&input, &folder, compatibility).map_err(EngineError::Refused)?;
    let project = &loaded.project;
    let Some(found) = project.services.get(service) else {
        let known: Vec<&str> = project.services.keys().map(String::as_str).collect();
        return Err(EngineError::NoService {
            app: app.clone(),
            service: service.to_owned(),
            known: known.join(", "),
        });
    };
    let mut wanted = found.clone();
    adapt(&mut wanted, spec);
    let (wanted, links) = resolve(engine, app, &wanted).await?;
    let failed = EngineError::Docker;
    let image = inner.docker.image(&wanted.image).await.map_err(failed)?;
    let slug = hex::encode(rand::random::<[u8; 32]>());
    let name = names::one_off_name(app.as_str(), service, &slug);
    let label = format!("{app}/{}", row.number.get());
    let spec = ContainerSpec {
        project,
        service: &wanted,
        instance: Instance::OneOff(&slug),
        name: &name,
        image_id: image.as_ref().map(|image| image.id.as_str()),
        release: &label,
        alias: ServiceAlias::Withheld,
        restart: RestartNow::HeldBack,
        ports: HostPorts::None,
        api: inner.docker.api_version().await.map_err(failed)?,
        inherited: &[],
        links: &links,
        profiles: &loaded.profiles,
    };
    let mut request = body::container(&spec);
    request.attach_stdin = Some(wanted.stdin_open);
    request.stdin_once = Some(wanted.stdin_open);
    let (id, _) = inner.docker.create(&name, &wanted.platform, request).await.map_err(failed)?;
    for endpoint in body::endpoints(&spec).into_iter().skip(1) {
        inner.docker.attach(&endpoint.network, &name, endpoint.settings).await.map_err(failed)?;
    }
    let files = archive::files(project, &wanted)
        .map_err(|error| EngineError::Failed(Failure::caused_by("secrets and configs", &error)))?;
    if let Some(files) = files {
        inner.docker.put_archive(&name, files).await.map_err(failed)?;
    }
    Ok(OneOff { id, name })
}

/// The service with references to others as ids of their containers, and its links.
async fn resolve(
    engine: &Engine,
    app: &AppName,
    service: &Service,
) -> Result<(Service, Vec<String>), EngineError> {
    let mut others = BTreeMap::new();
    let linked = service.links.iter().map(|link| body::target_and_alias(link).0.to_owned());
    for target in references::services(service).into_iter().chain(linked.collect::<Vec<_>>()) {
        let containers = engine.containers(app, Some(&target)).await?;
        others.insert(target, containers);
    }
    let first = |name: &str| others.get(name)?.first().map(|container| container.id.clone());
    let names = |target: &str| {
        let containers = others.get(target).into_iter().flatten();
        containers.map(|container| container.name.clone()).collect()
    };
    let links = body::links(app.as_str(), (service, 1), names);
    Ok((hash::resolved(service, &first), links))
}

fn adapt(service: &mut Service, spec: OneOffSpec) {
    if !spec.command.is_empty() {
        service.command = Command(Some(spec.command));
    }
    service.environment.extend(spec.environment.into_iter().map(|(name, value)| (name, Some(value))));
    if !spec.user.is_empty() {
        service.user = spec.user;
    }
    if !spec.working_directory.is_empty() {
        service.working_dir = spec.working_directory;
    }
    service.tty = spec.terminal == Terminal::Attached;
    service.stdin_open = spec.stdin;
    service.healthcheck = None;
    service.container_name.clear();
}
