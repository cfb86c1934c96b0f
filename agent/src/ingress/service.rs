//! The ingress as a service: kept running, attached to apps, told what to serve.

use std::{collections::HashMap, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use bollard::models::{EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkCreateRequest};
use tokio::sync::Mutex;

use super::{
    AdminError, AppRoutes, CONTAINER, LABEL, NETWORK, OWN_SLOT, Route, admin, config, container, hosts,
    network_name, routes, store, subnet,
};
use crate::{
    apps::AppName,
    docker::{AnonymousVolumes, Container, Docker, DockerError, NetworkFacts, Reference},
    store::{Database, DatabaseError, ReplaceError, atomic_replace},
};

/// How long a fresh container may take until its admin socket answers.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How many subnets are tried when others make networks at the same time.
const SUBNET_TRIES: usize = 5;

/// Where the ingress keeps its files, and what it runs.
#[derive(Clone, Debug)]
pub struct IngressSettings {
    /// Its folder, `/var/lib/tidegate/ingress`.
    pub folder: PathBuf,
    /// Caddy's image.
    pub image: String,
}

/// Why the ingress does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// Docker.
    #[error("the ingress could not be set up")]
    Docker(#[source] DockerError),
    /// The database.
    #[error("the ingress's routes could not be stored or read")]
    Database(#[source] DatabaseError),
    /// A file.
    #[error("a file of the ingress could not be written")]
    File(#[source] std::io::Error),
    /// Its configuration.
    #[error("the ingress's configuration could not be written")]
    Replace(#[source] ReplaceError),
    /// Caddy.
    #[error("the ingress did not take its routes")]
    Admin(#[source] AdminError),
    /// No subnet.
    #[error("there is no free subnet for the network {0}; remove networks that nobody uses")]
    NoSubnet(String),
    /// The app's network has another form than expected.
    #[error("the network {0} has no subnet that the ingress can use; remove it and deploy again")]
    BadNetwork(String),
}

/// The ingress. Cheap to clone; changes happen one after the other.
#[derive(Clone, Debug)]
pub struct Ingress {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    docker: Docker,
    database: Database,
    settings: IngressSettings,
    lock: Mutex<()>,
}

impl Ingress {
    /// With these parts; nothing happens yet.
    pub fn new(docker: Docker, database: Database, settings: IngressSettings) -> Self {
        Self { inner: Arc::new(Inner { docker, database, settings, lock: Mutex::new(()) }) }
    }

    /// Everything that it serves, by app.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn routes(&self) -> Result<Vec<(AppName, AppRoutes)>, IngressError> {
        store::all(&self.inner.database).await.map_err(IngressError::Database)
    }

    /// Sees to it that the container runs as it should and is attached to every app's network.
    ///
    /// # Errors
    /// When Docker refuses, or Caddy does not come up.
    pub async fn ensure(&self) -> Result<(), IngressError> {
        let _guard = self.inner.lock.lock().await;
        self.ensure_locked().await
    }

    /// Makes the app's network, if it is not there, and attaches the ingress; the network's subnet.
    ///
    /// # Errors
    /// When there is no free subnet, or Docker refuses.
    pub async fn join(&self, app: &AppName) -> Result<String, IngressError> {
        let _guard = self.inner.lock.lock().await;
        let name = network_name(app);
        if self.find(&name).await?.is_none() {
            self.create_network(app, &name).await?;
        }
        self.ensure_locked().await?;
        self.subnet(app).await
    }

    /// The subnet of an app's network.
    ///
    /// # Errors
    /// When there is no such network.
    pub async fn subnet(&self, app: &AppName) -> Result<String, IngressError> {
        let name = network_name(app);
        let subnet = self.find(&name).await?.and_then(|network| network.subnets.into_iter().next());
        subnet.ok_or(IngressError::BadNetwork(name))
    }

    /// Serves these routes for the app from now on, and nothing else.
    ///
    /// # Errors
    /// When they could not be stored, or Caddy refuses them; the next [`Ingress::ensure`] tries again.
    pub async fn serve(&self, app: &AppName, routes: &AppRoutes) -> Result<(), IngressError> {
        let _guard = self.inner.lock.lock().await;
        store::set(&self.inner.database, app, routes).await.map_err(IngressError::Database)?;
        self.write_hosts().await?;
        if self.write_config().await? == Config::Empty && self.container().await?.is_none() {
            return Ok(());
        }
        self.load().await
    }

    /// Forgets the app and removes its network.
    ///
    /// # Errors
    /// When Docker refuses.
    pub async fn forget(&self, app: &AppName) -> Result<(), IngressError> {
        self.serve(app, &AppRoutes::default()).await?;
        let _guard = self.inner.lock.lock().await;
        let name = network_name(app);
        let docker = &self.inner.docker;
        docker.detach(&name, CONTAINER).await.map_err(IngressError::Docker)?;
        docker.remove_network(&name).await.map_err(IngressError::Docker)
    }

    async fn find(&self, name: &str) -> Result<Option<NetworkFacts>, IngressError> {
        self.inner.docker.network(name).await.map_err(IngressError::Docker)
    }

    async fn container(&self) -> Result<Option<Container>, IngressError> {
        self.inner.docker.container(CONTAINER).await.map_err(IngressError::Docker)
    }

    async fn ensure_locked(&self) -> Result<(), IngressError> {
        self.make_folders()?;
        self.write_hosts().await?;
        self.write_config().await?;
        self.ensure_container().await?;
        self.attach().await?;
        self.await_config().await
    }

    fn make_folders(&self) -> Result<(), IngressError> {
        use std::os::unix::fs::DirBuilderExt as _;
        for name in ["etc", "run", "data"] {
            let mut builder = std::fs::DirBuilder::new();
            let folder = self.inner.settings.folder.join(name);
            builder.recursive(true).mode(0o700).create(folder).map_err(IngressError::File)?;
        }
        Ok(())
    }

    async fn write_hosts(&self) -> Result<(), IngressError> {
        let mut entries: Vec<(Ipv4Addr, String)> = Vec::new();
        for (app, served) in self.routes().await? {
            for (service, addresses) in &served.targets {
                let name = routes::alias(&app, service);
                entries.extend(addresses.iter().map(|address| (*address, name.clone())));
            }
        }
        self.make_folders()?;
        hosts::write(&self.inner.settings.folder.join("etc/hosts"), &entries).map_err(IngressError::File)
    }

    async fn write_config(&self) -> Result<Config, IngressError> {
        let mut all: Vec<(AppName, Route)> = Vec::new();
        for (app, served) in self.routes().await? {
            all.extend(served.routes.into_iter().map(|route| (app.clone(), route)));
        }
        let text = serde_json::to_vec_pretty(&config::render(&all)).unwrap_or_default();
        let path = self.inner.settings.folder.join("etc/caddy.json");
        if fs_err::read(&path).ok().as_ref() != Some(&text) {
            atomic_replace(&path, &text, 0o600).map_err(IngressError::Replace)?;
        }
        Ok(if all.is_empty() { Config::Empty } else { Config::Routes })
    }

    async fn ensure_container(&self) -> Result<(), IngressError> {
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
        let image_id = self.image().await?;
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

    /// The id of Caddy's image; it is pulled once, when it is not there.
    async fn image(&self) -> Result<String, IngressError> {
        let docker = &self.inner.docker;
        let name = &self.inner.settings.image;
        if let Some(image) = docker.image(name).await.map_err(IngressError::Docker)? {
            return Ok(image.id);
        }
        let reference = Reference::parse(name);
        let digest = docker.resolve(&reference).await.map_err(IngressError::Docker)?.digest;
        docker.pull(&reference, &digest, |_| ()).await.map_err(IngressError::Docker)?;
        let image = docker.image(name).await.map_err(IngressError::Docker)?;
        Ok(image.map(|image| image.id).unwrap_or_default())
    }

    async fn attach(&self) -> Result<(), IngressError> {
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

    async fn create_network(&self, app: &AppName, name: &str) -> Result<(), IngressError> {
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

    async fn load(&self) -> Result<(), IngressError> {
        let folder = &self.inner.settings.folder;
        let config = fs_err::read(folder.join("etc/caddy.json")).map_err(IngressError::File)?;
        admin::load(&folder.join("run/admin.sock"), config).await.map_err(IngressError::Admin)
    }

    /// Waits until Caddy has the configuration: a fresh container needs a moment.
    async fn await_config(&self) -> Result<(), IngressError> {
        let started = tokio::time::Instant::now();
        loop {
            match self.load().await {
                Err(IngressError::Admin(AdminError::Connect(_) | AdminError::Http(_)))
                    if started.elapsed() < START_PATIENCE =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                result => return result,
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Config {
    Empty,
    Routes,
}

/// An endpoint with a fixed address.
pub(crate) fn fixed_endpoint(address: Ipv4Addr) -> EndpointSettings {
    let ipam =
        EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..EndpointIpamConfig::default() };
    EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() }
}
