//! Networks: looking, making, removing, attaching.

use std::collections::HashMap;

use bollard::{
    models::{EndpointSettings, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest},
    query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder},
};

use super::{
    Docker, DockerError,
    client::{CALL, SETUP, within},
};

/// What is known about a network that is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkFacts {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// What makes the same network again.
    pub definition: NetworkCreateRequest,
}

impl Docker {
    /// All networks.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn networks(&self) -> Result<Vec<NetworkFacts>, DockerError> {
        let options = ListNetworksOptionsBuilder::default().build();
        let list = within("list the networks", CALL, self.api().await?.list_networks(Some(options))).await?;
        let facts = |network: bollard::models::Network| NetworkFacts {
            definition: definition(&network),
            id: network.id.unwrap_or_default(),
            name: network.name.unwrap_or_default(),
            labels: network.labels.unwrap_or_default(),
            subnets: network
                .ipam
                .and_then(|ipam| ipam.config)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|pool| pool.subnet)
                .collect(),
        };
        Ok(list.into_iter().map(facts).collect())
    }

    /// The network of exactly that name.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn network(&self, name: &str) -> Result<Option<NetworkFacts>, DockerError> {
        Ok(self.networks().await?.into_iter().find(|network| network.name == name))
    }

    /// Makes a network.
    ///
    /// # Errors
    /// When the engine refuses, for example because its subnet is taken.
    pub async fn create_network(&self, request: NetworkCreateRequest) -> Result<(), DockerError> {
        let doing = format!("create the network {}", request.name);
        within(&doing, SETUP, self.api().await?.create_network(request)).await.map(drop)
    }

    /// Removes a network; one that is not there is removed.
    ///
    /// # Errors
    /// When it is in use, or the engine does not answer.
    pub async fn remove_network(&self, name: &str) -> Result<(), DockerError> {
        let doing = format!("remove the network {name}");
        match within(&doing, SETUP, self.api().await?.remove_network(name)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Names of the containers that are attached to a network and run; none when there is no such network.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn attached(&self, network: &str) -> Result<Vec<String>, DockerError> {
        let doing = format!("look at the network {network}");
        let api = self.api().await?;
        match within(&doing, CALL, api.inspect_network(network, None::<InspectNetworkOptions>)).await {
            Ok(found) => {
                let containers = found.containers.unwrap_or_default();
                Ok(containers.into_values().filter_map(|endpoint| endpoint.name).collect())
            }
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Attaches a container; one that is attached already stays as it is.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn attach(
        &self,
        network: &str,
        container: &str,
        endpoint: EndpointSettings,
    ) -> Result<(), DockerError> {
        let doing = format!("attach {container} to the network {network}");
        let request =
            NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
        match within(&doing, SETUP, self.api().await?.connect_network(network, request)).await {
            Err(error) if error.message().is_some_and(|m| m.contains("already exists in network")) => Ok(()),
            result => result,
        }
    }

    /// Detaches a container; one that is not attached is detached.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn detach(&self, network: &str, container: &str) -> Result<(), DockerError> {
        let doing = format!("detach {container} from the network {network}");
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(false) };
        match within(&doing, SETUP, self.api().await?.disconnect_network(network, request)).await {
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.message().is_some_and(|m| m.contains("is not connected")) => Ok(()),
            result => result,
        }
    }
}

/// What makes the same network again, its addresses included.
fn definition(network: &bollard::models::Network) -> NetworkCreateRequest {
    let network = network.clone();
    NetworkCreateRequest {
        name: network.name.unwrap_or_default(),
        driver: network.driver,
        internal: network.internal,
        attachable: network.attachable,
        ipam: network.ipam,
        enable_ipv4: network.enable_ipv4,
        enable_ipv6: network.enable_ipv6,
        options: network.options,
        labels: network.labels,
        ..NetworkCreateRequest::default()
    }
}
