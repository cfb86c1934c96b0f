//! What it takes to read, normalise and hash a file of a thousand services, beside `docker compose config` on the same
//! file where `TIDEGATE_DOCKER_COMPOSE_240` names its program. Ends with 1 when a median is over its limit.
#![allow(clippy::print_stdout, reason = "what is measured is printed")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tidegate_compose::{LoadOptions, OsFiles, hash, load};

const SERVICES: usize = 1000;
const RUNS: usize = 21;
/// docker compose takes seconds.
const THEIR_RUNS: usize = 3;
const LIMIT: Duration = Duration::from_millis(100);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    fs_err::write(folder.path().join("compose.yaml"), project()?)?;
    let ours = median(RUNS, || read_and_hash(folder.path()))?;
    println!(
        "{SERVICES} services: read, normalised and hashed in {ours:.1?} (median of {RUNS}, limit {LIMIT:?})"
    );
    let mut holds = ours <= LIMIT;
    match std::env::var_os("TIDEGATE_DOCKER_COMPOSE_240") {
        Some(program) => {
            let theirs = median(THEIR_RUNS, || config(Path::new(&program), folder.path()))?;
            let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
            println!("`docker compose config` takes {theirs:.1?}: ratio {ratio:.3}, limit 0.2");
            holds &= ratio <= 0.2;
        }
        None => println!("skipped: TIDEGATE_DOCKER_COMPOSE_240 is not set, docker compose was not measured"),
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A project as generated ones are: ports, mounts, limits, healthchecks and a chain of dependencies.
fn project() -> Result<String, std::fmt::Error> {
    let mut text = String::from("services:\n");
    for number in 0..SERVICES {
        writeln!(text, "  s{number}:\n    image: registry.example.com/s:{number}")?;
        writeln!(text, "    command: [run, --port, \"80\"]\n    ports:\n    - \"{}:80\"", 10_000 + number)?;
        writeln!(text, "    environment:\n      A: \"{number}\"\n      B: ${{UNSET:-x}}")?;
        writeln!(text, "    volumes:\n    - data:/data\n    - ./conf:/conf:ro")?;
        writeln!(text, "    healthcheck:\n      test: [CMD, run]\n      interval: 5s")?;
        writeln!(text, "    deploy:\n      resources:\n        limits: {{cpus: \"0.5\", memory: 64m}}")?;
        if let Some(before) = number.checked_sub(1) {
            writeln!(text, "    depends_on:\n      s{before}:\n        condition: service_started")?;
        }
    }
    text.push_str("volumes:\n  data:\n");
    Ok(text)
}

fn read_and_hash(folder: &Path) -> Result<(), Box<dyn Error>> {
    let path = folder.to_str().ok_or("the temporary folder's name is not UTF-8")?;
    let options = LoadOptions { working_directory: path.to_owned(), ..LoadOptions::default() };
    let loaded = load(&OsFiles::new(path, path), &options)?;
    let compat = loaded.project.compatibility;
    let bytes: usize = loaded.project.services.values().map(|one| hash::service(one, compat).len()).sum();
    if bytes == SERVICES * 64 { Ok(()) } else { Err("a service has no hash".into()) }
}

fn config(program: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let status = Command::new(program).arg("config").current_dir(folder).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err("docker compose refused the file".into()) }
}

fn median(
    runs: usize,
    mut run: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times.get(runs / 2).copied().ok_or_else(|| "nothing was measured".into())
}
