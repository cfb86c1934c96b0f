//! A planned probe, put to a container: its address, the question, the deadline, and what is said when it fails.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures::future::join_all;
use tidegate_compose::{
    Project,
    model::{Command, Hook},
};

use super::{
    chain,
    context::Context,
    plan::{PlannedProbe, ProbeTarget},
    redact::Redactor,
};
use crate::{
    apps::AppName,
    docker::{Container, Docker, DockerError, HookEnd},
    ingress,
    probe::{self, Dial, Question},
};

/// How much of an answer is shown, in characters: beside the question some 200 of a body.
const SHOWN: usize = 240;
/// A network namespace is shared over so many containers at most.
const HOPS: usize = 4;

/// What asking takes.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) app: &'a AppName,
    pub(super) project: &'a Project,
    pub(super) docker: &'a Docker,
    pub(super) dial: &'a dyn Dial,
    pub(super) redactor: &'a Redactor,
}

impl<'a> From<&'a Context> for Asker<'a> {
    fn from(context: &'a Context) -> Self {
        Self {
            app: &context.id.app,
            project: &context.project,
            docker: &context.docker,
            dial: context.dial.as_ref(),
            redactor: &context.redactor,
        }
    }
}

/// Puts all probes to a container, side by side.
///
/// # Errors
/// What the first one that failed was told: "GET :8000/health answered 503: {...}". Without secrets.
pub(super) async fn all<'a>(
    asker: impl Into<Asker<'a>>,
    container: &Container,
    probes: &[PlannedProbe],
) -> Result<(), String> {
    let asker = asker.into();
    let answers = join_all(probes.iter().map(|probe| one(asker, container, probe))).await;
    answers.into_iter().collect()
}

/// Puts one probe to a container, within its own deadline.
///
/// # Errors
/// As [`all`].
pub(super) async fn one<'a>(
    asker: impl Into<Asker<'a>>,
    container: &Container,
    probe: &PlannedProbe,
) -> Result<(), String> {
    let asker = asker.into();
    let asked = match &probe.target {
        // It sets its own deadline, for there is something to be killed at it.
        ProbeTarget::Command { command } => in_container(asker, container, (command, probe.timeout)).await,
        target => {
            let asked = tokio::time::timeout(probe.timeout, over_network(asker, container, target)).await;
            let late = || format!("did not answer within {} s", seconds(probe.timeout));
            asked.unwrap_or_else(|_| Err(late()))
        }
    };
    let Err(why) = asked else { return Ok(()) };
    // Cut only when it is free of secrets: half of one would not be found.
    let told = asker.redactor.redact(&format!("{} {why}", probe.target));
    Err(told.chars().take(SHOWN).collect())
}

/// With one decimal, where it is not zero.
pub fn seconds(time: Duration) -> String {
    let tenths = time.subsec_millis() / 100;
    if tenths == 0 { time.as_secs().to_string() } else { format!("{}.{tenths}", time.as_secs()) }
}

async fn over_network(asker: Asker<'_>, container: &Container, target: &ProbeTarget) -> Result<(), String> {
    let dial = asker.dial;
    let address = address(asker, container).await?;
    match target {
        ProbeTarget::Http { port, path, host, status, contains } => {
            let question = Question { path, host, status: *status, contains: contains.as_deref() };
            probe::get(dial, SocketAddr::new(address, *port), question).await.map_err(|error| chain(&error))
        }
        ProbeTarget::Tcp { port } => {
            probe::connect(dial, SocketAddr::new(address, *port)).await.map_err(|error| chain(&error))
        }
        ProbeTarget::Command { .. } => Ok(()),
    }
}

async fn in_container(
    asker: Asker<'_>,
    container: &Container,
    (command, deadline): (&[String], Duration),
) -> Result<(), String> {
    let hook = Hook { command: Command(Some(command.to_vec())), ..Hook::default() };
    match asker.docker.run_probe(&container.id, (&hook, deadline)).await {
        Ok(HookEnd { exit_code: 0, .. }) => Ok(()),
        Ok(HookEnd { exit_code, last_lines }) => {
            let last = last_lines.last().map_or_else(String::new, |line| format!(": {line}"));
            Err(format!("ended with exit code {exit_code}{last}"))
        }
        Err(DockerError::Deadline { deadline, .. }) => {
            Err(format!("did not end within {} s and was killed", seconds(deadline)))
        }
        Err(error) => Err(format!("could not be run: {}", chain(&error))),
    }
}

/// Where the container is reached from the droplet; that of another one, where it lives in that one's network.
async fn address(asker: Asker<'_>, container: &Container) -> Result<IpAddr, String> {
    let mut other: Option<Container> = None;
    for _ in 0..HOPS {
        let current = other.as_ref().unwrap_or(container);
        let Some(target) = current.network_mode.strip_prefix("container:") else {
            return own_address(asker, current)
                .ok_or_else(|| "cannot be asked: the container has no address on a network".to_owned());
        };
        let found = asker.docker.container(target).await;
        let found = found.map_err(|error| format!("cannot be asked: {}", chain(&error)))?;
        other = Some(found.ok_or("cannot be asked: the container whose network it shares is gone")?);
    }
    Err("cannot be asked: it shares the network of one that shares that of another one".to_owned())
}

fn own_address(asker: Asker<'_>, container: &Container) -> Option<IpAddr> {
    if container.network_mode == "host" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let behind = ingress::network_name(asker.app);
    preferred(asker.project, &behind, container)
}

/// The address that the droplet can reach best: at the ingress, else on a bridge.
fn preferred(project: &Project, behind: &str, container: &Container) -> Option<IpAddr> {
    let rank = |network: &str| {
        let own = project.networks.values().find(|own| own.name == network);
        // The kernel keeps a droplet from talking to its own containers on these.
        let is_apart = own.is_some_and(|own| matches!(own.driver.as_str(), "macvlan" | "ipvlan"));
        (network != behind, is_apart, network.to_owned())
    };
    let addresses = container.addresses.iter();
    let known = addresses.filter_map(|(network, text)| Some((rank(network), text.parse::<IpAddr>().ok()?)));
    known.min_by(|left, right| left.0.cmp(&right.0)).map(|(_, address)| address)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_droplet_asks_where_it_reaches_the_container() {
        let mut project = Project::default();
        let mut network = tidegate_compose::model::Network { name: "shop_lan".into(), ..Default::default() };
        network.driver = "macvlan".to_owned();
        project.networks.insert("lan".to_owned(), network);
        let found = |addresses: &[(&str, &str)]| {
            let addresses: HashMap<String, String> =
                addresses.iter().map(|(name, at)| ((*name).to_owned(), (*at).to_owned())).collect();
            let container = Container { addresses, ..Container::default() };
            preferred(&project, "tidegate-ingress-shop", &container).map(|address| address.to_string())
        };
        let all =
            [("shop_lan", "10.0.0.1"), ("shop_default", "10.0.0.2"), ("tidegate-ingress-shop", "10.0.0.3")];
        assert_eq!(found(&all).as_deref(), Some("10.0.0.3"));
        assert_eq!(found(&all[..2]).as_deref(), Some("10.0.0.2"));
        assert_eq!(found(&all[..1]).as_deref(), Some("10.0.0.1"));
        assert_eq!(found(&[("shop_default", "")]), None);
    }

    #[test]
    fn tenths_are_shown_where_there_are_some() {
        assert_eq!(seconds(Duration::from_secs(5)), "5");
        assert_eq!(seconds(Duration::from_millis(1500)), "1.5");
    }
}
