//! Lifecycle hooks: what they get, and what comes of their failures.

use tidegate_agent::release::{EventKind, ReleaseState, Volumes};

use super::fixture::{App, Fixture, ended, name};

/// Its `pre_stop` writes into a volume that outlives the container, after what `$BEFORE_STOP` says.
fn app(version: &str) -> App {
    let compose = r#"
services:
  web:
    image: probe:1
    command: [sh, -c, "trap 'exit 0' TERM; sleep 100000 & wait"]
    environment: { VERSION: "${VERSION}" }
    volumes: ["data:/data"]
    post_start:
      - command: [sh, -c, "echo $$VERSION $$GREETING $$(id -u) $$(pwd) >>/data/started"]
        user: "1"
        working_dir: /tmp
        environment: { GREETING: hello }
      - command: [sh, -c, "${AFTER_START:-true}"]
    pre_stop:
      - command: [sh, -c, "echo $$VERSION >>/data/stopped; ${BEFORE_STOP:-true}"]
    x-tidegate: { gate: { stable: 1s, timeout: 20s } }
  init:
    image: probe:1
    command: [chmod, "777", /data]
    volumes: ["data:/data"]
volumes:
  data: {}
"#;
    let compose = compose.replace(
        "    post_start",
        "    depends_on: { init: { condition: service_completed_successfully } }\n    post_start",
    );
    App::new("hooks", &compose).variable("VERSION", version)
}

async fn read(fixture: &Fixture, file: &str) -> String {
    let web = fixture.engine.containers(&name("hooks"), Some("web")).await.unwrap();
    fixture.exec(&web[0].name, &["cat", file]).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_after_the_start_and_before_the_stop() {
    let fixture = Fixture::start().await;
    assert_eq!(ended(&fixture.release(&app("v1")).await), ReleaseState::Released);
    assert_eq!(read(&fixture, "/data/started").await, "v1 hello 1 /tmp\n");

    // The old container's hook is that of the old release; its failure is told and changes nothing.
    let failing = app("v2").variable("BEFORE_STOP", "echo no more; exit 4");
    assert_eq!(ended(&fixture.release(&failing).await), ReleaseState::Released);
    assert_eq!(read(&fixture, "/data/stopped").await, "v1\n");
    let events = fixture.release(&app("v3")).await;
    assert_eq!(ended(&events), ReleaseState::Released);
    assert_eq!(read(&fixture, "/data/stopped").await, "v1\nv2\n");
    let told = |kind: &EventKind| {
        matches!(kind, EventKind::Progress { step, text } if step == "replace web"
            && text.starts_with("a pre_stop hook of hooks-web-2 failed: it ended with exit code 4"))
    };
    assert!(events.iter().any(|event| told(&event.kind)), "{events:?}");

    // A container that is not given back its place runs its hook too, and the old one starts as it always does.
    let events = fixture.release(&app("v4").variable("AFTER_START", "echo not like this >&2; exit 3")).await;
    let EventKind::Finished { state: ReleaseState::Undone, failure: Some(failure), .. } =
        &events.last().unwrap().kind
    else {
        panic!("{events:?}")
    };
    assert_eq!(failure.what, "a post_start hook of service web failed");
    assert_eq!(failure.cause, "it ended with exit code 3");
    assert_eq!(failure.details, ["not like this"]);
    let started = read(&fixture, "/data/started").await;
    let versions: Vec<&str> = started.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(versions, ["v1", "v2", "v3", "v4", "v3"]);
    assert_eq!(read(&fixture, "/data/stopped").await, "v1\nv2\nv3\nv4\n");

    let removed = fixture.engine.remove(&name("hooks"), Volumes::Remove, "test").await.unwrap();
    assert!(removed.iter().any(|line| line.starts_with("container hooks-web-")), "{removed:?}");
    assert!(!removed.iter().any(|line| line.contains("failed")), "{removed:?}");
}
