//! The agent killed (-9) in mid release: the next start ends with the old release or the new one, and says which.
//!
//! The victim is this very test binary, run as another process that deploys; it is killed from outside when its journal
//! has grown to a chosen length.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tidegate_agent::release::{EventKind, ReleaseState};

use super::{
    fixture::{self, Fixture, get},
    shop,
};

const STATE: &str = "TIDEGATE_TEST_VICTIM_STATE";
const SOCKET: &str = "TIDEGATE_TEST_VICTIM_SOCKET";
const NAMESPACE: &str = "TIDEGATE_TEST_VICTIM_NAMESPACE";
const PROBE: &str = "TIDEGATE_TEST_VICTIM_PROBE";

/// Not a test by itself: deploys v2 and waits to be killed.
#[tokio::test(flavor = "multi_thread")]
async fn victim() {
    let variable = |name: &str| std::env::var_os(name);
    let (Some(state), Some(socket), Some(namespace)) =
        (variable(STATE), variable(SOCKET), variable(NAMESPACE))
    else {
        return;
    };
    let probe = variable(PROBE).unwrap_or_default().into_string().unwrap();
    let engine = fixture::engine(Path::new(&state), Path::new(&socket), Path::new(&namespace));
    let input = fixture::input(&shop("v2").variable("PROBE", &probe));
    let release = engine.deploy(input, "victim").await.unwrap();
    fixture::events(&engine, &release.app).await;
}

/// Lets the victim run until the journal of r2 has `records` records, and kills it. False when it ended before.
fn killed_at(fixture: &Fixture, (release, records): (u64, i64), probe: &str) -> bool {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "docker::release::kill::victim"])
        .env(STATE, fixture.state())
        .env(SOCKET, fixture.docker.socket())
        .env(NAMESPACE, fixture.docker.namespace())
        .env(PROBE, probe)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let mut alive = true;
    while alive && journal_length(&fixture.state(), release) < records {
        assert!(started.elapsed() < Duration::from_mins(2));
        std::thread::sleep(Duration::from_millis(2));
        alive = victim.try_wait().unwrap().is_none();
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    alive
}

fn journal_length(state: &Path, release: u64) -> i64 {
    let database = rusqlite::Connection::open(state.join("agent.db")).unwrap();
    let count = "SELECT count(*) FROM journal WHERE saga = ?1";
    database.query_row(count, [format!("shop/{release}")], |row| row.get(0)).unwrap_or(0)
}

async fn resumed(fixture: &Fixture) -> ReleaseState {
    let engine = fixture.restarted();
    engine.resume_all().await.unwrap();
    let events = fixture::events(&engine, &fixture::name("shop")).await;
    match &events.last().unwrap().kind {
        EventKind::Finished { state, .. } => *state,
        other => panic!("{other:?}"),
    }
}

async fn kill_and_look(records: i64, probe: &str) {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    let was_killed = killed_at(&fixture, (2, records), probe);
    let state = resumed(&fixture).await;
    println!("killed at record {records} ({was_killed}): {state:?}");
    let (body, number) = match state {
        ReleaseState::Released => ("v2\n", 2),
        ReleaseState::Undone => ("v1\n", 1),
        other => panic!("{other:?}"),
    };
    assert_eq!(probe.is_empty(), state == ReleaseState::Released);
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, body.to_owned()));
    let names = fixture.container_names().await;
    let expected = [
        "shop-db-1".to_owned(),
        format!("shop-web-{number}"),
        format!("shop-worker-{number}"),
        "tidegate-ingress".to_owned(),
    ];
    assert_eq!(names, expected);
}

macro_rules! killed {
    ($($name:ident: $records:literal, $probe:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            kill_and_look($records, $probe).await;
        }
    )*};
}

killed! {
    killed_while_creating: 6, "";
    killed_while_migrating: 8, "";
    killed_at_the_gate: 10, "";
    killed_at_the_switch: 12, "";
    killed_while_replacing: 14, "";
    killed_before_the_commit: 18, "";
    killed_while_undoing: 12, "missing";
}
