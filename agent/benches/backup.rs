//! What a backup of PostgreSQL costs beside `docker exec ... pg_dump | zstd | age` by hand, on the same server: the data that goes
//! through per second, and the memory that the agent takes for it. Medians of rounds, taken in turns. Ends with 1 when a measure
//! is over its limit. script/bench-backup runs it; `TIDEGATE_BENCH_MEBIBYTES` is how much data there is.
//!
//! Measured is the agent's run, from the request to its row: snapshot, counted rows, digests, manifest, and what is written to the
//! disk is there. By hand nothing of that is done.

mod support;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use support::median;
use tidegate_agent::{
    apps::AppName,
    backup::layout::DropletFolder,
    backup_runs::{self, BackupRuns, BackupSettings, Cause, Make, Patience, Progress},
    clock::SystemClock,
    release::{self, DeployInput, SourceFile},
    store::{Database, DatabaseSettings},
};
use tidegate_tests::docker::{Docker, Image};

const ROUNDS: usize = 3;
const MEBIBYTES: u64 = 2048;
/// Of what goes through by hand.
const LEAST_THROUGHPUT: f64 = 0.95;
/// Over what it takes idle.
const MOST_MEMORY: u64 = 40_000_000;
const CONTAINER: &str = "bench-db-1";
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const COMPOSE: &str = "
services:
  db:
    image: postgres:17
    command: [postgres, -c, fsync=off, -c, max_wal_size=8GB]
    environment: { POSTGRES_PASSWORD: of-the-bench, POSTGRES_DB: shop }
    x-tidegate:
      gate: { stable: 1s, timeout: 60s }
      backup: { encrypt_to: [RECIPIENT], databases: [shop] }
";

fn main() -> Result<ExitCode> {
    // `cargo test --benches` only wants to see that it is built.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    tokio::runtime::Runtime::new()?.block_on(measure())
}

struct Site {
    docker: Docker,
    runs: BackupRuns,
    state: tempfile::TempDir,
}

async fn measure() -> Result<ExitCode> {
    let asked = std::env::var_os("TIDEGATE_BENCH_MEBIBYTES");
    let mebibytes: u64 = asked.and_then(|asked| asked.to_str()?.parse().ok()).unwrap_or(MEBIBYTES);
    let site = Site::start().await?;
    site.fill(mebibytes)?;
    let (mut ours, mut theirs, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    let mut plain = 0;
    for _ in 0..ROUNDS {
        let idle = reset_peak()?;
        let begun = Instant::now();
        plain = site.backup().await?;
        ours.push(begun.elapsed());
        memory.push(peak()?.saturating_sub(idle));
        site.clear()?;
        theirs.push(site.by_hand()?);
    }
    let (ours, theirs, memory) = (median(ours), median(theirs), median(memory));
    let through = |took: Duration| megabytes(plain) / took.as_secs_f64();
    let ratio = through(ours) / through(theirs);
    let mut out = std::io::stdout();
    writeln!(out, "medians of {ROUNDS} rounds; a dump of {:.2} GB\n", megabytes(plain) / 1e3)?;
    writeln!(
        out,
        "{:<22} {:>12} {:>34} {:>7}   accept",
        "measure", "tidegate", "pg_dump | zstd | age by hand", "ratio"
    )?;
    let (fast, small) = (ratio >= LEAST_THROUGHPUT, memory <= MOST_MEMORY);
    let verdict = |holds: bool| if holds { "ok" } else { "OVER" };
    writeln!(
        out,
        "{:<22} {:>7.1} MB/s {:>29.1} MB/s {ratio:>7.2}   >= {LEAST_THROUGHPUT}  {}",
        "throughput",
        through(ours),
        through(theirs),
        verdict(fast)
    )?;
    writeln!(
        out,
        "{:<22} {:>9.1} MB {:>34} {:>7}   <= {} MB  {}",
        "memory over idle",
        megabytes(memory),
        "",
        "",
        MOST_MEMORY / 1_000_000,
        verdict(small)
    )?;
    Ok(if fast && small { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Site {
    async fn start() -> Result<Self> {
        let docker = Docker::start().await?;
        docker.load(Image::Postgres).await?;
        let state = tempfile::tempdir_in(docker.scratch())?;
        let migrations = [release::migrations(), backup_runs::migrations()].concat();
        let database =
            Database::open(&state.path().join("agent.db"), &migrations, DatabaseSettings::default())?;
        let engine = support::engine(state.path(), &docker.socket(), database.clone());
        let content = COMPOSE.replace("RECIPIENT", RECIPIENT).into_bytes();
        let file = SourceFile { path: "compose.yaml".into(), content, mode: 0o644 };
        let input = DeployInput {
            files: vec![file],
            compose_files: vec!["compose.yaml".into()],
            ..DeployInput::of(AppName::new("bench")?)
        };
        support::deploy(&engine, input).await?;
        let whose = DropletFolder {
            fleet: "bench".parse()?,
            environment: "bench".parse()?,
            droplet: "1".parse()?,
            enrolment: "e1".parse()?,
        };
        let settings = BackupSettings {
            local: state.path().join("backups"),
            whose: Arc::new(move || Some(whose.clone())),
            patience: Patience::default(),
        };
        let runs = BackupRuns::new(engine, database, Arc::new(SystemClock), settings);
        Ok(Self { docker, runs, state })
    }

    /// Rows as products have them: numbers, times, words that come again and some that do not.
    fn fill(&self, mebibytes: u64) -> Result<()> {
        let rows = mebibytes.saturating_mul(1024 * 1024) / 160;
        let sql = format!(
            "CREATE TABLE orders AS SELECT n AS id, now() - n * interval '1 second' AS at, md5(n::text) AS token, \
             'customer ' || n % 5000 AS customer, repeat('item ' || n % 977 || ' ', 6) AS lines \
             FROM generate_series(1, {rows}) n; CHECKPOINT"
        );
        let ready = "until pg_isready -q -h 127.0.0.1 -U postgres; do sleep 0.2; done";
        self.exec(&["sh", "-c", ready])?;
        self.exec(&["psql", "-qU", "postgres", "-d", "shop", "-c", &sql])
    }

    fn exec(&self, argv: &[&str]) -> Result<()> {
        let mut command = Command::new("docker");
        command.args(["exec", CONTAINER]).args(argv).env("DOCKER_HOST", self.docker.host());
        let status = command.stdin(Stdio::null()).status().context("docker")?;
        if status.success() { Ok(()) } else { bail!("{argv:?} failed") }
    }

    /// How much data went through.
    async fn backup(&self) -> Result<u64> {
        let wanted = Make {
            app: AppName::new("bench")?,
            service: None,
            cause: Cause::Manual,
            actor: "bench".to_owned(),
        };
        let row = Box::pin(self.runs.make(wanted, Progress::none())).await?;
        Ok(row.plain.get())
    }

    fn by_hand(&self) -> Result<Duration> {
        let file = self.state.path().join("by-hand.age");
        let script = format!(
            "set -o pipefail; docker exec {CONTAINER} pg_dump -U postgres --format=custom --compress=0 shop | zstd -q -c | \
             age -r {RECIPIENT} > \"$1\" && sync \"$1\""
        );
        let begun = Instant::now();
        let mut command = Command::new("bash");
        command.args(["-c", &script, "by-hand"]).arg(&file).env("DOCKER_HOST", self.docker.host());
        let status = command.stdin(Stdio::null()).status().context("bash")?;
        let taken = begun.elapsed();
        fs_err::remove_file(&file)?;
        if status.success() {
            Ok(taken)
        } else {
            bail!("the backup by hand failed: are zstd and age installed?")
        }
    }

    fn clear(&self) -> Result<()> {
        Ok(fs_err::remove_dir_all(self.state.path().join("backups/bench"))?)
    }
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1e3
}

/// Forgets the peak of this process's memory, and tells what it takes now, in bytes.
fn reset_peak() -> Result<u64> {
    fs_err::write("/proc/self/clear_refs", "5")?;
    memory("VmRSS:")
}

fn peak() -> Result<u64> {
    memory("VmHWM:")
}

fn memory(line: &str) -> Result<u64> {
    let path: PathBuf = Path::new("/proc/self/status").to_owned();
    let text = fs_err::read_to_string(path)?;
    let found = text.lines().find_map(|own| own.strip_prefix(line));
    let kibibytes = found.and_then(|rest| rest.trim().strip_suffix(" kB")).context("no memory in /proc")?;
    Ok(kibibytes.trim().parse::<u64>()?.saturating_mul(1024))
}
