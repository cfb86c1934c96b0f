//! Standing still for a database: the containers that use it are stopped and started again, and nobody else changes the app
//! meanwhile.
//!
//! Owns who these are, and the order in which they stop and start. Must not know what is done to the database.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tidegate_compose::{Project, Service, order, x_tidegate::Gate};
use tokio::time::Instant;

use super::{
    Engine, EngineError, Failure,
    engine::{Reservation, is_unfinished},
    gate,
    load::LoadedProject,
    plan::Ends,
};
use crate::{
    apps::{AppName, ServiceName},
    docker::{Container, ContainerHealth},
};

/// Between looks at a container that starts.
const LOOK: Duration = Duration::from_millis(300);
/// How many last lines are told of one that does not get well.
const LAST_LINES: u32 = 20;

/// An app that nobody else may change as long as this lives.
pub struct Hold {
    pub(super) reservation: Reservation,
}

impl Hold {
    /// Which app.
    pub(super) fn app(&self) -> &AppName {
        &self.reservation.app
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

/// A container that uses the database and ran when it was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// Its service.
    pub service: ServiceName,
    /// Its name.
    pub container: String,
    /// How long it has to stay well after its start.
    pub stable: Duration,
    /// How long it may take to get there.
    pub timeout: Duration,
}

impl Engine {
    /// Takes an app: no release, rollback or removal of it begins as long as what is returned lives.
    ///
    /// # Errors
    /// When somebody else has it, or its last release is stuck.
    pub async fn hold(
        &self,
        app: &AppName,
        (what, actor): (&'static str, &str),
    ) -> Result<Hold, EngineError> {
        let reservation = self.reserve(app, (what, actor))?;
        let rows = self.releases(app).await?;
        match rows.iter().find(|row| is_unfinished(row)) {
            Some(row) => Err(EngineError::Stuck { app: app.clone(), release: row.number }),
            None => Ok(Hold { reservation }),
        }
    }

    /// The running containers of the services that use `service`, each before those that it depends on. Which these are,
    /// the Compose file tells: who depends on it, directly or not, and whose variables name it as a host.
    ///
    /// # Errors
    /// When no release of the app serves, its files cannot be read, or Docker does not answer.
    pub async fn writers(&self, app: &AppName, service: &ServiceName) -> Result<Vec<Writer>, EngineError> {
        let (_, LoadedProject { project, extension, .. }) = self.serving_project(app).await?;
        let containers = self.containers(app, None).await?;
        let mut writers = Vec::new();
        for name in using(&project, service.as_str()) {
            let gate = extension.services.get(&name).map_or_else(Gate::default, |found| found.gate.clone());
            let own = containers.iter().filter(|one| one.service() == Some(name.as_str()));
            writers.extend(own.filter(|one| one.is_running()).map(|one| Writer {
                service: ServiceName::new(&name),
                container: one.name.clone(),
                stable: gate.stable,
                timeout: gate.timeout,
            }));
        }
        Ok(writers)
    }

    /// Stops them, each by its own signal and in its own time. One that is gone is stopped.
    ///
    /// # Errors
    /// When one does not stop.
    pub async fn stop_writers(&self, writers: &[Writer]) -> Result<(), EngineError> {
        let docker = self.docker();
        for writer in writers {
            let found = docker.container(&writer.container).await.map_err(EngineError::Docker)?;
            if let Some(container) = found {
                docker.stop(&container).await.map_err(EngineError::Docker)?;
            }
        }
        Ok(())
    }

    /// Starts them, each after those that it depends on. They may not be well yet.
    ///
    /// # Errors
    /// When one is gone or cannot be started.
    pub async fn start_writers(&self, writers: &[Writer]) -> Result<(), EngineError> {
        for writer in writers.iter().rev() {
            self.docker().start(&writer.container).await.map_err(EngineError::Docker)?;
        }
        Ok(())
    }

    /// The same, and waits until each has been well for its `stable`, within its `timeout`.
    ///
    /// # Errors
    /// As soon as it is clear that one will not be, with its last lines.
    pub async fn revive_writers(&self, writers: &[Writer]) -> Result<(), EngineError> {
        for writer in writers.iter().rev() {
            self.docker().start(&writer.container).await.map_err(EngineError::Docker)?;
            self.await_well(writer).await?;
        }
        Ok(())
    }

    async fn await_well(&self, writer: &Writer) -> Result<(), EngineError> {
        let begun = Instant::now();
        let (mut first, mut well_since) = (None, None);
        loop {
            let found = self.docker().container(&writer.container).await.map_err(EngineError::Docker)?;
            let Some(container) = found else {
                return Err(self.unwell(writer, "its container is gone").await);
            };
            let begin = *first.get_or_insert_with(|| gate::First::of(&container));
            match gate::judge(&container, begin, Ends::Never) {
                gate::Verdict::Well => {
                    let since: Instant = *well_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= writer.stable {
                        return Ok(());
                    }
                }
                gate::Verdict::Bad(why) => return Err(self.unwell(writer, &why).await),
                gate::Verdict::Waiting | gate::Verdict::Ended => well_since = None,
            }
            if begun.elapsed() >= writer.timeout.max(writer.stable) {
                return Err(self.unwell(writer, &late(&container, writer.timeout)).await);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn unwell(&self, writer: &Writer, why: &str) -> EngineError {
        let lines = self.docker().last_lines(&writer.container, LAST_LINES).await.unwrap_or_default();
        let what = format!("service {} did not get well", writer.service);
        EngineError::Failed(Failure::new(what, why).at(writer.container.clone()).details(lines))
    }
}

fn late(container: &Container, after: Duration) -> String {
    let health = match container.health {
        ContainerHealth::None => "",
        health => health.word(),
    };
    format!("after {} s it is {} {health}", after.as_secs(), container.state.word()).trim_end().to_owned()
}

/// The services that use another one, each before those that it depends on.
pub(super) fn using(project: &Project, used: &str) -> Vec<String> {
    let mut users: BTreeSet<&str> = BTreeSet::new();
    let names_it =
        |service: &Service| service.environment.values().flatten().any(|value| is_host_in(used, value));
    // As long as it grows: who depends on one that uses it uses it too.
    loop {
        let before = users.len();
        for (name, service) in &project.services {
            let depends = |on: &str| service.depends_on.contains_key(on) || is_linked(service, on);
            let uses = depends(used) || names_it(service) || users.iter().any(|user| depends(user));
            if name != used && uses {
                users.insert(name);
            }
        }
        if users.len() == before {
            break;
        }
    }
    let stages = order::stages(&project.services).unwrap_or_default();
    let place: BTreeMap<&str, usize> =
        stages.iter().flatten().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let mut ordered: Vec<String> = users.into_iter().map(str::to_owned).collect();
    ordered.sort_by_key(|name| std::cmp::Reverse(place.get(name.as_str()).copied()));
    ordered
}

fn is_linked(service: &Service, to: &str) -> bool {
    service.links.iter().any(|link| link.split(':').next() == Some(to))
}

/// Whether a variable's value has that name where a host stands: `postgres://shop@db:5432/shop`, `db`, `db,cache`.
fn is_host_in(name: &str, value: &str) -> bool {
    let before = |c: char| matches!(c, '@' | '/' | '=' | ',' | ' ');
    let after = |c: char| matches!(c, ':' | '/' | ',' | ' ' | '?');
    value.match_indices(name).any(|(at, _)| {
        let (start, rest) =
            (value.get(..at).unwrap_or_default(), value.get(at + name.len()..).unwrap_or_default());
        start.chars().next_back().is_none_or(before) && rest.chars().next().is_none_or(after)
    })
}

#[cfg(test)]
mod tests {
    use tidegate_compose::model::Dependency;

    use super::*;

    fn project(services: &[(&str, &[&str], Option<&str>)]) -> Project {
        let service = |needs: &[&str], url: Option<&str>| Service {
            depends_on: needs.iter().map(|need| ((*need).to_owned(), Dependency::default())).collect(),
            environment: url.into_iter().map(|url| ("URL".to_owned(), Some(url.to_owned()))).collect(),
            ..Service::default()
        };
        let services = services.iter().map(|(name, needs, url)| ((*name).to_owned(), service(needs, *url)));
        Project { services: services.collect(), ..Project::default() }
    }

    #[test]
    fn who_uses_the_database_stops_and_who_does_not_goes_on() {
        let shop = project(&[
            ("db", &[], None),
            ("redis", &[], None),
            ("web", &["db", "redis"], None),
            ("worker", &[], Some("postgres://shop@db:5432/shop")),
            ("page", &["web"], None),
            ("mail", &["redis"], Some("smtp://mail.example.com/db2")),
        ]);
        assert_eq!(using(&shop, "db"), ["page", "web", "worker"]);
        assert_eq!(using(&shop, "mail"), [""; 0]);
    }

    #[test]
    fn a_host_is_a_whole_word_at_a_hosts_place() {
        for value in ["postgres://a:b@db:5432/shop", "db", "db:5432", "host=db port=1", "redis,db", "//db/x"]
        {
            assert!(is_host_in("db", value), "{value}");
        }
        for value in ["", "postgres://a@mydb/shop", "db2", "db-replica", "db.example.com", "xdb"] {
            assert!(!is_host_in("db", value), "{value}");
        }
    }
}
