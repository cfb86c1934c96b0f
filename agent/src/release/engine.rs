//! The engine: what the edge calls. Admits releases, runs one per app at a time, and finishes what a dead agent began.

mod error;
mod prepare;
mod reservation;
mod together;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

pub use error::EngineError;
use futures::Stream;
use reservation::Live;
pub(super) use reservation::Reservation;
use tidegate_compose::Compatibility;
use tidegate_saga::Cancel;
use tokio::sync::watch;

use super::{
    AppStatus, DataKeeper, DeployInput, OneOff, OneOffSpec, ReleaseEvent, ReleasePlan, ReleaseRow,
    ReleaseState, Volumes, certificates,
    compatibility::{self, Installed},
    destinations,
    journal::ReleaseId,
    plan::Step,
    rollback::BackTo,
    run, schedule,
    stopped::store::StoppedStore,
    store::ReleaseStore,
    survey::{self},
    together::{self as agreement, Peers, Standing},
};
use crate::{
    apps::{AppName, AppPaths, ReleaseNumber},
    buckets::Buckets,
    clock::Clock,
    docker::{Container, Docker},
    ingress::{Changed, Edge, Ingress, IngressSettings, Maintenance},
    probe::Dial,
    store::Database,
    timers::TimerKeeper,
};

/// Where things are.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The state directory, `/var/lib/tidegate`.
    pub state: PathBuf,
    /// The droplet's policy, `/etc/tidegate/policy.toml`.
    pub policy: PathBuf,
    /// The image of the ingress, `caddy:2`.
    pub ingress_image: String,
    /// How the ingress stands towards the world.
    pub edge: Edge,
    /// Where docker compose may be installed, see [`super::compatibility::DOCKER_COMPOSE`].
    pub docker_compose: Vec<PathBuf>,
    /// Opens connections to containers, for probes.
    pub dial: Arc<dyn Dial>,
    /// Asks the agents of other droplets.
    pub peers: Arc<dyn Peers>,
    /// Keeps the timers of backups.
    pub timers: TimerKeeper,
}

/// Releases on this droplet. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) docker: Docker,
    pub(super) ingress: Ingress,
    pub(super) store: ReleaseStore,
    pub(super) stopped: StoppedStore,
    pub(super) paths: AppPaths,
    pub(super) dial: Arc<dyn Dial>,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timers: TimerKeeper,
    pub(super) data: OnceLock<Arc<dyn DataKeeper>>,
    pub(super) buckets: Buckets,
    policy: PathBuf,
    installed: Installed,
    live: Mutex<BTreeMap<AppName, Live>>,
    /// Counts what came to its end.
    ended: watch::Sender<u64>,
}

/// A release that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its app.
    pub app: AppName,
    /// Its number.
    pub release: ReleaseNumber,
    /// Whether this request began it.
    pub joined: Joined,
}

/// Whether a request began a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It did.
    Began,
    /// An earlier request with the same key had.
    Existing,
}

impl Engine {
    /// With these parts; nothing happens yet. The database has run [`super::migrations`].
    pub fn new(docker: Docker, database: Database, clock: Arc<dyn Clock>, settings: EngineSettings) -> Self {
        let paths = AppPaths::new(settings.state);
        let ingress =
            IngressSettings { folder: paths.ingress(), image: settings.ingress_image, edge: settings.edge };
        let inner = Inner {
            ingress: Ingress::new(docker.clone(), database.clone(), ingress),
            buckets: Buckets::new(database.clone()),
            stopped: StoppedStore::new(database.clone()),
            store: ReleaseStore::new(database),
            docker,
            paths,
            dial: settings.dial,
            peers: settings.peers,
            timers: settings.timers,
            clock,
            data: OnceLock::new(),
            policy: settings.policy,
            installed: Installed::new(settings.docker_compose),
            live: Mutex::default(),
            ended: watch::Sender::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The engine's Docker.
    pub fn docker(&self) -> &Docker {
        &self.inner.docker
    }

    /// What a deploy would do, and why. Changes nothing.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub async fn plan(&self, input: &DeployInput) -> Result<ReleasePlan, EngineError> {
        let (loaded, mut plan) = self.prepare(input).await?;
        plan.notes.extend(destinations::examine(&self.inner, input, &loaded).await?.notes);
        Ok(plan)
    }

    /// Begins a release, or joins the one that an earlier request with the same key began. Follow it with [`Engine::watch`].
    ///
    /// # Errors
    /// When it is refused: nothing was changed then.
    pub async fn deploy(&self, mut input: DeployInput, actor: &str) -> Result<Release, EngineError> {
        let app = input.app.clone();
        if let Some(release) = self.earlier(&app, &input.idempotency_key).await? {
            return Ok(Release { app, release, joined: Joined::Existing });
        }
        if let Some(release) = self.part_of(&input).await? {
            return Ok(Release { app, release, joined: Joined::Existing });
        }
        let reservation = self.reserve(&app, ("a release", actor))?;
        self.refuse_unfinished(&app).await?;
        let (loaded, mut plan) = self.prepare(&input).await?;
        self.can_open(&input, &plan).await?;
        let examined = destinations::examine(&self.inner, &input, &loaded).await?;
        if input.together.is_some() {
            let awaited = input.awaits_migration().then_some(Step::AwaitMigration);
            plan.steps = agreement::with_agreement(plan.steps, awaited);
        }
        certificates::protect(&loaded.extension, &mut input);
        let begun = self.inner.store.begin(&input, &loaded.files, (actor, self.inner.clock.now())).await;
        let release = begun.map_err(EngineError::Database)?;
        let id = ReleaseId { app: app.clone(), release };
        if let Err(failure) = self.keep((&id, &input), examined).await {
            run::finish_unbegun(&self.inner, &id, failure.clone()).await.map_err(EngineError::Database)?;
            return Err(EngineError::Refused(vec![failure]));
        }
        reservation.began(release);
        tokio::spawn(run::start(reservation, run::Begun { id, input, loaded, plan }));
        Ok(Release { app, release, joined: Joined::Began })
    }

    /// What a rollback would do, and why; see [`Engine::rollback`]. Changes nothing.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub async fn plan_rollback(
        &self,
        app: &AppName,
        wanted: impl Into<BackTo>,
    ) -> Result<ReleasePlan, EngineError> {
        let input = super::rollback::input(self, app, wanted.into()).await?;
        self.plan(&input).await
    }

    /// Begins a release that is an earlier one again: its files, its variables, its images, without a registry. Its
    /// migrations are not run. Without a number, the release that served before this one.
    ///
    /// # Errors
    /// When there is no such release or its files or images are gone: nothing was changed then.
    pub async fn rollback(
        &self,
        app: &AppName,
        wanted: impl Into<BackTo>,
        actor: &str,
    ) -> Result<Release, EngineError> {
        let wanted = wanted.into();
        if let Some(release) = self.earlier(app, &wanted.idempotency_key).await? {
            return Ok(Release { app: app.clone(), release, joined: Joined::Existing });
        }
        let input = super::rollback::input(self, app, wanted).await?;
        self.deploy(input, actor).await
    }

    /// Events of a release with a higher number than `after`, until its last one.
    ///
    /// # Errors
    /// When there is no such release.
    pub async fn watch(
        &self,
        app: &AppName,
        release: Option<ReleaseNumber>,
        after: u64,
    ) -> Result<impl Stream<Item = Result<ReleaseEvent, EngineError>> + Send + use<>, EngineError> {
        super::watch::events(self, app, (release, after)).await
    }

    /// Apps, their releases and containers; one app, or all.
    ///
    /// # Errors
    /// When there is no such app, or Docker or the database fail.
    pub async fn status(&self, app: Option<&AppName>) -> Result<Vec<AppStatus>, EngineError> {
        super::status::of(self, app).await
    }

    /// Releases of an app, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn releases(&self, app: &AppName) -> Result<Vec<ReleaseRow>, EngineError> {
        self.inner.store.releases(Some(app)).await.map_err(EngineError::Database)
    }

    /// Takes an app off the droplet; what was removed, line by line. An app that is not there is removed already.
    ///
    /// # Errors
    /// When something of it could not be removed; a repeated call goes on.
    pub async fn remove(
        &self,
        app: &AppName,
        volumes: Volumes,
        actor: &str,
    ) -> Result<Vec<String>, EngineError> {
        let reservation = self.reserve(app, ("the removal", actor))?;
        let removed = super::remove::app(&self.inner, app, volumes).await;
        drop(reservation);
        removed
    }

    /// Asks the release that is under way to be taken back; which that is. One that is committed already stays; one that is
    /// still being admitted has no number yet, and is taken back at once when it begins.
    pub fn cancel(&self, app: &AppName, why: &str) -> Option<ReleaseNumber> {
        let live = self.inner.live().get(app).cloned()?;
        live.cancel.cancel(why);
        live.release
    }

    /// Containers of an app, or of one of its services, without one-offs, in the order of their numbers.
    ///
    /// # Errors
    /// When there is no such app or service.
    pub async fn containers(
        &self,
        app: &AppName,
        service: Option<&str>,
    ) -> Result<Vec<Container>, EngineError> {
        super::status::containers(self, app, service).await
    }

    /// Makes a one-off container of a service, of the release that serves. The caller starts, attaches and removes it.
    ///
    /// # Errors
    /// When there is no such app or service, or Docker refuses.
    pub async fn one_off(
        &self,
        app: &AppName,
        service: &str,
        spec: OneOffSpec,
    ) -> Result<OneOff, EngineError> {
        Box::pin(super::one_off::create(self, app, (service, spec))).await
    }

    /// Tells the visitors of an app to come back later, or serves them again.
    ///
    /// # Errors
    /// When there is no such app, nothing of it is behind the ingress, or the ingress does not take it.
    pub async fn set_maintenance(
        &self,
        app: &AppName,
        maintenance: Maintenance,
    ) -> Result<Changed, EngineError> {
        // Without asking Docker: the ingress serves on while Docker is away.
        if self.releases(app).await?.iter().all(|row| row.state == ReleaseState::Removed) {
            return Err(EngineError::NoApp(app.clone()));
        }
        self.inner.ingress.set_maintenance(app, maintenance).await.map_err(EngineError::Ingress)
    }

    /// The ingress.
    pub fn ingress(&self) -> &Ingress {
        &self.inner.ingress
    }

    /// At the agent's start: sees to the ingress, and finishes or undoes every release that a dead agent left behind, in the
    /// background; which those are.
    ///
    /// # Errors
    /// When the database fails. An ingress that does not come up is logged: the next release tries again.
    pub async fn resume_all(&self) -> Result<Vec<ReleaseId>, EngineError> {
        match self.inner.ingress.routes().await {
            Ok(routes) if routes.is_empty() => {}
            _ => {
                if let Err(error) = self.inner.ingress.ensure().await {
                    tracing::error!(error = super::chain(&error), "the ingress could not be set up");
                }
            }
        }
        let rows = self.inner.store.releases(None).await.map_err(EngineError::Database)?;
        let mut resumed = Vec::new();
        for row in rows.into_iter().filter(is_unfinished) {
            let id = ReleaseId { app: row.app.clone(), release: row.number };
            let reservation = self.reserve(&row.app, ("a release", &row.actor))?;
            reservation.began(row.number);
            tracing::info!(release = %id.label(), "the release was cut off; it is finished or undone now");
            tokio::spawn(run::resume(reservation, id.clone()));
            resumed.push(id);
        }
        schedule::keep_all(&self.inner).await;
        Ok(resumed)
    }

    /// Waits until something that was under way for an app has come to its end.
    pub async fn changed(&self) {
        // The sender lives as long as the engine.
        self.inner.ended.subscribe().changed().await.ok();
    }

    /// The buckets that the apps' backups go to.
    pub fn buckets(&self) -> &Buckets {
        &self.inner.buckets
    }

    /// The release that an earlier request of the same rollout began.
    async fn part_of(&self, input: &DeployInput) -> Result<Option<ReleaseNumber>, EngineError> {
        let Some(together) = &input.together else {
            return Ok(None);
        };
        let found = self.inner.store.of_rollout(&input.app, together.rollout()).await;
        Ok(found.map_err(EngineError::Database)?.map(|(release, _)| release))
    }

    /// The release that an earlier request with the same key began.
    async fn earlier(&self, app: &AppName, key: &str) -> Result<Option<ReleaseNumber>, EngineError> {
        if key.is_empty() {
            return Ok(None);
        }
        let rows = self.releases(app).await?;
        Ok(rows.into_iter().find(|row| row.idempotency_key == key).map(|row| row.number))
    }

    async fn refuse_unfinished(&self, app: &AppName) -> Result<(), EngineError> {
        let rows = self.releases(app).await?;
        match rows.iter().find(|row| is_unfinished(row)) {
            Some(row) => Err(EngineError::Stuck { app: app.clone(), release: row.number }),
            None => Ok(()),
        }
    }

    pub(super) fn reserve(
        &self,
        app: &AppName,
        (what, actor): (&'static str, &str),
    ) -> Result<Reservation, EngineError> {
        let mut live = self.inner.live();
        if let Some(other) = live.get(app) {
            let Live { what, actor, since, standing, .. } = other.clone();
            if let (Some(_), Some(release)) = (standing.doubt(), other.release) {
                return Err(EngineError::InDoubt { app: app.clone(), release });
            }
            return Err(EngineError::Busy { app: app.clone(), what, actor, since });
        }
        let entry = Live {
            release: None,
            what,
            actor: actor.to_owned(),
            since: self.inner.clock.now(),
            changed: watch::Sender::new(0),
            cancel: Cancel::new(),
            standing: Standing::default(),
        };
        live.insert(app.clone(), entry.clone());
        Ok(Reservation { inner: Arc::clone(&self.inner), app: app.clone(), live: entry })
    }
}

/// Whether a release still has something to do.
pub(super) fn is_unfinished(row: &ReleaseRow) -> bool {
    row.finished_at.is_none() || row.state == ReleaseState::Stuck
}

impl Inner {
    /// Which docker compose the app is shared with.
    pub(super) async fn compatibility(&self, seen: &survey::Seen) -> Compatibility {
        match compatibility::standing(seen.versions()) {
            Some(standing) => standing,
            None => self.installed.version().await.unwrap_or_default(),
        }
    }

    /// What is under way.
    pub(super) fn live(&self) -> MutexGuard<'_, BTreeMap<AppName, Live>> {
        // Entries are inserted and removed whole, so a panic elsewhere leaves the map sound.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
