//! Attributes that lead to other containers or weaken confinement, on a real engine.

use tidegate_agent::release::{ChangeKind, EventKind, ReleaseState};

use super::fixture::{App, Fixture, input};

const COMPOSE: &str = r#"
services:
  db:
    image: probe:1
    command: [sh, -c, "echo ${VERSION} >/shared/hello; trap 'exit 0' TERM; sleep 100000 & wait"]
    volumes: ["/shared"]
    x-tidegate: { gate: { stable: 1s } }
  web:
    image: probe:1
    command: [sh, -c, "trap 'exit 0' TERM; sleep 100000 & wait"]
    links: ["db:database"]
    volumes_from: [db]
    pid: "service:db"
    security_opt: ["seccomp=profile.json", "systempaths=unconfined"]
    devices: ["/dev/zero:/dev/nothing:r"]
    cgroup: private
    cpu_shares: 73
    x-tidegate: { gate: { stable: 1s } }
"#;

const POLICY: &str = r#"
[[allow]]
app = "many"
service = "web"
rights = ["security_opt:seccomp=profile.json", "security_opt:systempaths=unconfined", "device:/dev/zero"]
"#;

fn app(version: &str, refused_call: &str) -> App {
    let profile = serde_json::json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": [refused_call, format!("{refused_call}at")], "action": "SCMP_ACT_ERRNO" }],
    });
    App::new("many", COMPOSE).variable("VERSION", version).file("profile.json", &profile.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn services_share_what_the_file_says_and_follow_each_other() {
    let fixture = Fixture::start().await;
    let refused = fixture.refused(&app("v1", "mkdir")).await;
    assert_eq!(refused.len(), 3, "{refused:#?}");
    fs_err::write(fixture.state().join("policy.toml"), POLICY).unwrap();
    fixture.release(&app("v1", "mkdir")).await;
    let run = async |container: &str, command: &[&str]| fixture.exec(container, command).await;
    assert_eq!(run("many-web-1", &["cat", "/shared/hello"]).await, (0, "v1\n".to_owned()));
    for alias in ["database", "db-1", "many-db-1"] {
        assert_eq!(run("many-web-1", &["ping", "-c", "1", alias]).await.0, 0, "{alias}");
    }
    let (code, text) = run("many-web-1", &["mkdir", "/made"]).await;
    assert!(code != 0 && text.contains("not permitted"), "{code} {text}");
    assert_eq!(run("many-web-1", &["head", "-c", "1", "/dev/nothing"]).await.0, 0);
    let found = fixture.docker.client().inspect_container("many-web-1", None).await.unwrap();
    let host = found.host_config.unwrap();
    assert_eq!((host.masked_paths, host.readonly_paths), (Some(vec![]), Some(vec![])));
    assert_eq!(host.cpu_shares, Some(73));

    // Nothing to do, although references to other containers are part of the hash.
    let plan = fixture.engine.plan(&input(&app("v1", "mkdir"))).await.unwrap();
    assert!(plan.changes().iter().all(|change| change.kind == ChangeKind::Keep), "{:?}", plan.changes());
    // Another profile under the same name is a change.
    let plan = fixture.engine.plan(&input(&app("v1", "link"))).await.unwrap();
    let changed = plan.changes().into_iter().find(|change| change.kind == ChangeKind::Recreate).unwrap();
    assert_eq!(changed.object, "service web");
    assert!(changed.reason.starts_with("a file that it is given changed"), "{changed:?}");

    // A new database takes the web service along, which then sees and finds the new one.
    let events = fixture.release(&app("v2", "mkdir")).await;
    let EventKind::Finished { state: ReleaseState::Released, .. } = &events.last().unwrap().kind else {
        panic!("{events:?}")
    };
    assert_eq!(run("many-web-2", &["cat", "/shared/hello"]).await, (0, "v2\n".to_owned()));
    assert_eq!(run("many-web-2", &["ping", "-c", "1", "database"]).await.0, 0);
}
