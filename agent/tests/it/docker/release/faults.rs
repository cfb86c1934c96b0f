//! The agent killed (-9) again and again, at every edge between two journal records and at random moments, and sometimes
//! Docker in its place, in releases of every strategy, good and bad, forth and back: each time exactly one release serves,
//! and nothing stray is left.
//!
//! `script/test faults --count N --seed S --jobs J` runs as many as are asked for; the Docker layer runs a few.
//! Each job has a daemon, a database and an ingress of its own, and goes from one release to the next, so that every
//! release proves too that the one before left nothing in its way. What is done depends on seed and jobs alone.

mod app;
mod judge;
mod schedule;
mod victim;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use app::{APP, Content, Course};
use judge::World;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use schedule::Schedule;
use tidegate_agent::{
    apps::ReleaseNumber,
    release::{ReleaseRow, ReleaseState},
};
use tidegate_tests::docker::Image;
use victim::{Order, When};

use super::fixture::{self, Fixture};

/// How often a resumed agent is killed as well: one time in so many.
const KILLED_AGAIN: u32 = 4;

/// How often Docker is killed (and started again) in place of the agent: one time in so many.
const KILLED_DOCKER: u32 = 10;

/// How many of each course ended how.
type Tally = BTreeMap<(Course, String), u32>;

#[tokio::test]
async fn some() {
    run_all(24, 1, 2);
}

/// As many as the environment says, for hours if need be.
#[tokio::test]
#[ignore = "long: script/test faults"]
async fn many() {
    let number = |name: &str, default| {
        std::env::var_os(name).map_or(default, |text| text.into_string().unwrap().parse().unwrap())
    };
    let count = number("TIDEGATE_FAULTS_COUNT", 500);
    let seed = number("TIDEGATE_FAULTS_SEED", u64::from(std::process::id()));
    let jobs = number("TIDEGATE_FAULTS_JOBS", 3);
    run_all(count, seed, jobs);
}

fn run_all(count: u64, seed: u64, jobs: u64) {
    println!("faults: --count {count} --seed {seed} --jobs {jobs}");
    let started = Instant::now();
    let results: Vec<Result<Tally, String>> = std::thread::scope(|scope| {
        let job = |number| scope.spawn(move || run_job((number, jobs), count, seed));
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

fn run_job((number, jobs): (u64, u64), count: u64, seed: u64) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let own = count / jobs + u64::from(number < count % jobs);
    let random = StdRng::seed_from_u64(seed.wrapping_mul(1000).wrapping_add(number));
    let schedule = Schedule::new((number, jobs), count, random);
    runtime.block_on(async {
        let mut job = Job::start(number, schedule).await;
        let mut tally = Tally::new();
        for attempt in 0..own {
            let end = job.attempt(attempt).await?;
            *tally.entry(end).or_default() += 1;
        }
        Ok(tally)
    })
}

/// One daemon and what was done on it.
struct Job {
    number: u64,
    fixture: Fixture,
    schedule: Schedule,
    world: World,
    /// What each release has.
    contents: BTreeMap<u64, Content>,
    serves: Content,
    /// The version that was tried last.
    version: u32,
}

impl Job {
    async fn start(number: u64, schedule: Schedule) -> Self {
        let fixture = Fixture::as_on_a_droplet().await;
        fixture.docker.load(Image::Postgres).await.unwrap();
        fixture.release(&Content::FIRST.app(Course::Forward)).await;
        let world = World { kept: judge::kept(&fixture).await, revisions: [1].into() };
        let job = Self {
            number,
            fixture,
            schedule,
            world,
            contents: [(1, Content::FIRST)].into(),
            serves: Content::FIRST,
            version: 1,
        };
        let faults = judge::faults_of(&job.fixture, &job.rows().await, (job.serves, &job.world)).await;
        assert!(faults.is_empty(), "before any fault: {faults:?}");
        job
    }

    async fn rows(&self) -> Vec<ReleaseRow> {
        self.fixture.engine.releases(&fixture::name(APP)).await.unwrap()
    }

    /// Begins a release, kills its agent, goes on with another, and looks.
    async fn attempt(&mut self, attempt: u64) -> Result<(Course, String), String> {
        let rows = self.rows().await;
        let target =
            rows.iter().find(|row| row.state == ReleaseState::Superseded).map(|row| row.number.get());
        let (course, when) = match self.schedule.next() {
            (Course::Rollback, when) if target.is_none() => (Course::Forward, when),
            next => next,
        };
        let release = rows.first().map_or(1, |row| row.number.get() + 1);
        self.version += 1;
        let next = self.serves.next(self.version, course);
        let (order, content) = match target.filter(|_| course == Course::Rollback) {
            Some(target) => (Order::Rollback(target), *self.contents.get(&target).unwrap()),
            None => (Order::Deploy(next, course), next),
        };
        self.contents.insert(release, content);
        if !matches!(course, Course::Migration | Course::Rollback) {
            self.world.revisions.insert(content.version);
        }
        let started = Instant::now();
        let of_docker = self.schedule.random.random_ratio(1, KILLED_DOCKER);
        let killed = if of_docker {
            victim::kill_docker(&mut self.fixture, order, (release, when)).await
        } else {
            victim::kill(&self.fixture, order, (release, when))
        };
        self.schedule.learn((course, when), killed, started.elapsed());
        if killed.is_some() && !of_docker && self.schedule.random.random_ratio(1, KILLED_AGAIN) {
            let delay = self.schedule.delay();
            victim::kill(&self.fixture, Order::Resume, (release, When::After(delay)));
        }
        self.go_on(release).await;
        let patience = if of_docker { Duration::from_secs(30) } else { Duration::ZERO };
        let end = self.look(release, (course, content), patience).await;
        println!(
            "job {} attempt {attempt}: r{release} {course:?} {when:?}, {} killed at record {killed:?} -> {end:?}, {} ms",
            self.number,
            if of_docker { "Docker" } else { "agent" },
            started.elapsed().as_millis()
        );
        end.map(|state| (course, state))
    }

    /// As the next start of the agent.
    async fn go_on(&self, release: u64) {
        let engine = self.fixture.restarted();
        engine.resume_all().await.unwrap();
        if self.rows().await.first().is_some_and(|row| row.number == ReleaseNumber::new(release)) {
            fixture::quiet_events(&engine, &fixture::name(APP)).await;
        }
    }

    async fn look(
        &mut self,
        release: u64,
        (course, content): (Course, Content),
        patience: Duration,
    ) -> Result<String, String> {
        let rows = self.rows().await;
        let row = rows.iter().find(|row| row.number == ReleaseNumber::new(release));
        let state = row.map(|row| row.state);
        let mut faults = Vec::new();
        match state {
            Some(ReleaseState::Released) if course.can_serve() => self.serves = content,
            Some(ReleaseState::Undone) | None => {}
            other => faults.push(format!(
                "the release ended as {other:?}: {:?}",
                row.and_then(|row| row.failure.clone())
            )),
        }
        let started = Instant::now();
        loop {
            let found = judge::faults_of(&self.fixture, &rows, (self.serves, &self.world)).await;
            // What Docker starts again needs a moment to be well.
            if found.is_empty() || started.elapsed() > patience {
                faults.extend(found);
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let state = state.map_or("never begun".to_owned(), |state| format!("{state:?}"));
        if faults.is_empty() {
            Ok(state)
        } else {
            Err(format!("job {} r{release} {course:?} {state}: {}", self.number, faults.join("; ")))
        }
    }
}
