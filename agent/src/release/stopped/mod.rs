//! Apps that somebody stops, and starts again: `systemctl stop tidegate-app@shop`. They stand still until somebody starts them
//! or releases them again, also after a start of the agent, of Docker or of the droplet.
//!
//! Owns the order, and what is remembered of it ([`store`]). Must not know who asks.
//!
//! # The order
//! What is about to be stopped is written down first. Then each container, those that others depend on last, loses its restart
//! policy, so that Docker leaves it alone from then on, and is stopped as a release would stop it. Cut off in between it goes
//! on at the next start of the agent. Started are those that ran then, with the policy of the file; vanished ones are made again.

pub mod store;

use std::collections::BTreeSet;

use bollard::models::{RestartPolicy, RestartPolicyNameEnum};
use jiff::Timestamp;
use tidegate_compose::order;

use super::{
    Brought, Engine, EngineError, Hold, Rouse,
    hooks::{self, Hooks},
};
use crate::{
    apps::AppName,
    docker::{Container, ContainerState},
};

/// That an app is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedApp {
    /// Who stopped it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Names of the containers that ran then.
    pub containers: BTreeSet<String>,
}

impl Engine {
    /// Whether somebody stopped the app.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stopped(&self, app: &AppName) -> Result<Option<StoppedApp>, EngineError> {
        self.inner.stopped.of(app).await.map_err(EngineError::Database)
    }

    /// Stops the app's containers, and remembers it; the names of those that were stopped. One that is stopped stays so.
    ///
    /// # Errors
    /// When no release of it serves, something is under way for it, or a container does not stop: a repeated call goes on.
    pub async fn stop_app(&self, app: &AppName, actor: &str) -> Result<Vec<String>, EngineError> {
        let hold = self.hold(app, ("the stop", actor)).await?;
        self.stop_held(&hold, actor).await
    }

    /// Starts the containers that ran when the app was stopped; what was done. Nothing where nobody stopped it.
    ///
    /// # Errors
    /// When something is under way for it, its release cannot be read, or Docker does not answer: it stays stopped then.
    pub async fn start_app(&self, app: &AppName, actor: &str) -> Result<Vec<Brought>, EngineError> {
        if self.stopped(app).await?.is_none() {
            // What there is no app of, nobody stopped either.
            self.serving_project(app).await?;
            return Ok(Vec::new());
        }
        let hold = self.hold(app, ("the start", actor)).await?;
        let Some(stopped) = self.stopped(app).await? else { return Ok(Vec::new()) };
        let brought = self.bring_back(&hold, &Rouse::Named(stopped.containers)).await?;
        self.inner.stopped.forget(app).await.map_err(EngineError::Database)?;
        Ok(brought)
    }

    /// The rest of a stop that was cut off; the names of those that were stopped now.
    ///
    /// # Errors
    /// As [`Engine::stop_app`].
    pub async fn stay_stopped(&self, hold: &Hold) -> Result<Vec<String>, EngineError> {
        match self.stopped(hold.app()).await? {
            Some(stopped) => self.stop_held(hold, &stopped.actor).await,
            None => Ok(Vec::new()),
        }
    }

    async fn stop_held(&self, hold: &Hold, actor: &str) -> Result<Vec<String>, EngineError> {
        let app = hold.app();
        let (_, loaded) = self.serving_project(app).await?;
        // Both are in the order of the project, which could be ordered when it was released.
        let sequence = order::sequence(&loaded.project.services).unwrap_or_default();
        let hooks = hooks::of(&loaded.project);
        let containers = match self.containers(app, None).await {
            Ok(containers) => in_stop_order(containers, &sequence),
            Err(EngineError::NoApp(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let running: Vec<Container> = containers.into_iter().filter(is_up).collect();
        let before = self.stopped(app).await?;
        let mut stopped = before.unwrap_or_else(|| StoppedApp {
            actor: actor.to_owned(),
            at: self.inner.clock.now(),
            containers: BTreeSet::new(),
        });
        stopped.containers.extend(running.iter().map(|container| container.name.clone()));
        self.inner.stopped.put(app, &stopped).await.map_err(EngineError::Database)?;
        for container in &running {
            self.stop_one(container, container.service().and_then(|service| hooks.get(service))).await?;
        }
        Ok(running.into_iter().map(|container| container.name).collect())
    }

    async fn stop_one(&self, container: &Container, own: Option<&Hooks>) -> Result<(), EngineError> {
        let docker = self.docker();
        let never = RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None };
        docker.set_restart(&container.id, never).await.map_err(EngineError::Docker)?;
        if let Some(own) = own
            && let Err(failure) = hooks::before_stop(docker, container, &own.pre_stop).await
        {
            tracing::warn!(
                container = container.name,
                why = failure.why,
                "its pre_stop hook failed; it is stopped all the same"
            );
        }
        docker.stop(container).await.map_err(EngineError::Docker)
    }
}

fn is_up(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running | ContainerState::Restarting | ContainerState::Paused)
}

/// Those that others depend on last; first those of services that are not in the file any more.
fn in_stop_order(mut containers: Vec<Container>, sequence: &[String]) -> Vec<Container> {
    let place = |container: &Container| {
        sequence.iter().position(|name| Some(name.as_str()) == container.service()).unwrap_or(usize::MAX)
    };
    containers.sort_by_key(|container| std::cmp::Reverse(place(container)));
    containers
}

#[cfg(test)]
mod tests {
    use tidegate_compose::labels;

    use super::*;

    #[test]
    fn what_others_depend_on_stops_last() {
        let container = |service: &str| Container {
            name: service.to_owned(),
            labels: [(labels::SERVICE.to_owned(), service.to_owned())].into(),
            ..Container::default()
        };
        let sequence = ["db", "web", "page"].map(str::to_owned);
        let order = in_stop_order(["db", "page", "former", "web"].map(container).to_vec(), &sequence);
        assert_eq!(
            order.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["former", "page", "web", "db"]
        );
    }
}
