//! The agent killed (-9) again and again, at every edge between two journal records and at random moments, and sometimes
//! something else in its place: Docker killed, the disk filled, the registry dead in mid pull. All that in releases of every
//! strategy, good and bad, forth and back: each time exactly one release serves, and nothing stray is left.
//!
//! `script/test faults --count N --seed S --jobs J` runs as many as are asked for; the Docker layer runs a few.
//! Each job has a daemon, a database and an ingress of its own, and goes from one release to the next, so that every
//! release proves too that the one before left nothing in its way. What is done depends on seed and jobs alone.

mod app;
mod fault;
mod job;
mod judge;
mod registry;
mod schedule;
mod victim;

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use app::Course;
use futures::FutureExt as _;
use job::Job;
use rand::{SeedableRng as _, rngs::StdRng};
use schedule::{Schedule, Variety};

/// How many of each course ended how.
type Tally = BTreeMap<(Course, String), u32>;

#[tokio::test]
async fn some() {
    run_all(Run { count: 60, jobs: 3, variety: Variety::All, until: Until::End }, 1);
}

/// As many as the environment says, for hours if need be.
#[tokio::test]
#[ignore = "long: script/test faults"]
async fn many() {
    let number = |name: &str, default| {
        std::env::var_os(name).map_or(default, |text| text.into_string().unwrap().parse().unwrap())
    };
    let count = number("TIDEGATE_FAULTS_COUNT", 600);
    let seed = number("TIDEGATE_FAULTS_SEED", u64::from(std::process::id()));
    let jobs = number("TIDEGATE_FAULTS_JOBS", 3);
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let variety = if is_set("TIDEGATE_FAULTS_FULL_DISK") { Variety::FullDisk } else { Variety::All };
    let until = if is_set("TIDEGATE_FAULTS_UNTIL_WRONG") { Until::Wrong } else { Until::End };
    run_all(Run { count, jobs, variety, until }, seed);
}

/// What is done.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Attempts over all jobs.
    count: u64,
    /// Daemons side by side.
    jobs: u64,
    variety: Variety,
    until: Until,
}

/// When the other jobs end that have attempts left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// When these are made.
    End,
    /// When one job found a wrong end state.
    Wrong,
}

fn run_all(run: Run, seed: u64) {
    let Run { count, jobs, variety, .. } = run;
    println!("faults: --count {count} --seed {seed} --jobs {jobs}, {variety:?}");
    let started = Instant::now();
    let is_wrong = AtomicBool::new(false);
    let results: Vec<Result<Tally, String>> = std::thread::scope(|scope| {
        let is_wrong = &is_wrong;
        let job = |number| {
            scope.spawn(move || {
                let result = run_job(run, (number, seed), is_wrong);
                is_wrong.fetch_or(result.is_err(), Ordering::Relaxed);
                result
            })
        };
        let running: Vec<_> = (0..jobs).map(job).collect();
        running.into_iter().map(|job| job.join().unwrap()).collect()
    });
    let mut all = Tally::new();
    for (key, value) in results.iter().flatten().flatten() {
        *all.entry(key.clone()).or_default() += value;
    }
    for ((course, end), number) in &all {
        println!("{course:?}: {end}: {number}");
    }
    let wrong: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    let total: u32 = all.values().sum();
    println!("faults: {total} in {} s, {} wrong end states", started.elapsed().as_secs(), wrong.len());
    assert!(wrong.is_empty(), "--seed {seed} --jobs {jobs}: {wrong:#?}");
}

fn run_job(run: Run, (number, seed): (u64, u64), is_wrong: &AtomicBool) -> Result<Tally, String> {
    let Run { count, jobs, variety, until } = run;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let own = count / jobs + u64::from(number < count % jobs);
    let random = StdRng::seed_from_u64(seed.wrapping_mul(1000).wrapping_add(number));
    let schedule = Schedule::new((number, jobs), (count, variety), random);
    runtime.block_on(async {
        let mut job = Job::start(number, schedule).await?;
        let mut tally = Tally::new();
        for attempt in 0..own {
            if until == Until::Wrong && is_wrong.load(Ordering::Relaxed) {
                return Ok(tally);
            }
            // One that hangs, or whose world cannot even be looked at, is wrong too.
            let end = AssertUnwindSafe(job.attempt(attempt)).catch_unwind().await;
            let end = end.unwrap_or_else(|_| Err(format!("job {number} attempt {attempt} died; see above")));
            let end = end.map_err(|wrong| job.keep_evidence(&wrong))?;
            *tally.entry(end).or_default() += 1;
        }
        job.end().await?;
        println!("job {number}: edges left of {:?}", job.schedule.left());
        Ok(tally)
    })
}
