//! The ingress's container and networks.

use std::{collections::HashMap, net::Ipv4Addr};

use bollard::models::{EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkCreateRequest};

use super::Ingress;
use crate::{
    apps::AppName,
    docker::{AnonymousVolumes, Container, NetworkFacts, PullProgress, Reference},
    ingress::{CONTAINER, IngressError, LABEL, NETWORK, OWN_SLOT, container, subnet},
};

/// How many subnets are tried when others make networks at the same time.
const SUBNET_TRIES: usize = 5;

impl Ingress {
    pub(super) async fn find(&self, name: &str) -> Result<Option<NetworkFacts>, IngressError> {
        self.inner.docker.network(name).await.map_err(IngressError::Docker)
    }

    pub(super) async fn container(&self) -> Result<Option<Container>, IngressError> {
        self.inner.docker.container(CONTAINER).await.map_err(IngressError::Docker)
    }

    pub(super) async fn ensure_container(&self) -> Result<(), IngressError> {
        let docker = &self.inner.docker;
        let failed = IngressError::Docker;
        if self.find(NETWORK).await?.is_none() {
            let labels = HashMap::from([(LABEL.to_owned(), String::new())]);
            let request = NetworkCreateRequest {
                name: NETWORK.to_owned(),
                labels: Some(labels),
                ..NetworkCreateRequest::default()
            };
            docker.create_network(request).await.map_err(failed)?;
        }
        let image_id = self.image(|_| ()).await?;
        let settings = &self.inner.settings;
        let body = container::body(&settings.folder, &settings.image, &image_id);
        if let Some(found) = self.container().await? {
            if found.label(container::SPEC_LABEL) == container::digest(&body) {
                if !found.is_running() {
                    docker.start(CONTAINER).await.map_err(failed)?;
                }
                return Ok(());
            }
            docker.stop(&found).await.map_err(failed)?;
            docker.remove(CONTAINER, AnonymousVolumes::Remove).await.map_err(failed)?;
        }
        docker.create(CONTAINER, "", body).await.map_err(failed)?;
        if let Err(error) = docker.start(CONTAINER).await {
            // Its ports may be taken: nothing is left behind.
            docker.remove(CONTAINER, AnonymousVolumes::Remove).await.map_err(failed)?;
            return Err(failed(error));
        }
        Ok(())
    }

    /// The name of Caddy's image.
    pub fn reference(&self) -> Reference {
        Reference::parse(&self.inner.settings.image)
    }

    /// The id of Caddy's image; it is pulled once, when it is not there.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn image(&self, progress: impl FnMut(PullProgress) + Send) -> Result<String, IngressError> {
        let docker = &self.inner.docker;
        let name = &self.inner.settings.image;
        if let Some(image) = docker.image(name).await.map_err(IngressError::Docker)? {
            return Ok(image.id);
        }
        let reference = self.reference();
        let digest = docker.resolve(&reference).await.map_err(IngressError::Docker)?.digest;
        docker.pull(&reference, &digest, progress).await.map_err(IngressError::Docker)?;
        let image = docker.image(name).await.map_err(IngressError::Docker)?;
        Ok(image.map(|image| image.id).unwrap_or_default())
    }

    pub(super) async fn attach(&self) -> Result<(), IngressError> {
        let docker = &self.inner.docker;
        let has = self.container().await?.map(|container| container.addresses).unwrap_or_default();
        for network in docker.networks().await.map_err(IngressError::Docker)? {
            let is_ours = network.labels.get(LABEL).is_some_and(|app| !app.is_empty());
            if !is_ours || has.contains_key(&network.name) {
                continue;
            }
            let subnet = network.subnets.first().map(String::as_str).unwrap_or_default();
            let address = subnet::address(subnet, OWN_SLOT)
                .ok_or_else(|| IngressError::BadNetwork(network.name.clone()))?;
            docker
                .attach(&network.name, CONTAINER, fixed_endpoint(address))
                .await
                .map_err(IngressError::Docker)?;
        }
        Ok(())
    }

    pub(super) async fn create_network(&self, app: &AppName, name: &str) -> Result<(), IngressError> {
        let mut last = IngressError::NoSubnet(name.to_owned());
        for skip in 0..SUBNET_TRIES {
            let networks = self.inner.docker.networks().await.map_err(IngressError::Docker)?;
            let in_use = networks.iter().flat_map(|network| network.subnets.iter().map(String::as_str));
            let Some(subnet) = subnet::free(in_use, skip) else {
                break;
            };
            let pool = IpamConfig { subnet: Some(subnet), ..IpamConfig::default() };
            let request = NetworkCreateRequest {
                name: name.to_owned(),
                // No way out, and none from the host: only the ingress and the app's services stand on it.
                internal: Some(true),
                ipam: Some(Ipam { config: Some(vec![pool]), ..Ipam::default() }),
                labels: Some(HashMap::from([(LABEL.to_owned(), app.to_string())])),
                ..NetworkCreateRequest::default()
            };
            match self.inner.docker.create_network(request).await {
                Ok(()) => return Ok(()),
                Err(error) => last = IngressError::Docker(error),
            }
        }
        Err(last)
    }
}

/// An endpoint with a fixed address.
pub(crate) fn fixed_endpoint(address: Ipv4Addr) -> EndpointSettings {
    let ipam =
        EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..EndpointIpamConfig::default() };
    EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() }
}
