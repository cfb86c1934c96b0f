//! Three agents, each with a daemon and a network of its own, a runtime that can be killed, and links to the others that can
//! be cut in either direction.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use tidegate_agent::{
    apps::AppName,
    release::{
        DeployInput, Engine, EngineSettings, EventKind, ReleaseEvent, ReleaseState,
        together::{Decision, Outcome, Participant, PeerError, Peers, Resolution, RolloutId, Together, Vote},
    },
};
use tidegate_proto::names::DropletId;
use tidegate_tests::docker::{Docker, Image, Options};
use tokio::{runtime::Runtime, time::sleep};

use super::super::fixture::{self, App, get, name};

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(2);

/// The network between the agents.
#[derive(Default)]
pub struct Network {
    engines: Mutex<BTreeMap<u64, Engine>>,
    /// From, to.
    cut: Mutex<BTreeSet<(u64, u64)>>,
}

struct Line {
    network: Arc<Network>,
    own: u64,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the line of droplet {}", self.own)
    }
}

impl Peers for Line {
    fn outcome<'a>(
        &'a self,
        peer: &'a Participant,
        app: &'a AppName,
        rollout: &'a RolloutId,
    ) -> BoxFuture<'a, Result<Outcome, PeerError>> {
        Box::pin(async move {
            let to = peer.droplet.get();
            let is_cut = self.network.cut.lock().unwrap().contains(&(self.own, to));
            let engine = self.network.engines.lock().unwrap().get(&to).cloned();
            match engine {
                Some(engine) if !is_cut => {
                    let told = engine.outcome(app, rollout).await;
                    told.map(|(outcome, _)| outcome).map_err(|error| PeerError::Refused(error.into()))
                }
                _ => Err(PeerError::Unreachable("the link is cut".into())),
            }
        })
    }
}

/// One droplet.
pub struct Site {
    pub droplet: u64,
    pub docker: Docker,
    directory: tempfile::TempDir,
    network: Arc<Network>,
    runtime: Option<Runtime>,
}

impl Site {
    async fn start(droplet: u64, network: Arc<Network>) -> Self {
        let docker = Docker::start_with(Options::default()).await.unwrap();
        docker.load(Image::Probe).await.unwrap();
        docker.load(Image::Caddy).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut site = Self { droplet, docker, directory, network, runtime: None };
        site.boot();
        site
    }

    fn boot(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        self.runtime = Some(runtime.unwrap());
        let line = Line { network: self.network.clone(), own: self.droplet };
        let settings = EngineSettings {
            peers: Arc::new(line),
            ..fixture::settings(self.directory.path(), &self.docker.namespace())
        };
        let engine = fixture::engine_with(&self.docker.socket(), settings);
        self.network.engines.lock().unwrap().insert(self.droplet, engine);
    }

    pub fn engine(&self) -> Engine {
        self.network.engines.lock().unwrap().get(&self.droplet).unwrap().clone()
    }

    /// Ends all that the agent was doing, wherever it was.
    pub fn kill(&mut self) {
        self.network.engines.lock().unwrap().remove(&self.droplet);
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Starts it again: it goes on with what was begun.
    pub async fn restart(&mut self) {
        self.boot();
        let engine = self.engine();
        let runtime = self.runtime.as_ref().unwrap();
        runtime.spawn(async move { engine.resume_all().await }).await.unwrap().unwrap();
    }

    async fn deploy(&self, input: DeployInput) {
        let engine = self.engine();
        let runtime = self.runtime.as_ref().unwrap();
        runtime.spawn(async move { engine.deploy(input, "test").await }).await.unwrap().unwrap();
    }

    /// The agent's state directory.
    pub fn state(&self) -> &Path {
        self.directory.path()
    }

    pub async fn outcome(&self, rollout: &RolloutId) -> Outcome {
        self.engine().outcome(&name("shop"), rollout).await.unwrap().0
    }

    /// All events of the latest release, and how it ended.
    pub async fn end(&self) -> (ReleaseState, Vec<ReleaseEvent>) {
        let events = fixture::events(&self.engine(), &name("shop")).await;
        let EventKind::Finished { state, .. } = &events.last().unwrap().kind else { panic!("{events:?}") };
        (*state, events)
    }

    pub async fn doubt(&self) -> Option<String> {
        let status = self.engine().status(Some(&name("shop"))).await.unwrap();
        status[0].doubt.as_ref().map(|doubt| doubt.failure.what.clone())
    }

    pub fn resolve(&self, resolution: &Resolution) {
        self.engine().resolve(&name("shop"), resolution).unwrap();
    }
}

/// All droplets.
pub struct Sites {
    pub all: Vec<Site>,
    network: Arc<Network>,
    rollouts: u128,
}

impl Sites {
    pub async fn start() -> Self {
        let network = Arc::new(Network::default());
        let mut all = Vec::new();
        for droplet in 1..=3 {
            all.push(Site::start(droplet, network.clone()).await);
        }
        Self { all, network, rollouts: 0 }
    }

    pub fn cut(&self, links: &[(u64, u64)]) {
        self.network.cut.lock().unwrap().extend(links);
    }

    pub fn heal(&self, links: &[(u64, u64)]) {
        self.network.cut.lock().unwrap().retain(|link| !links.contains(link));
    }

    /// Begins a release on all of them; `of` says what each is given.
    pub async fn release(&mut self, lease: Duration, of: impl Fn(u64) -> App) -> RolloutId {
        self.release_inputs(lease, |droplet| fixture::input(&of(droplet))).await
    }

    /// The same with what only the caller says. They begin in the order in which they stand; the one with the lowest number
    /// decides.
    pub async fn release_inputs(&mut self, lease: Duration, of: impl Fn(u64) -> DeployInput) -> RolloutId {
        self.rollouts += 1;
        let rollout = RolloutId::new(format!("{:032x}", self.rollouts)).unwrap();
        let droplet = |number| DropletId::new(number).unwrap();
        let mut participants: Vec<Participant> = self
            .all
            .iter()
            .map(|site| Participant {
                droplet: droplet(site.droplet),
                address: format!("10.10.0.{}:7443", site.droplet).parse().unwrap(),
                name: format!("web-{}", site.droplet),
            })
            .collect();
        participants.sort_by_key(|one| one.droplet);
        for site in &self.all {
            let own = droplet(site.droplet);
            let together = Together::new(rollout.clone(), participants.clone(), lease, own).unwrap();
            site.deploy(DeployInput { together: Some(together), ..of(site.droplet) }).await;
        }
        rollout
    }

    /// Waits until all agents stand so.
    pub async fn until(&self, rollout: &RolloutId, what: &str, is_so: impl Fn(u64, Outcome) -> bool) {
        let reached = async {
            loop {
                let mut all = true;
                for site in &self.all {
                    all &= is_so(site.droplet, site.outcome(rollout).await);
                }
                if all {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        reached.unwrap_or_else(|_| panic!("never {what}"));
    }

    /// Waits until all have switched on the decision of the first.
    pub async fn until_activated(&self, rollout: &RolloutId) {
        self.until(rollout, "activated", |_, outcome| outcome.decision == Decision::Activate).await;
    }

    /// Waits until the release is in doubt on these droplets.
    pub async fn until_in_doubt(&self, droplets: &[u64]) {
        for site in self.all.iter().filter(|site| droplets.contains(&site.droplet)) {
            let doubtful = async {
                while site.doubt().await.is_none() {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(PATIENCE, doubtful).await.expect("never in doubt");
        }
    }

    /// All have ended so, and serve this version.
    pub async fn ended(&self, state: ReleaseState, version: &str) -> Vec<Vec<ReleaseEvent>> {
        let mut all = Vec::new();
        for site in &self.all {
            let (ended, events) = site.end().await;
            assert_eq!(ended, state, "droplet {}", site.droplet);
            all.push(events);
        }
        for site in &self.all {
            self.serves(site, version).await;
        }
        all
    }

    /// The ingress reads its hosts file every few seconds.
    pub async fn serves(&self, site: &Site, version: &str) {
        let wanted = (200, format!("{version}\n"));
        for _ in 0..100 {
            if get(&site.docker, "shop.example.com", "/") == wanted {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("droplet {} serves {:?}", site.droplet, get(&site.docker, "shop.example.com", "/"));
    }
}

impl Drop for Sites {
    fn drop(&mut self) {
        for site in &mut self.all {
            // A runtime may not be dropped where others run.
            if let Some(runtime) = site.runtime.take() {
                runtime.shutdown_background();
            }
        }
    }
}

/// Whether an agent has voted so far.
pub fn has_voted(outcome: Outcome) -> bool {
    matches!(outcome.vote, Vote::Ready | Vote::Serving)
}
