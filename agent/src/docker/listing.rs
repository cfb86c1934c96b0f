//! All containers at a glance: one call, without looking at each.

use std::collections::HashMap;

use bollard::{
    models::{ContainerSummary, ContainerSummaryStateEnum, PortSummaryTypeEnum},
    query_parameters::ListContainersOptionsBuilder,
};

use super::{
    Container, ContainerState, Docker, DockerError,
    client::{CALL, within},
};

/// A container as the list shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// Host ports that it holds now, as `address:port/protocol`.
    pub host_ports: Vec<String>,
    /// What the list tells of one that runs: enough to see whether it is as it should be. Its restart policy, grace and
    /// health need a look at it.
    pub running: Option<Container>,
}

/// What the engine can make networks and volumes of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drivers {
    /// Of networks.
    pub network: Vec<String>,
    /// Of volumes.
    pub volume: Vec<String>,
}

impl Docker {
    /// The drivers of networks and volumes that the engine has.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn drivers(&self) -> Result<Drivers, DockerError> {
        let info = within("look at the engine's drivers", CALL, self.api().await?.info()).await?;
        let plugins = info.plugins.unwrap_or_default();
        Ok(Drivers {
            network: plugins.network.unwrap_or_default(),
            volume: plugins.volume.unwrap_or_default(),
        })
    }

    /// All containers, running or not.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn listed(&self) -> Result<Vec<Listed>, DockerError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let list =
            within("list the containers", CALL, self.api().await?.list_containers(Some(options))).await?;
        Ok(list.into_iter().map(listed).collect())
    }
}

fn listed(summary: ContainerSummary) -> Listed {
    let is_running = summary.state == Some(ContainerSummaryStateEnum::RUNNING);
    let port = |port: bollard::models::PortSummary| {
        let protocol = port.typ.unwrap_or(PortSummaryTypeEnum::TCP);
        Some(format!("{}:{}/{protocol}", port.ip.unwrap_or_default(), port.public_port?))
    };
    let held = summary.ports.unwrap_or_default().into_iter().filter(|_| is_running).filter_map(port);
    // A container that is linked to has further names, `/other/alias`.
    let names = summary.names.unwrap_or_default();
    let name = names.iter().map(|name| name.trim_start_matches('/')).find(|name| !name.contains('/'));
    let networks = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mounts = summary.mounts.unwrap_or_default();
    let (id, labels) = (summary.id.unwrap_or_default(), summary.labels.unwrap_or_default());
    let host_ports: Vec<String> = held.collect();
    let running = is_running.then(|| Container {
        id: id.clone(),
        name: name.unwrap_or_default().to_owned(),
        image: summary.image.unwrap_or_default(),
        image_id: summary.image_id.unwrap_or_default(),
        labels: labels.clone(),
        state: ContainerState::Running,
        addresses: networks
            .into_iter()
            .map(|(network, endpoint)| (network, endpoint.ip_address.unwrap_or_default()))
            .collect(),
        volumes: mounts.into_iter().filter_map(|mount| Some((mount.destination?, mount.name?))).collect(),
        host_ports: host_ports.clone(),
        ..Container::default()
    });
    Listed { id, name: name.unwrap_or_default().to_owned(), labels, host_ports, running }
}
