//! What a deploy costs, beside `docker compose up -d` of the same project on the same daemon: a first one of twelve
//! services, and one that changes nothing. Medians, taken in turns so that a busy moment meets both sides. Ends with 1
//! when a measure is over its limit. `TIDEGATE_DOCKER_COMPOSE_240` names the program; script/bench-compose runs it all.
//!
//! Measured is the agent's engine, from the request to its last event; docker compose as a process, as it is called.

mod support;

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use support::{Steps, median};
use tidegate_agent::{
    apps::AppName,
    release::{self, ChangeKind, DeployInput, Engine, SourceFile},
    store::{Database, DatabaseSettings},
};
use tidegate_tests::docker::{Docker, Image};

const SERVICES: u32 = 12;
const FIRST_RUNS: usize = 5;
const NO_CHANGE_RUNS: usize = 15;
/// Of what docker compose takes.
const FIRST_LIMIT: f64 = 1.05;
const NO_CHANGE_LIMIT: f64 = 0.3;

/// Three layers of services, as a product has them: stores, services that need them, and a front.
fn project() -> String {
    let mut text = "services:\n".to_owned();
    for number in 1..=SERVICES {
        text.push_str(&format!(
            "  s{number}:\n    image: probe:1\n    command: [sleep, '1000']\n    init: true\n    restart: unless-stopped\n    \
             environment: {{ NUMBER: '{number}' }}\n    x-tidegate: {{ gate: {{ stable: 0s }} }}\n"
        ));
        match number {
            1..=3 => text.push_str(&format!("    volumes: ['data{number}:/data']\n")),
            4..=11 => text.push_str("    depends_on: [s1, s2, s3]\n"),
            _ => text.push_str("    depends_on: [s4, s5, s6]\n"),
        }
    }
    text + "volumes: { data1: {}, data2: {}, data3: {} }\n"
}

struct Beside {
    docker: Docker,
    engine: Engine,
    folder: PathBuf,
    program: PathBuf,
}

fn main() -> Result<ExitCode> {
    // `cargo test --benches` only wants to see that it is built.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    tokio::runtime::Runtime::new()?.block_on(measure())
}

async fn measure() -> Result<ExitCode> {
    let program = std::env::var_os("TIDEGATE_DOCKER_COMPOSE_240").map(PathBuf::from);
    let program = program
        .context("TIDEGATE_DOCKER_COMPOSE_240 does not name docker compose: run script/bench-compose")?;
    let docker = Docker::start().await?;
    docker.load(Image::Probe).await?;
    let state = tempfile::tempdir()?;
    let folder = state.path().join("apps/bench");
    fs_err::create_dir_all(&folder)?;
    fs_err::write(folder.join("compose.yaml"), project())?;
    let file = state.path().join("agent.db");
    let database = Database::open(&file, &release::migrations(), DatabaseSettings::default())?;
    let engine = support::engine(state.path(), &docker.socket(), database);
    let beside = Beside { docker, engine, folder, program };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut steps = Vec::new();
    for _ in 0..FIRST_RUNS {
        let (taken, parts) = beside.deploy().await?;
        ours.push(taken);
        steps = parts;
        beside.clear()?;
        theirs.push(beside.up()?);
        beside.clear()?;
    }
    let (mut our_none, mut their_none, mut plans) = (Vec::new(), Vec::new(), Vec::new());
    beside.deploy().await?;
    for _ in 0..NO_CHANGE_RUNS {
        plans.push(beside.plan().await?);
        our_none.push(beside.deploy().await?.0);
        their_none.push(beside.up()?);
    }
    beside.clear()?;
    let mut out = std::io::stdout();
    writeln!(out, "medians of {FIRST_RUNS} and {NO_CHANGE_RUNS} runs; {SERVICES} services\n")?;
    writeln!(
        out,
        "{:<22} {:>12} {:>26} {:>7}   accept",
        "measure", "tidegate", "docker compose up -d", "ratio"
    )?;
    let mut is_over = row(&mut out, "first deploy", (ours, theirs), FIRST_LIMIT)?;
    is_over |= row(&mut out, "deploy, no change", (our_none, their_none), NO_CHANGE_LIMIT)?;
    writeln!(out, "{:<22} {:>9.1} ms", "of it, planning", millis(median(plans)))?;
    let parts: Vec<String> =
        steps.iter().map(|(step, took)| format!("{step} {:.0} ms", millis(*took))).collect();
    writeln!(out, "\nsteps of the last first deploy: {}", parts.join(", "))?;
    Ok(if is_over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(
    out: &mut impl std::io::Write,
    name: &str,
    (ours, theirs): (Vec<Duration>, Vec<Duration>),
    limit: f64,
) -> Result<bool> {
    let (ours, theirs) = (millis(median(ours)), millis(median(theirs)));
    let ratio = ours / theirs;
    let verdict = if ratio <= limit { "ok" } else { "OVER" };
    writeln!(out, "{name:<22} {ours:>9.1} ms {theirs:>23.1} ms {ratio:>7.2}   <= {limit}  {verdict}")?;
    Ok(ratio > limit)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Beside {
    fn input() -> Result<DeployInput> {
        let file = SourceFile { path: "compose.yaml".into(), content: project().into_bytes(), mode: 0o644 };
        Ok(DeployInput {
            files: vec![file],
            compose_files: vec!["compose.yaml".into()],
            ..DeployInput::of(AppName::new("bench")?)
        })
    }

    async fn plan(&self) -> Result<Duration> {
        let input = Self::input()?;
        let begun = Instant::now();
        let plan = self.engine.plan(&input).await?;
        let taken = begun.elapsed();
        match plan.changes().into_iter().find(|change| change.kind != ChangeKind::Keep) {
            Some(change) => bail!("the plan is not empty: {change:?}"),
            None => Ok(taken),
        }
    }

    async fn deploy(&self) -> Result<(Duration, Steps)> {
        support::deploy(&self.engine, Self::input()?).await
    }

    fn up(&self) -> Result<Duration> {
        let begun = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(["-p", "bench", "--ansi", "never", "up", "-d"]).current_dir(&self.folder);
        command.env("DOCKER_HOST", self.docker.host()).env("HOME", &self.folder);
        let output = command.stdin(Stdio::null()).output()?;
        let taken = begun.elapsed();
        if !output.status.success() {
            bail!("docker compose up -d: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(taken)
    }

    fn clear(&self) -> Result<()> {
        let script = "docker ps -aq | xargs -r docker rm -fv >/dev/null; docker network prune -f >/dev/null; \
                      docker volume ls -q | xargs -r docker volume rm >/dev/null";
        let status =
            Command::new("sh").args(["-c", script]).env("DOCKER_HOST", self.docker.host()).status()?;
        if status.success() { Ok(()) } else { bail!("the daemon could not be cleared") }
    }
}
