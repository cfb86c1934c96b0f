//! How an app stands, in a word and a line. The judging is pure.

use jiff::Timestamp;

use crate::{
    apps::{AppName, ReleaseNumber},
    docker::Container,
    release::{Engine, EngineError, ReleaseState, ServingService, Wellness},
};

/// How an app stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub stands: Stands,
    /// In a line, for people.
    pub line: String,
}

/// How an app stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// All that should run does, and nothing says that it is not well.
    Serves,
    /// Some of it is not well yet.
    Coming,
    /// Something that should run does not, or is not well.
    Fails,
    /// Somebody stopped it.
    Stopped,
    /// A release or the like is under way: containers come and go.
    Changing,
    /// There is no such app.
    Absent,
}

/// Looks at an app. Its probes are not asked: health does, once a minute.
///
/// # Errors
/// When Docker or the database do not answer.
pub(super) async fn look(engine: &Engine, app: &AppName) -> Result<Standing, EngineError> {
    let rows = engine.releases(app).await?;
    let serving = rows.iter().find(|row| row.state == ReleaseState::Released);
    if let Some(running) = rows.iter().find(|row| row.finished_at.is_none()) {
        let line = match serving.filter(|serving| serving.number != running.number) {
            Some(serving) => format!("{} is under way; {} serves", running.number, serving.number),
            None => format!("{} is under way", running.number),
        };
        return Ok(Standing { stands: Stands::Changing, line });
    }
    let Some(row) = serving else {
        return Ok(Standing {
            stands: Stands::Absent,
            line: format!("there is no app {app} on this droplet"),
        });
    };
    if let Some(stopped) = engine.stopped(app).await? {
        let line = format!("{}: stopped by {} at {}", row.number, stopped.actor, whole(stopped.at));
        return Ok(Standing { stands: Stands::Stopped, line });
    }
    let serving = engine.serving(row)?;
    let containers = match engine.containers(app, None).await {
        Ok(containers) => containers,
        Err(EngineError::NoApp(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(judge(row.number, &serving.services, &containers))
}

fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Judges: what is wrong first, then what is there.
fn judge(release: ReleaseNumber, services: &[ServingService], containers: &[Container]) -> Standing {
    let (mut stands, mut wrong, mut words) = (Stands::Serves, Vec::new(), Vec::new());
    for service in services {
        let own = containers.iter().filter(|one| one.service() == Some(service.name.as_str()));
        let own: Vec<&Container> = own.collect();
        if own.len() < service.replicas && service.ends == crate::release::plan::Ends::Never {
            stands = Stands::Fails;
            wrong.push(format!("{} has {} of {} containers", service.name, own.len(), service.replicas));
        }
        for container in own {
            match service.wellness(container) {
                Wellness::Well => words.push(format!("{} {}", container.name, state(container))),
                Wellness::Ended => words.push(format!("{} ended", container.name)),
                Wellness::NotYet(why) => {
                    stands = if stands == Stands::Serves { Stands::Coming } else { stands };
                    wrong.push(format!("{}: {why}", container.name));
                }
                Wellness::Unwell(why) => {
                    stands = Stands::Fails;
                    wrong.push(format!("{}: {why}", container.name));
                }
            }
        }
    }
    wrong.extend(words);
    let line =
        if wrong.is_empty() { format!("{release}") } else { format!("{release}: {}", wrong.join(", ")) };
    Standing { stands, line }
}

/// "running", "running healthy"
fn state(container: &Container) -> String {
    let words = format!("{} {}", container.state.word(), container.health.word());
    words.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use tidegate_compose::labels;

    use super::*;
    use crate::{
        apps::ServiceName,
        docker::{ContainerHealth, ContainerState},
        release::plan::Ends,
    };

    fn service(name: &str, replicas: usize, ends: Ends) -> ServingService {
        ServingService { name: ServiceName::new(name), replicas, ends, probes: Vec::new(), backup: None }
    }

    fn container(service: &str, state: ContainerState, health: ContainerHealth) -> Container {
        Container {
            name: format!("shop-{service}-1"),
            labels: [(labels::SERVICE.to_owned(), service.to_owned())].into(),
            state,
            health,
            exit_code: i64::from(state == ContainerState::Exited),
            ..Container::default()
        }
    }

    #[test]
    fn an_app_serves_when_all_of_it_runs_and_nothing_is_ill() {
        use ContainerHealth::{Healthy, None, Starting, Unhealthy};
        use ContainerState::{Exited, Running};
        let services = [service("db", 1, Ends::Never), service("web", 1, Ends::Never)];
        let judged = |db, web| {
            let containers = [container("db", Running, db), container("web", Running, web)];
            judge(ReleaseNumber::new(42), &services, &containers)
        };
        let serves = judged(Healthy, None);
        assert_eq!(
            (serves.stands, serves.line.as_str()),
            (Stands::Serves, "r42: shop-db-1 running healthy, shop-web-1 running")
        );
        assert_eq!(judged(Healthy, Starting).stands, Stands::Coming);
        let ill = judged(Unhealthy, Starting);
        assert_eq!(ill.stands, Stands::Fails);
        assert!(
            ill.line
                .starts_with("r42: shop-db-1: its health check failed, shop-web-1: it is running starting"),
            "{ill:?}"
        );
        let gone = judge(ReleaseNumber::new(42), &services, &[container("web", Exited, None)]);
        assert_eq!(gone.line, "r42: db has 0 of 1 containers, shop-web-1: it ended with exit code 1");
        // A task that ended and was cleared away is no fault.
        let task = judge(ReleaseNumber::new(42), &[service("task", 1, Ends::Always)], &[]);
        assert_eq!((task.stands, task.line.as_str()), (Stands::Serves, "r42"));
    }
}
