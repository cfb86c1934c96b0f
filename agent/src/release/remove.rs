//! Takes an app off the droplet. Every part of it is found by label, so a cut-off removal is finished by repeating it.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_compose::labels;

use super::{
    EngineError, Failure, ReleaseState,
    engine::Inner,
    hooks::{self, Hooks},
    run, schedule,
};
use crate::{
    apps::AppName,
    docker::{AnonymousVolumes, Container},
    timers::Wanted,
};

/// Whether the data goes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volumes {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

pub(super) async fn app(inner: &Inner, app: &AppName, volumes: Volumes) -> Result<Vec<String>, EngineError> {
    let docker = &inner.docker;
    let failed = EngineError::Docker;
    let mut removed = Vec::new();
    let timers = inner.timers.bring(&Wanted::none(app.clone())).await;
    let timers = timers.map_err(|error| EngineError::Failed(schedule::failure(&error)))?;
    removed.extend(timers.removed().map(|unit| format!("timer {}", unit.timer())));
    let hooks = hooks_of(inner, app).await;
    let anonymous =
        if volumes == Volumes::Remove { AnonymousVolumes::Remove } else { AnonymousVolumes::Keep };
    for container in dependants_first(docker.project_containers(app.as_str()).await.map_err(failed)?) {
        let own = container.service().and_then(|service| hooks.get(service));
        let ended = match own.filter(|_| container.number().is_some()) {
            Some(own) => hooks::before_stop(docker, &container, &own.pre_stop).await,
            None => Ok(()),
        };
        docker.stop(&container).await.map_err(failed)?;
        docker.remove(&container.id, anonymous).await.map_err(failed)?;
        let remark =
            ended.err().map_or_else(String::new, |f| format!(", whose pre_stop hook failed: {}", f.why));
        removed.push(format!("container {}{remark}", container.name));
    }
    let served =
        inner.ingress.routes().await.map_err(|error| ingress(&error))?.iter().any(|(owner, _)| owner == app);
    let network = crate::ingress::network_name(app);
    if served || docker.network(&network).await.map_err(failed)?.is_some() {
        inner.ingress.forget(app).await.map_err(|error| ingress(&error))?;
        removed.push(format!("network {network}"));
    }
    let is_ours = |project: Option<&String>| project.is_some_and(|project| project == app.as_str());
    for network in docker.networks().await.map_err(failed)? {
        if is_ours(network.labels.get(labels::PROJECT)) {
            docker.remove_network(&network.name).await.map_err(failed)?;
            removed.push(format!("network {}", network.name));
        }
    }
    if volumes == Volumes::Remove {
        for volume in docker.volumes().await.map_err(failed)? {
            if is_ours(volume.labels.get(labels::PROJECT)) {
                docker.remove_volume(&volume.name).await.map_err(failed)?;
                removed.push(format!("volume {}", volume.name));
            }
        }
    }
    let forgotten = inner.buckets.forget(app).await.map_err(EngineError::Database)?;
    removed.extend(forgotten.iter().map(|name| format!("access to the bucket {name}, where backups stay")));
    inner.store.removed(app).await.map_err(EngineError::Database)?;
    for folder in [inner.paths.project(app), inner.paths.releases(app)] {
        match fs_err::remove_dir_all(&folder) {
            Ok(()) => removed.push(format!("folder {}", folder.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let failure =
                    Failure::caused_by(format!("{} could not be removed", folder.display()), &error);
                return Err(EngineError::Failed(failure));
            }
        }
    }
    Ok(removed)
}

/// Hooks of the release that serves, if its source files are still there.
async fn hooks_of(inner: &Inner, app: &AppName) -> BTreeMap<String, Hooks> {
    let rows = inner.store.releases(Some(app)).await.unwrap_or_default();
    let serving = rows.into_iter().find(|row| row.state == ReleaseState::Released);
    let loaded = serving.and_then(|row| run::loaded(inner, app, row.number));
    loaded.map(|loaded| hooks::of(&loaded.project)).unwrap_or_default()
}

fn ingress(error: &crate::ingress::IngressError) -> EngineError {
    EngineError::Failed(Failure::caused_by("the app's part of the ingress could not be removed", error))
}

/// Services before those that they depend on, as their labels tell.
fn dependants_first(mut containers: Vec<Container>) -> Vec<Container> {
    let mut order = Vec::with_capacity(containers.len());
    while !containers.is_empty() {
        let needed: BTreeSet<String> = containers.iter().flat_map(needs).collect();
        let is_free =
            |container: &Container| !container.service().is_some_and(|service| needed.contains(service));
        // In a circle, which no project has, any one goes first.
        let at = containers.iter().position(is_free).unwrap_or(0);
        order.push(containers.remove(at));
    }
    order
}

/// The services that a container's service depends on; not itself.
fn needs(container: &Container) -> Vec<String> {
    let text = container.label(labels::DEPENDS_ON).unwrap_or_default();
    let names = text.split(',').filter_map(|entry| entry.split(':').next());
    names.filter(|name| !name.is_empty() && Some(*name) != container.service()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependants_go_first() {
        let container = |service: &str, needs: &str| Container {
            name: service.to_owned(),
            labels: [
                (labels::SERVICE.to_owned(), service.to_owned()),
                (labels::DEPENDS_ON.to_owned(), needs.to_owned()),
            ]
            .into(),
            ..Container::default()
        };
        let order = dependants_first(vec![
            container("db", ""),
            container("web", "db:service_healthy:false,redis:service_started:false"),
            container("redis", ""),
        ]);
        let names: Vec<_> = order.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["web", "db", "redis"]);
    }
}
