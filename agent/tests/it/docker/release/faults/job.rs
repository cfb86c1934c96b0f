//! One daemon, and releases on it one after the other: what was done, and what has to be true after each.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::RngExt as _;
use tidegate_agent::{
    apps::ReleaseNumber,
    release::{ReleaseRow, ReleaseState},
};
use tidegate_tests::docker::Image;

use super::{
    super::fixture::{self, Fixture, ended},
    app::{APP, Content, Course},
    fault::{self, DISK, Fault},
    judge::{self, World},
    registry::Frail,
    schedule::{Plan, Schedule},
    victim::{Order, Victim, When},
};

/// How often a resumed agent is killed as well: one time in so many.
const KILLED_AGAIN: u32 = 4;
/// So many releases back the files of one may not be kept any more.
const FAR_BACK: u64 = 8;
/// What the daemon is told besides: a pull that broke is not tried again by itself, for minutes.
const FLAGS: [&str; 1] = ["--max-download-attempts=1"];

/// One daemon and what was done on it.
pub struct Job {
    number: u64,
    pub schedule: Schedule,
    registry: Frail,
    fixture: Fixture,
    world: World,
    /// What each release has.
    contents: BTreeMap<u64, Content>,
    serves: Content,
    /// The version that was tried last.
    version: u32,
}

impl Job {
    /// Starts a daemon and has a first release serve.
    pub async fn start(number: u64, schedule: Schedule) -> Result<Self, String> {
        let fixture = Fixture::as_on_a_droplet(DISK, &FLAGS).await;
        fixture.docker.load(Image::Postgres).await.unwrap();
        let registry = Frail::start(&fixture).await;
        let events = fixture.release_input(Content::FIRST.input(Course::Forward)).await;
        assert_eq!(ended(&events), ReleaseState::Released);
        let probe = fixture.docker.client().inspect_image("probe:1").await.unwrap().id.unwrap();
        let world = World {
            kept: judge::kept(&fixture).await,
            revisions: [1].into(),
            images: [(0, probe)].into(),
            served: [0].into(),
        };
        let job = Self {
            number,
            schedule,
            registry,
            fixture,
            world,
            contents: [(1, Content::FIRST)].into(),
            serves: Content::FIRST,
            version: 1,
        };
        let faults = judge::faults_of(&job.fixture, &job.rows().await, (job.serves, &job.world)).await;
        if faults.is_empty() { Ok(job) } else { Err(format!("job {number} before any fault: {faults:?}")) }
    }

    async fn rows(&self) -> Vec<ReleaseRow> {
        self.fixture.engine.releases(&fixture::name(APP)).await.unwrap()
    }

    /// Begins a release, lets something go wrong, goes on with another agent, and looks: the course and how it ended.
    pub async fn attempt(&mut self, attempt: u64) -> Result<(Course, String), String> {
        let rows = self.rows().await;
        let release = rows.first().map_or(1, |row| row.number.get() + 1);
        let superseded = rows.iter().find(|row| row.state == ReleaseState::Superseded);
        let back = superseded.map(|row| row.number.get()).filter(|number| number + FAR_BACK > release);
        let may = |course: &Course| *course != Course::Rollback || back.is_some();
        let possible: Vec<Course> = Course::ALL.into_iter().filter(may).collect();
        let plan = self.schedule.next(&possible);
        let (order, content) = self.order(plan.course, back).await;
        self.contents.insert(release, content);
        let started = Instant::now();
        let parts = (&mut self.fixture, &self.registry);
        let struck = fault::strike(parts, plan.fault, order, (release, plan.when)).await;
        self.schedule.learn(plan, struck, started.elapsed());
        if struck.is_some()
            && plan.fault == Fault::Agent
            && self.schedule.random.random_ratio(1, KILLED_AGAIN)
        {
            let when = When::After(self.schedule.delay());
            let mut victim = Victim::spawn(&self.fixture, Order::Resume);
            victim.until(&self.fixture, (release, when));
            victim.kill();
        }
        self.go_on(release).await;
        let end = self.look(release, (plan, content), struck).await;
        println!(
            "job {} attempt {attempt}: r{release} {plan:?}, struck at record {struck:?} -> {end:?}, {} ms",
            self.number,
            started.elapsed().as_millis()
        );
        end.map(|state| (plan.course, state))
    }

    /// A release in which nothing goes wrong: it has to serve.
    pub async fn end(&mut self) -> Result<(), String> {
        let release = self.rows().await.first().map_or(1, |row| row.number.get() + 1);
        let (order, content) = self.order(Course::Forward, None).await;
        Victim::spawn(&self.fixture, order).end();
        let when = When::After(Duration::ZERO);
        let plan = Plan { course: Course::Forward, fault: Fault::Agent, when };
        self.look(release, (plan, content), None).await.map(drop)
    }

    /// Keeps the daemon's log and the agent's database, which go with the job; what is wrong, and where they are.
    pub fn keep_evidence(&self, wrong: &str) -> String {
        let folder = tidegate_tests::programs::target_directory().unwrap().join("faults");
        fs_err::create_dir_all(&folder).unwrap();
        let file = |kind: &str| folder.join(format!("job-{}-{kind}", self.number));
        fs_err::write(file("dockerd.log"), self.fixture.docker.log()).unwrap();
        for kind in ["agent.db", "agent.db-wal"] {
            let from = self.fixture.state().join(kind);
            if from.exists() {
                fs_err::copy(from, file(kind)).unwrap();
            }
        }
        format!("{wrong}; see {}", folder.display())
    }

    /// What the agent is told, and what the release has then.
    async fn order(&mut self, course: Course, back: Option<u64>) -> (Order, Content) {
        self.version += 1;
        let next = self.serves.next(self.version, course);
        if course.pulls() {
            let id = self.registry.push(&self.fixture, next.image).await;
            self.world.images.insert(next.image, id);
        }
        if let Some(back) = back.filter(|_| course == Course::Rollback) {
            return (Order::Rollback(back), *self.contents.get(&back).unwrap());
        }
        if course != Course::Migration {
            self.world.revisions.insert(next.version);
        }
        (Order::Deploy(next, course), next)
    }

    /// As the next start of the agent.
    async fn go_on(&self, release: u64) {
        let engine = self.fixture.restarted();
        engine.resume_all().await.unwrap();
        if self.rows().await.first().is_some_and(|row| row.number == ReleaseNumber::new(release)) {
            fixture::quiet_events(&engine, &fixture::name(APP)).await;
        }
    }

    /// How the release ended, or what is not as it has to be.
    async fn look(
        &mut self,
        release: u64,
        (plan, content): (Plan, Content),
        struck: Option<i64>,
    ) -> Result<String, String> {
        let rows = self.rows().await;
        let row = rows.iter().find(|row| row.number == ReleaseNumber::new(release));
        let state = row.map(|row| row.state);
        let mut faults = Vec::new();
        match state {
            Some(ReleaseState::Released) if plan.course.can_serve() => {
                self.serves = content;
                self.world.served.insert(content.image);
            }
            Some(ReleaseState::Undone) | None if !must_serve(plan, struck) => {}
            other => {
                let failure = row.and_then(|row| row.failure.clone());
                faults.push(format!("the release ended as {other:?}: {failure:?}"));
            }
        }
        faults.extend(self.faults_within(plan.fault.patience(), &rows).await);
        let state = state.map_or("never begun".to_owned(), |state| format!("{state:?}"));
        if faults.is_empty() {
            return Ok(state);
        }
        Err(format!("job {} r{release} {plan:?} {struck:?} {state}: {}", self.number, faults.join("; ")))
    }

    /// What is not as it has to be after so long.
    async fn faults_within(&self, patience: Duration, rows: &[ReleaseRow]) -> Vec<String> {
        let started = Instant::now();
        loop {
            let found = judge::faults_of(&self.fixture, rows, (self.serves, &self.world)).await;
            if found.is_empty() || started.elapsed() > patience {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Whether the release has no reason to be taken back: nothing went wrong, or the agent was killed after its saga had begun.
fn must_serve(plan: Plan, struck: Option<i64>) -> bool {
    let is_whole = match struck {
        None => true,
        Some(records) => plan.fault == Fault::Agent && records > 0,
    };
    plan.course.can_serve() && is_whole
}
