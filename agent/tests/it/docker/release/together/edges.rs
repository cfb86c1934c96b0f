//! Agents killed at the edges of the votes, the one that decides and another: all droplets end in one release.

use std::time::Duration;

use tidegate_agent::release::{DeployInput, EventKind, MigrationHere, Part, ReleaseState};
use tokio::time::{Instant, sleep};

use super::{
    super::fixture::{self, name},
    LONG, SHORT,
    sites::{Site, Sites},
};

/// A record of an agent's journal: what it tells, and of which step.
type Edge = (&'static str, &'static str);

/// The droplet whose agent decides.
const DECIDER: u64 = 1;
/// Another.
const OTHER: u64 = 2;
/// The one whose service does not get well, where one does not.
const SICK: u64 = 3;
/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Around both votes, whoever is killed.
const OF_BOTH: [Edge; 7] = [
    ("node-started", "agree"),
    ("node-succeeded", "agree"),
    ("node-started", "switch"),
    ("node-succeeded", "watch"),
    ("node-started", "finish"),
    ("node-succeeded", "finish"),
    ("node-started", "commit"),
];
/// The one that decides migrates what the others wait for.
const OF_DECIDER: [Edge; 2] = [("node-started", "migrate"), ("node-succeeded", "migrate")];
const OF_OTHER: [Edge; 2] = [("node-started", "await migration"), ("node-succeeded", "await migration")];
/// Where the release is taken back.
const UNDONE: [Edge; 4] = [
    ("node-started", "agree"),
    ("undo-started", "agree"),
    ("undo-finished", "agree"),
    ("undo-started", "gate web"),
];

/// What the app has, with a migration that the first makes for all.
fn shop(version: &str, (droplet, sick): (u64, Option<u64>)) -> DeployInput {
    let migrate = "migrate: { service: worker, command: [sleep, '1'], kind: compatible }";
    let compose = include_str!("shop.yaml").replacen("watch: 1s", &format!("watch: 1s, {migrate}"), 1);
    let mut app = fixture::App::new("shop", &compose).variable("VERSION", version);
    if sick == Some(droplet) {
        app = app.variable("BEFORE_WEB", "exit 3");
    }
    let migration = if droplet == DECIDER { MigrationHere::Run } else { MigrationHere::Elsewhere };
    DeployInput { part: Part { migration, ..Part::default() }, ..fixture::input(&app) }
}

/// How long the killed agent stays away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    /// It is started again at once.
    Hardly,
    /// It is started again when the others have ended, or say that they cannot know how.
    UntilTheOthersSettle,
}

/// Releases on three droplets, one after the other.
struct Course {
    sites: Sites,
    serves: String,
    releases: u64,
}

impl Course {
    async fn start() -> Self {
        let mut course = Self { sites: Sites::start().await, serves: String::new(), releases: 0 };
        let version = course.begin(LONG, None).await;
        course.sites.ended(ReleaseState::Released, &version).await;
        course.serves = version;
        course
    }

    /// Begins the next release.
    async fn begin(&mut self, lease: Duration, sick: Option<u64>) -> String {
        self.releases += 1;
        let version = format!("v{}", self.releases);
        self.sites.release_inputs(lease, |droplet| shop(&version, (droplet, sick))).await;
        version
    }

    /// Kills the agent of this droplet at that edge of a release, and starts it again: how all of them ended, and whether
    /// one was in doubt meanwhile.
    async fn killed(
        &mut self,
        (droplet, edge): (u64, Edge),
        sick: Option<u64>,
        away: Away,
    ) -> (ReleaseState, bool) {
        // It begins last, so that it has come to none of its edges when the others have begun.
        self.sites.all.sort_by_key(|site| (site.droplet == droplet, site.droplet));
        let started = Instant::now();
        let lease = if away == Away::Hardly { LONG } else { SHORT };
        let version = self.begin(lease, sick).await;
        self.await_edge(edge).await;
        self.sites.all[2].kill();
        let last = journal(&self.sites.all[2], self.releases).pop();
        if away == Away::UntilTheOthersSettle {
            self.others_settle().await;
        }
        self.sites.all[2].restart().await;
        let (state, _) = self.sites.all[2].end().await;
        if state == ReleaseState::Released {
            self.serves = version;
        }
        let events = self.sites.ended(state, &self.serves).await;
        self.no_strays().await;
        let is_doubt = |kind: &EventKind| matches!(kind, EventKind::InDoubt { .. });
        let doubted = events.iter().flatten().any(|event| is_doubt(&event.kind));
        println!(
            "edges: droplet {droplet} killed at {edge:?} (last record {last:?}), sick {sick:?}, away {away:?}: {state:?}, \
             in doubt: {doubted}, {} ms",
            started.elapsed().as_millis()
        );
        (state, doubted)
    }

    /// Waits until the journal of the last one has that record.
    async fn await_edge(&self, (kind, step): Edge) {
        let started = Instant::now();
        let wanted = (kind.to_owned(), step.to_owned());
        loop {
            let records = journal(&self.sites.all[2], self.releases);
            if records.contains(&wanted) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "never {kind} {step}: {records:?}");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until all but the last have ended, or are in doubt.
    async fn others_settle(&self) {
        let started = Instant::now();
        for site in &self.sites.all[..2] {
            loop {
                let rows = site.engine().releases(&name("shop")).await.unwrap();
                if rows[0].finished_at.is_some() || site.doubt().await.is_some() {
                    break;
                }
                assert!(started.elapsed() < PATIENCE, "droplet {} waits on", site.droplet);
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// On every droplet one release serves, and has one container for each service.
    async fn no_strays(&self) {
        for site in &self.sites.all {
            let rows = site.engine().releases(&name("shop")).await.unwrap();
            let serving = rows.iter().filter(|row| row.state == ReleaseState::Released).count();
            let settled =
                rows.iter().all(|row| row.finished_at.is_some() && row.state != ReleaseState::Stuck);
            assert!(serving == 1 && settled, "droplet {}: {rows:?}", site.droplet);
            let listed = site.docker.command("docker").args(["ps", "-a", "--format", CONTAINER]).output();
            let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
            let mut containers: Vec<&str> = listed.lines().map(str::trim).collect();
            containers.sort_unstable();
            assert_eq!(containers, ["running", "running web", "running worker"], "droplet {}", site.droplet);
        }
    }
}

/// Its state and its service; the ingress has none.
const CONTAINER: &str = r#"{{.State}} {{.Label "com.docker.compose.service"}}"#;

/// What stands in an agent's journal of a release, each record with its step.
fn journal(site: &Site, release: u64) -> Vec<(String, String)> {
    let database = rusqlite::Connection::open(site.state().join("agent.db")).unwrap();
    database.busy_timeout(Duration::from_secs(5)).unwrap();
    let select = "SELECT json_extract(record, '$.record'), coalesce(json_extract(record, '$.node'), '')
                  FROM journal WHERE saga = ?1 ORDER BY number";
    let mut statement = database.prepare(select).unwrap();
    let rows = statement.query_map([format!("shop/{release}")], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn every_edge() -> impl Iterator<Item = (u64, Edge)> {
    let of = |droplet, edges: [Edge; 2]| {
        edges.into_iter().chain(OF_BOTH).map(move |edge| (droplet, edge)).collect::<Vec<_>>()
    };
    [of(DECIDER, OF_DECIDER), of(OTHER, OF_OTHER)].into_iter().flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_of_the_one_that_decides_costs_no_release() {
    let mut course = Course::start().await;
    let edge = (DECIDER, ("node-started", "finish"));
    assert_eq!(course.killed(edge, None, Away::Hardly).await.0, ReleaseState::Released);
}

/// Minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: every edge; script/test --long"]
async fn a_kill_at_any_edge_of_a_vote_costs_no_release_and_saves_none() {
    let mut course = Course::start().await;
    for edge in every_edge() {
        assert_eq!(course.killed(edge, None, Away::Hardly).await.0, ReleaseState::Released, "{edge:?}");
    }
    for edge in [DECIDER, OTHER].into_iter().flat_map(|droplet| UNDONE.map(|edge| (droplet, edge))) {
        let (state, _) = course.killed(edge, Some(SICK), Away::Hardly).await;
        assert_eq!(state, ReleaseState::Undone, "{edge:?}");
    }
}

/// Minutes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: every edge and the end of each lease; script/test --long"]
async fn who_stays_away_from_any_edge_of_a_vote_finds_all_in_one_release() {
    let mut course = Course::start().await;
    let mut doubts = 0;
    for edge in every_edge() {
        let (state, doubted) = course.killed(edge, None, Away::UntilTheOthersSettle).await;
        doubts += u32::from(doubted);
        // Nobody but the one that decides leaves others in doubt; and it had decided, or all of them serve when it is back.
        if doubted {
            assert_eq!((edge.0, state), (DECIDER, ReleaseState::Released), "{edge:?}");
        }
    }
    assert!(doubts > 0, "nobody was ever in doubt");
}
