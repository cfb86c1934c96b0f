//! What benches share: the agent's engine over a daemon of the bench's own, one deploy, medians.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use futures::StreamExt as _;
use tidegate_agent::{
    clock::SystemClock,
    docker::{Docker as AgentDocker, Logins},
    ingress::Edge,
    probe::DirectDial,
    release::{DeployInput, Engine, EngineSettings, EventKind, ReleaseState, together::Alone},
    store::Database,
    systemd::Systemd,
    timers::TimerKeeper,
};

/// Steps of a release and how long each took.
pub type Steps = Vec<(String, Duration)>;

pub fn engine(state: &Path, socket: &Path, database: Database) -> Engine {
    let settings = EngineSettings {
        state: state.to_owned(),
        policy: state.join("policy.toml"),
        ingress_image: "caddy:2".to_owned(),
        edge: Edge::default(),
        docker_compose: Vec::new(),
        dial: Arc::new(DirectDial),
        peers: Arc::new(Alone),
        timers: TimerKeeper::new(state.join("units"), Arc::new(Systemd::default())),
    };
    let docker = AgentDocker::new(socket, Logins::new(state.join("docker.json")));
    Engine::new(docker, database, Arc::new(SystemClock), settings)
}

/// How long it takes, and its steps.
pub async fn deploy(engine: &Engine, input: DeployInput) -> Result<(Duration, Steps)> {
    let begun = Instant::now();
    let release = engine.deploy(input, "bench").await?;
    let events = engine.watch(&release.app, None, 0).await?;
    let mut events = std::pin::pin!(events);
    let (mut last, mut steps) = (None, Vec::new());
    while let Some(event) = events.next().await {
        let kind = event?.kind;
        if let EventKind::StepFinished { step, took, .. } = &kind {
            steps.push((step.clone(), *took));
        }
        last = Some(kind);
    }
    let taken = begun.elapsed();
    match last {
        Some(EventKind::Finished { state: ReleaseState::Released, .. }) => Ok((taken, steps)),
        other => bail!("the release ended otherwise: {other:?}"),
    }
}

pub fn median<T: Ord + Copy + Default>(mut all: Vec<T>) -> T {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
