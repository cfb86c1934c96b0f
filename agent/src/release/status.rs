//! What runs: apps, their releases, their containers.

use std::collections::BTreeMap;

use super::{Engine, EngineError, ReleaseRow, ReleaseState, engine::is_unfinished, together::Doubt};
use crate::{
    apps::{AppName, ServiceName},
    docker::Container,
    ingress::{HostCertificate, Maintenance},
};

/// An app as it is.
#[derive(Clone, Debug)]
pub struct AppStatus {
    /// The app.
    pub app: AppName,
    /// The release that serves; none when none ever did.
    pub release: Option<ReleaseRow>,
    /// One that has something to do still, or is stuck. It may be the one that serves, while it clears away what it replaced.
    pub running_release: Option<ReleaseRow>,
    /// Whether its visitors are told to come back later.
    pub maintenance: Maintenance,
    /// Its hosts at the ingress, with their certificates.
    pub hosts: Vec<HostCertificate>,
    /// Why the release under way cannot end by itself; none: it is not in doubt.
    pub doubt: Option<Doubt>,
    /// How its releases ended so far.
    pub ends: ReleaseEnds,
    /// Its services, by name.
    pub services: Vec<ServiceStatus>,
}

/// How the releases of an app ended so far. What is stuck has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReleaseEnds {
    /// They served, or do.
    pub released: u64,
    /// They were taken back.
    pub undone: u64,
}

/// A service as it is.
#[derive(Clone, Debug)]
pub struct ServiceStatus {
    /// Its name.
    pub service: ServiceName,
    /// Its containers in the order of their numbers.
    pub containers: Vec<Container>,
}

pub(super) async fn of(engine: &Engine, app: Option<&AppName>) -> Result<Vec<AppStatus>, EngineError> {
    let rows = engine.inner.store.releases(app).await.map_err(EngineError::Database)?;
    let mut by_app: BTreeMap<AppName, Vec<ReleaseRow>> = BTreeMap::new();
    for row in rows {
        by_app.entry(row.app.clone()).or_default().push(row);
    }
    let mut found = Vec::new();
    for (name, rows) in by_app {
        let one = one(engine, name, rows).await?;
        let is_there = one.release.is_some() || one.running_release.is_some() || !one.services.is_empty();
        if is_there || app.is_some() {
            found.push(one);
        }
    }
    match app {
        Some(app) if found.is_empty() => Err(EngineError::NoApp(app.clone())),
        _ => Ok(found),
    }
}

async fn one(engine: &Engine, app: AppName, rows: Vec<ReleaseRow>) -> Result<AppStatus, EngineError> {
    let containers =
        engine.inner.docker.project_containers(app.as_str()).await.map_err(EngineError::Docker)?;
    let ingress = &engine.inner.ingress;
    Ok(AppStatus {
        maintenance: ingress.maintenance(&app).await.map_err(EngineError::Ingress)?,
        hosts: ingress.certificates(&app).await.map_err(EngineError::Ingress)?,
        release: rows.iter().find(|row| row.state == ReleaseState::Released).cloned(),
        running_release: rows.iter().find(|row| is_unfinished(row)).cloned(),
        services: by_service(containers),
        ends: ReleaseEnds::of(&rows),
        doubt: engine.inner.live().get(&app).and_then(|live| live.standing.doubt()),
        app,
    })
}

impl ReleaseEnds {
    fn of(rows: &[ReleaseRow]) -> Self {
        let mut ends = Self::default();
        for row in rows {
            let count = match row.state {
                ReleaseState::Released | ReleaseState::Superseded | ReleaseState::Removed => {
                    &mut ends.released
                }
                ReleaseState::Undone => &mut ends.undone,
                ReleaseState::Running | ReleaseState::Stuck => continue,
            };
            *count = count.saturating_add(1);
        }
        ends
    }
}

fn by_service(containers: Vec<Container>) -> Vec<ServiceStatus> {
    let mut services: BTreeMap<String, Vec<Container>> = BTreeMap::new();
    for container in containers.into_iter().filter(|container| container.number().is_some()) {
        let service = container.service().unwrap_or_default().to_owned();
        services.entry(service).or_default().push(container);
    }
    let status = |(service, mut containers): (String, Vec<Container>)| {
        containers.sort_by_key(Container::number);
        ServiceStatus { service: ServiceName::new(service), containers }
    };
    services.into_iter().map(status).collect()
}

pub(super) async fn containers(
    engine: &Engine,
    app: &AppName,
    service: Option<&str>,
) -> Result<Vec<Container>, EngineError> {
    let all = engine.inner.docker.project_containers(app.as_str()).await.map_err(EngineError::Docker)?;
    let services = by_service(all);
    if services.is_empty() {
        return Err(EngineError::NoApp(app.clone()));
    }
    let Some(service) = service else {
        return Ok(services.into_iter().flat_map(|status| status.containers).collect());
    };
    let known: Vec<&str> = services.iter().map(|status| status.service.as_str()).collect();
    if !known.contains(&service) {
        return Err(EngineError::NoService {
            app: app.clone(),
            service: service.to_owned(),
            known: known.join(", "),
        });
    }
    let own = services.into_iter().filter(|status| status.service.as_str() == service);
    Ok(own.flat_map(|status| status.containers).collect())
}
