//! The ingress as a service: kept running, attached to apps, told what to serve.

mod files;
mod setup;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use files::{CONFIG, Config};
pub(crate) use setup::fixed_endpoint;
use tokio::sync::Mutex;

use super::{
    AdminError, AppRoutes, CONTAINER, Changed, IngressError, Maintenance, OwnCertificate, Route, admin,
    certificates::{self, HostCertificate},
    edge::Edge,
    network_name,
    responses::{self, Answered, Counts, Mark},
    sites::Sites,
    store,
};
use crate::{
    apps::{AppName, ServiceName},
    docker::Docker,
    store::Database,
};

/// Answers by app and service; a service without any has no entry.
pub type Answers = BTreeMap<(AppName, ServiceName), Answered>;

/// How long a fresh container may take until its admin socket answers.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Where the ingress keeps its files, and what it runs.
#[derive(Clone, Debug)]
pub struct IngressSettings {
    /// Its folder, `/var/lib/tidegate/ingress`.
    pub folder: PathBuf,
    /// Caddy's image.
    pub image: String,
    /// How it stands towards the world.
    pub edge: Edge,
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
        self.refuse_taken(app, routes).await?;
        store::set(&self.inner.database, app, routes).await.map_err(IngressError::Database)?;
        if self.write_files().await? == Config::Empty && self.container().await?.is_none() {
            return Ok(());
        }
        self.load().await?;
        self.forget_certificates().await
    }

    /// Forgets the app and removes its network.
    ///
    /// # Errors
    /// When Docker refuses.
    pub async fn forget(&self, app: &AppName) -> Result<(), IngressError> {
        let set = store::set_maintenance(&self.inner.database, app, Maintenance::Off).await;
        set.map_err(IngressError::Database)?;
        self.serve(app, &AppRoutes::default()).await?;
        let _guard = self.inner.lock.lock().await;
        let name = network_name(app);
        let docker = &self.inner.docker;
        docker.detach(&name, CONTAINER).await.map_err(IngressError::Docker)?;
        docker.remove_network(&name).await.map_err(IngressError::Docker)
    }

    /// Two releases at a time could both have found a host free.
    async fn refuse_taken(&self, app: &AppName, routes: &AppRoutes) -> Result<(), IngressError> {
        for (owner, served) in self.routes().await?.iter().filter(|(owner, _)| owner != app) {
            // Those without a host could be shared before that was refused, and have to be taken back by an undo.
            let is_theirs = |route: &&Route| {
                route.host.is_some() && served.routes.iter().any(|other| other.same_host(route))
            };
            if let Some(route) = routes.routes.iter().find(is_theirs) {
                return Err(IngressError::Taken { host: route.host_words(), app: owner.clone() });
            }
        }
        Ok(())
    }

    /// Keeps a certificate of the user's own for [`Ingress::serve`]; what the route is to name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(
        &self,
        own: &OwnCertificate,
        (chain, key): (&[u8], &[u8]),
    ) -> Result<OwnCertificate, IngressError> {
        self.make_folders()?;
        self.keep_own(own, (chain, key))
    }

    /// Tells the app's visitors to come back later, or serves them again; until told otherwise, whatever restarts.
    ///
    /// # Errors
    /// When the app has no routes, it could not be stored, or Caddy refuses; the next [`Ingress::ensure`] tries again.
    pub async fn set_maintenance(
        &self,
        app: &AppName,
        maintenance: Maintenance,
    ) -> Result<Changed, IngressError> {
        let _guard = self.inner.lock.lock().await;
        let has_routes =
            self.routes().await?.iter().any(|(owner, served)| owner == app && !served.routes.is_empty());
        if maintenance == Maintenance::On && !has_routes {
            return Err(IngressError::NoRoutes(app.clone()));
        }
        let set = store::set_maintenance(&self.inner.database, app, maintenance).await;
        let changed = set.map_err(IngressError::Database)?;
        // Also when it was so already: an earlier call may have been cut off between the database and Caddy.
        self.write_config().await?;
        // Where Docker is away, Caddy may serve on.
        if !matches!(self.container().await, Ok(None)) {
            self.await_config().await?;
        }
        Ok(changed)
    }

    /// Whether the app's visitors are told to come back later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn maintenance(&self, app: &AppName) -> Result<Maintenance, IngressError> {
        let maintained = store::maintained(&self.inner.database).await.map_err(IngressError::Database)?;
        Ok(if maintained.contains(app) { Maintenance::On } else { Maintenance::Off })
    }

    /// The app's hosts, their certificates, and what went wrong with these last.
    ///
    /// # Errors
    /// When the database or the reading fails. A certificate that is not there yet is no error.
    pub async fn certificates(&self, app: &AppName) -> Result<Vec<HostCertificate>, IngressError> {
        let sites = self.sites().await?;
        let (folder, app) = (self.inner.settings.folder.clone(), app.clone());
        let read = move || certificates::of(&folder, &sites, &app);
        tokio::task::spawn_blocking(read).await.map_err(|_| IngressError::Broken)
    }

    /// This moment in the log of requests, to count from.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn mark(&self) -> Result<Mark, IngressError> {
        responses::mark(&self.inner.settings.folder.join("log")).map_err(IngressError::File)
    }

    /// What the app's services answered since the mark, as far as the log is still there.
    ///
    /// # Errors
    /// When the database or the log cannot be read.
    pub async fn responses(&self, app: &AppName, mark: &Mark) -> Result<Counts, IngressError> {
        let sites = self.sites().await?;
        let (folder, app, mark) = (self.inner.settings.folder.join("log"), app.clone(), *mark);
        let count = move || {
            responses::count(&folder, &mark, |host, path| {
                let (owner, route) = sites.find(host, path)?;
                (*owner == app).then(|| route.service.clone())
            })
        };
        let counted = tokio::task::spawn_blocking(count).await.map_err(|_| IngressError::Broken)?;
        counted.map_err(IngressError::File)
    }

    /// What the services of all apps answered since the mark and how fast, and the mark from which the next one counts on; of a
    /// long log the end.
    ///
    /// # Errors
    /// As [`Ingress::responses`].
    pub async fn answers(&self, mark: &Mark) -> Result<(Answers, Mark), IngressError> {
        let sites = self.sites().await?;
        let (folder, mark) = (self.inner.settings.folder.join("log"), *mark);
        let count = move || {
            responses::answers(&folder, &mark, |host, path| {
                sites.find(host, path).map(|(owner, route)| (owner.clone(), route.service.clone()))
            })
        };
        let counted = tokio::task::spawn_blocking(count).await.map_err(|_| IngressError::Broken)?;
        counted.map_err(IngressError::File)
    }

    /// What is served, in Caddy's order.
    async fn sites(&self) -> Result<Sites, IngressError> {
        let mut all = Vec::new();
        for (app, served) in self.routes().await? {
            all.extend(served.routes.into_iter().map(|route| (app.clone(), route)));
        }
        let maintained = store::maintained(&self.inner.database).await.map_err(IngressError::Database)?;
        Ok(Sites::new(all, maintained))
    }

    async fn ensure_locked(&self) -> Result<(), IngressError> {
        self.make_folders()?;
        self.write_files().await?;
        self.ensure_container().await?;
        self.attach().await?;
        self.await_config().await
    }

    async fn load(&self) -> Result<(), IngressError> {
        let folder = &self.inner.settings.folder;
        let config = fs_err::read(folder.join(CONFIG)).map_err(IngressError::File)?;
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
