//! Which droplet runs a service: where an app has several, its services need not be on all of them.
//!
//! Owns the choice. Must not run anything there.

use futures::future::join_all;
use tidegate_proto::v1::{AppStatus, StatusRequest, StatusResponse};

use super::reach::Reach;
use crate::{
    agents::{Agent, AgentError, Selection, Target},
    failure::Failure,
    fleet::App,
    names::Name,
};

/// What an agent says of the app: its agent with it, or why it could not be asked.
type Asked = Result<(Agent, StatusResponse), AgentError>;

/// The agent of the first droplet on which `service` runs, or where it is stopped. Of one droplet alone it is not asked: its agent
/// says best what is wrong.
///
/// # Errors
/// When no droplet is meant, or the only one that is left cannot be reached.
pub(super) async fn carrier(
    reach: &Reach,
    (name, app): (&Name, &App),
    selection: Selection<'_>,
    service: &str,
) -> anyhow::Result<Agent> {
    let targets = reach.targets((name, app), selection)?;
    let (first, others) = targets.split_first().ok_or_else(no_droplet)?;
    if others.is_empty() {
        return Ok(reach.connect(first).await?);
    }
    let mut asked: Vec<Asked> = join_all(targets.iter().map(|target| ask(reach, target, name))).await;
    let states: Vec<Option<State>> =
        asked.iter().map(|asked| asked.as_ref().ok().map(|(_, status)| state(status, service))).collect();
    Ok(asked.swap_remove(choose(&states)).map(|(agent, _)| agent)?)
}

/// That no droplet is left after what the user chose.
pub(super) fn no_droplet() -> Failure {
    Failure::input("no droplet is meant").hint("`tidegate info` lists droplets")
}

async fn ask(reach: &Reach, target: &Target, app: &Name) -> Asked {
    let agent = reach.connect(target).await?;
    let mut client = agent.client();
    let status = agent.call(client.status(StatusRequest { app: app.to_string() })).await?;
    Ok((agent, status))
}

/// What a droplet has of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs,
    Stopped,
    Absent,
}

fn state(status: &StatusResponse, service: &str) -> State {
    let services = status.apps.iter().flat_map(|AppStatus { services, .. }| services);
    let mut containers =
        services.filter(|found| found.service == service).flat_map(|found| &found.containers);
    match containers.clone().next() {
        None => State::Absent,
        Some(_) if containers.any(|container| container.state == "running") => State::Runs,
        Some(_) => State::Stopped,
    }
}

/// The place in the list of the one to turn to. Where the service is nowhere, one that could not be asked may have it.
fn choose(states: &[Option<State>]) -> usize {
    let wanted = [Some(State::Runs), Some(State::Stopped), None];
    wanted.iter().find_map(|wanted| states.iter().position(|state| state == wanted)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::{ContainerStatus, ServiceStatus};

    use super::*;

    fn droplet(services: &[(&str, &str)]) -> StatusResponse {
        let services = services.iter().map(|(service, state)| ServiceStatus {
            service: (*service).to_owned(),
            containers: vec![ContainerStatus { state: (*state).to_owned(), ..ContainerStatus::default() }],
        });
        StatusResponse { apps: vec![AppStatus { services: services.collect(), ..AppStatus::default() }] }
    }

    #[test]
    fn a_droplet_where_it_runs_goes_before_one_where_it_is_stopped_or_that_does_not_answer() {
        let first = droplet(&[("web", "running"), ("worker", "exited")]);
        let second = droplet(&[("web", "running"), ("worker", "running"), ("poller", "exited")]);
        let droplets = [None, Some(first), Some(second)];
        let chosen = |service| {
            choose(&droplets.each_ref().map(|droplet| droplet.as_ref().map(|status| state(status, service))))
        };
        assert_eq!([chosen("web"), chosen("worker"), chosen("poller"), chosen("nobody")], [1, 2, 2, 0]);
        assert_eq!(choose(&[Some(State::Absent), Some(State::Absent)]), 0);
    }
}
