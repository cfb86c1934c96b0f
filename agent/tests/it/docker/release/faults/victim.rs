//! The agent that things happen to: this very test binary as another process, which begins a release or goes on with one.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tidegate_agent::{
    apps::ReleaseNumber,
    release::{BackTo, Interrupt},
};

use super::{
    super::fixture::{self, Fixture},
    app::{APP, Content, Course},
};

const ORDER: &str = "TIDEGATE_TEST_FAULTS_ORDER";
const STATE: &str = "TIDEGATE_TEST_FAULTS_STATE";
const SOCKET: &str = "TIDEGATE_TEST_FAULTS_SOCKET";
const NAMESPACE: &str = "TIDEGATE_TEST_FAULTS_NAMESPACE";
/// How long a release may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(3);

/// What the victim does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Deploys.
    Deploy(Content, Course),
    /// Goes back.
    Rollback(u64),
    /// Goes on with what another victim left.
    Resume,
}

/// When it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When the journal of the release has so many records.
    Records(i64),
    /// So long after its start.
    After(Duration),
}

/// Not a test by itself: does what it is told to, and is killed.
#[tokio::test(flavor = "multi_thread")]
async fn victim() {
    let variable = |name: &str| std::env::var_os(name);
    let (Some(order), Some(state)) = (variable(ORDER), variable(STATE)) else { return };
    let (Some(socket), Some(namespace)) = (variable(SOCKET), variable(NAMESPACE)) else { return };
    let engine = fixture::engine(Path::new(&state), Path::new(&socket), Path::new(&namespace));
    let app = fixture::name(APP);
    match serde_json::from_str(order.to_str().unwrap()).unwrap() {
        Order::Deploy(content, course) => {
            engine.deploy(content.input(course), "victim").await.unwrap();
        }
        Order::Rollback(to) => {
            // The network may be another one since.
            let to = Some(ReleaseNumber::new(to));
            let to = BackTo { release: to, interrupt: Interrupt::Allowed, ..BackTo::default() };
            engine.rollback(&app, to, "victim").await.unwrap();
        }
        Order::Resume => {
            engine.resume_all().await.unwrap();
        }
    }
    fixture::events(&engine, &app).await;
}

/// A running victim.
pub struct Victim {
    process: Child,
    order: Order,
}

impl Victim {
    pub fn spawn(fixture: &Fixture, order: Order) -> Self {
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "docker::release::faults::victim::victim"])
            .env(ORDER, serde_json::to_string(&order).unwrap())
            .env(STATE, fixture.state())
            .env(SOCKET, fixture.docker.socket())
            .env(NAMESPACE, fixture.docker.namespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, order }
    }

    /// Waits until then; how long the journal is. None when the victim has ended.
    pub fn until(&mut self, fixture: &Fixture, (release, when): (u64, When)) -> Option<i64> {
        let started = Instant::now();
        loop {
            let records = journal_length(&fixture.state(), release);
            if self.has_ended() {
                return None;
            }
            let due = match when {
                When::Records(wanted) => records >= wanted,
                When::After(delay) => started.elapsed() >= delay,
            };
            if due {
                return Some(records);
            }
            assert!(started.elapsed() < PATIENCE, "r{release} hangs");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it (-9).
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Lets it come to its end.
    pub fn end(mut self) {
        let started = Instant::now();
        while !self.has_ended() {
            if started.elapsed() > PATIENCE {
                let order = self.order;
                self.kill();
                panic!("{order:?} hangs");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// How many records the journal of a release has.
fn journal_length(state: &Path, release: u64) -> i64 {
    let database = rusqlite::Connection::open(state.join("agent.db")).unwrap();
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    let count = "SELECT count(*) FROM journal WHERE saga = ?1";
    database.query_row(count, [format!("{APP}/{release}")], |row| row.get(0)).unwrap_or(0)
}
