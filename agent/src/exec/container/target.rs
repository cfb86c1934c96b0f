//! Which container is meant by app, service and number.
//!
//! Owns the search by docker compose's labels. Must not know what the container is wanted for.

use std::collections::{BTreeSet, HashMap};

use bollard::{
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::ListContainersOptionsBuilder,
};
use tidegate_compose::labels;

/// A service's container, as the caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The app, which is the Compose project.
    pub app: String,
    /// The service.
    pub service: String,
    /// The container's number; `None`: the lowest that runs.
    pub index: Option<u32>,
}

/// Why there is no such container.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Docker could not be asked.
    #[error("Docker could not be asked for the containers of {app}")]
    Docker {
        /// The app.
        app: String,
        /// What bollard said.
        source: bollard::errors::Error,
    },
    /// Nothing of this app is here.
    #[error("there is no app {app} on this droplet")]
    NoApp {
        /// The app.
        app: String,
    },
    /// The app has no such service.
    #[error("app {app} has no service {service} on this droplet; it has {}", services.join(", "))]
    NoService {
        /// The app.
        app: String,
        /// The service.
        service: String,
        /// Those that it has.
        services: Vec<String>,
    },
    /// The service has no container with this number.
    #[error("service {service} has no container number {index}; it has {}", join(numbers))]
    NoIndex {
        /// The service.
        service: String,
        /// The number asked for.
        index: u32,
        /// Those that it has.
        numbers: Vec<u32>,
    },
    /// The container is there, but does not run.
    #[error("service {service} does not run: its container {container} is {state}")]
    NotRunning {
        /// The service.
        service: String,
        /// The container's name.
        container: String,
        /// Docker's word for its state.
        state: String,
    },
}

fn join(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a caller needs to know of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: String,
}

/// Looks for the container and makes sure that it runs.
pub(super) async fn find(docker: &bollard::Docker, target: &Target) -> Result<Found, TargetError> {
    let filters = HashMap::from([("label".to_owned(), vec![format!("{}={}", labels::PROJECT, target.app)])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let containers = docker
        .list_containers(Some(options))
        .await
        .map_err(|source| TargetError::Docker { app: target.app.clone(), source })?;
    choose(&containers, target)
}

fn choose(containers: &[ContainerSummary], target: &Target) -> Result<Found, TargetError> {
    let kept: Vec<&ContainerSummary> =
        containers.iter().filter(|container| label(container, labels::ONE_OFF) != Some("True")).collect();
    if kept.is_empty() {
        return Err(TargetError::NoApp { app: target.app.clone() });
    }
    let mut of_service: Vec<(u32, &ContainerSummary)> = kept
        .iter()
        .filter(|container| label(container, labels::SERVICE) == Some(&target.service))
        .map(|container| (number(container), *container))
        .collect();
    of_service.sort_by_key(|(number, _)| *number);
    if of_service.is_empty() {
        let services: BTreeSet<&str> =
            kept.iter().filter_map(|container| label(container, labels::SERVICE)).collect();
        return Err(TargetError::NoService {
            app: target.app.clone(),
            service: target.service.clone(),
            services: services.into_iter().map(str::to_owned).collect(),
        });
    }
    if let Some(index) = target.index {
        let numbers: Vec<u32> = of_service.iter().map(|(number, _)| *number).collect();
        of_service.retain(|(number, _)| *number == index);
        if of_service.is_empty() {
            return Err(TargetError::NoIndex { service: target.service.clone(), index, numbers });
        }
    }
    if let Some(id) = of_service.iter().find(|(_, c)| runs(c)).and_then(|(_, c)| c.id.clone()) {
        return Ok(Found { id });
    }
    let first = of_service.first().map(|(_, container)| *container);
    Err(TargetError::NotRunning {
        service: target.service.clone(),
        container: first.map(name).unwrap_or_default(),
        state: first.and_then(|c| c.state).map_or_else(|| "unknown".to_owned(), |state| state.to_string()),
    })
}

fn runs(container: &ContainerSummary) -> bool {
    container.state == Some(ContainerSummaryStateEnum::RUNNING)
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

fn number(container: &ContainerSummary) -> u32 {
    label(container, labels::CONTAINER_NUMBER).and_then(|text| text.parse().ok()).unwrap_or(u32::MAX)
}

fn name(container: &ContainerSummary) -> String {
    let names = container.names.as_deref().unwrap_or_default();
    names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(service: &str, number: u32, state: ContainerSummaryStateEnum) -> ContainerSummary {
        ContainerSummary {
            id: Some(format!("{service}-{number}")),
            names: Some(vec![format!("/shop-{service}-{number}")]),
            labels: Some(HashMap::from([
                (labels::SERVICE.to_owned(), service.to_owned()),
                (labels::CONTAINER_NUMBER.to_owned(), number.to_string()),
                (labels::ONE_OFF.to_owned(), "False".to_owned()),
            ])),
            state: Some(state),
            ..ContainerSummary::default()
        }
    }

    fn target(service: &str, index: Option<u32>) -> Target {
        Target { app: "shop".to_owned(), service: service.to_owned(), index }
    }

    #[test]
    fn the_lowest_running_one_is_taken() {
        use ContainerSummaryStateEnum::{EXITED, RUNNING};
        let all = [container("web", 10, RUNNING), container("web", 2, RUNNING), container("web", 1, EXITED)];
        assert_eq!(choose(&all, &target("web", None)).unwrap().id, "web-2");
        assert_eq!(choose(&all, &target("web", Some(10))).unwrap().id, "web-10");
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_there() {
        use ContainerSummaryStateEnum::{EXITED, RUNNING};
        let all = [container("web", 1, RUNNING), container("db", 1, EXITED)];
        let text = |service, index| choose(&all, &target(service, index)).unwrap_err().to_string();
        assert_eq!(text("wbe", None), "app shop has no service wbe on this droplet; it has db, web");
        assert_eq!(text("web", Some(3)), "service web has no container number 3; it has 1");
        assert_eq!(text("db", None), "service db does not run: its container shop-db-1 is exited");
        assert_eq!(
            choose(&[], &target("web", None)).unwrap_err().to_string(),
            "there is no app shop on this droplet"
        );
    }

    #[test]
    fn one_off_containers_are_not_meant() {
        let mut one_off = container("web", 1, ContainerSummaryStateEnum::RUNNING);
        one_off.labels.as_mut().unwrap().insert(labels::ONE_OFF.to_owned(), "True".to_owned());
        assert!(matches!(choose(&[one_off], &target("web", None)), Err(TargetError::NoApp { .. })));
    }
}
