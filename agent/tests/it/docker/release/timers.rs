//! Timers of backups come and go with releases. There is no systemd in the tests' world; the drop-ins are real, and so is
//! `systemd-analyze`, which judges schedules.

use std::{path::Path, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use tidegate_agent::{
    release::{EngineError, EventKind, ReleaseState, Volumes},
    systemd::SystemdError,
    timers::{Scheduler, TimerKeeper, TimerUnit},
};

use super::fixture::{App, Fixture, ended, input, name};

/// Stands where systemd would, and takes everything.
#[derive(Debug, Default)]
struct NoSystemd;

impl Scheduler for NoSystemd {
    fn stop<'a>(&'a self, _: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>> {
        futures::future::ready(Ok(())).boxed()
    }

    fn start<'a>(&'a self, _: &'a [TimerUnit]) -> BoxFuture<'a, Result<(), SystemdError>> {
        futures::future::ready(Ok(())).boxed()
    }
}

/// Keeps timers below the state directory.
pub fn keeper(state: &Path) -> TimerKeeper {
    let units = state.join("units");
    fs_err::create_dir_all(&units).unwrap();
    TimerKeeper::new(units, Arc::new(NoSystemd))
}

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// `db` is a PostgreSQL by its word alone: what is in the container is nothing to a timer.
fn app(backup: &str, command: &str) -> App {
    App::new(
        "shop",
        &format!(
            "services:\n  db:\n    image: probe:1\n    init: true\n    command: {command}\n    x-tidegate:\n      \
             gate: {{ stable: 1s, timeout: 20s }}\n{backup}"
        ),
    )
}

fn backup(schedule: &str) -> String {
    format!("      backup: {{ engine: postgres, encrypt_to: [{RECIPIENT}], schedule: {schedule:?} }}\n")
}

/// The drop-ins' lines with a time.
pub fn schedules(fixture: &Fixture) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(fixture.state().join("units")) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if let Ok(text) = fs_err::read_to_string(path.join("schedule.conf")) {
            let time = text.lines().find(|line| line.starts_with("OnCalendar")).unwrap();
            found.push(format!("{} {time}", path.file_name().unwrap().to_str().unwrap()));
        }
    }
    found.sort();
    found
}

const NIGHT: [&str; 2] = [
    "tidegate-backup@shop-db.timer.d OnCalendar=*-*-* 03:00",
    "tidegate-verify@shop-db.timer.d OnCalendar=weekly",
];

#[tokio::test(flavor = "multi_thread")]
async fn timers_follow_the_release_that_serves() {
    let fixture = Fixture::start().await;
    let sleeps = "sleep 1000";
    // What systemd does not take is refused with its place, and nothing is there of it.
    let Err(EngineError::Refused(refused)) =
        fixture.engine.plan(&input(&app(&backup("now and then"), sleeps))).await
    else {
        panic!("a schedule that is none was taken")
    };
    assert!(refused[0].cause.contains("systemd does not take the schedule"), "{refused:?}");
    assert!(refused[0].place.starts_with("compose.yaml:8:"), "{refused:?}");
    assert_eq!(schedules(&fixture), [""; 0]);

    let night = app(&backup("*-*-* 03:00"), sleeps);
    let told: Vec<String> = fixture
        .engine
        .plan(&input(&night))
        .await
        .unwrap()
        .changes()
        .into_iter()
        .filter(|change| change.object.starts_with("timer"))
        .map(|change| format!("{:?} {}: {}", change.kind, change.object, change.reason))
        .collect();
    assert_eq!(
        told,
        [
            "Create timer tidegate-backup@shop-db.timer: *-*-* 03:00",
            "Create timer tidegate-verify@shop-db.timer: weekly",
        ]
    );
    assert_eq!(ended(&fixture.release(&night).await), ReleaseState::Released);
    assert_eq!(schedules(&fixture), NIGHT);

    // A release that fails later leaves the timers of the one that serves.
    let events = fixture.release(&app(&backup("hourly"), "sh -c 'exit 1'")).await;
    assert_eq!(ended(&events), ReleaseState::Undone);
    let is_brought =
        |kind: &EventKind| matches!(kind, EventKind::StepFinished { step, .. } if step == "timers");
    assert!(events.iter().any(|event| is_brought(&event.kind)), "{events:?}");
    assert_eq!(schedules(&fixture), NIGHT);

    // Only the time: no container is touched.
    let before = fixture.container_names().await;
    assert_eq!(ended(&fixture.release(&app(&backup("hourly"), sleeps)).await), ReleaseState::Released);
    assert_eq!(schedules(&fixture)[0], "tidegate-backup@shop-db.timer.d OnCalendar=hourly");
    assert_eq!(fixture.container_names().await, before);

    // A hand on the droplet is put right when the agent starts.
    fs_err::remove_dir_all(fixture.state().join("units/tidegate-backup@shop-db.timer.d")).unwrap();
    fixture.restarted().resume_all().await.unwrap();
    assert_eq!(schedules(&fixture).len(), 2);

    let removed = fixture.engine.remove(&name("shop"), Volumes::Keep, "test").await.unwrap();
    assert_eq!(removed[0], "timer tidegate-backup@shop-db.timer");
    assert_eq!(schedules(&fixture), [""; 0]);
}
