//! What is refused, what fails, and that nothing is left of it.

use super::{
    fixture::{App, Fixture, get, input, undone},
    shop,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_gets_well_is_undone_and_the_old_one_serves_on() {
    let fixture = Fixture::start().await;
    fixture.release(&shop("v1")).await;
    let before = fixture.inventory().await;
    let failure = undone(&fixture.release(&shop("v2").variable("PROBE", "missing")).await);
    assert_eq!(failure.what, "service web did not pass its gate");
    assert_eq!(failure.cause, "its health check failed");
    assert!(failure.details.iter().any(|line| line.contains("404")), "{failure:?}");
    assert_eq!(fixture.inventory().await, before);
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v1\n".to_owned()));
    let failure =
        undone(&fixture.release(&shop("v2").variable("BEFORE_WEB", "echo no database; exit 3")).await);
    assert_eq!(failure.cause, "it ended with exit code 3");
    assert_eq!(failure.details, ["no database"]);
    assert_eq!(fixture.inventory().await, before);
    // The next one is not held up by it.
    fixture.release(&shop("v2")).await;
    assert_eq!(get(&fixture.docker, "shop.example.com", "/"), (200, "v2\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_shows_its_output_and_touches_nothing() {
    let fixture = Fixture::start().await;
    let before = fixture.inventory().await;
    let failure = undone(&fixture.release(&shop("v1").variable("MIGRATION_EXIT", "7")).await);
    assert_eq!(failure.what, "the migration in service web failed");
    assert_eq!(failure.cause, "it ended with exit code 7");
    assert_eq!(failure.details, ["migrated to v1"]);
    fixture.without_ingress().await;
    assert_eq!(
        fixture.inventory().await,
        before,
        "a first release that fails leaves nothing, volumes included"
    );
    assert!(!fixture.state().join("apps/shop").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_before_anything_changes() {
    let fixture = Fixture::start().await;
    let before = fixture.inventory().await;
    let one = |body: &str| App::new("bad", &format!("services:\n  web:\n    image: probe:1\n{body}"));
    for (app, what) in [
        (
            App::new("bad", "services:\n  web:\n    image: nobody/has-this:1\n"),
            "the image nobody/has-this:1 cannot be had",
        ),
        (one("    privileged: true\n"), "service web of bad may not use `privileged`"),
        (one("    volumes: [/var/run/docker.sock:/x]\n"), "service web of bad may not use `volumes`"),
        (one("    volumes: [/etc:/x]\n"), "service web of bad may not use `volumes`"),
        (one("    use_api_socket: true\n"), "`services.web.use_api_socket` is set and not supported"),
        (
            one("    annotations: { a: b }\n"),
            "`services.web.annotations` needs a newer Docker than the droplet has",
        ),
        (
            one("    security_opt: ['seccomp=missing.json']\n"),
            "the seccomp profile missing.json cannot be used",
        ),
        (one("    pid: 'container:nobody'\n"), "service web of bad may not use `pid`"),
        (one("    devices: [/dev/fuse]\n"), "service web of bad may not use `devices`"),
        (
            one("x-tidegate: { migrate: { service: web, command: ['true'], kind: breaking } }\n"),
            "the migration is of kind `breaking`",
        ),
        (one("    imago: x\n"), ""),
        (one("x-tidegate: { migrate: { service: web, command: ['true'] } }\n"), ""),
        (one("    volumes: [data:/x]\nvolumes: { data: { external: true } }\n"), "there is no volume data"),
        (one("    networks: [lost]\nnetworks: { lost: { external: true } }\n"), "there is no network lost"),
        (
            one("    volumes: [data:/x]\nvolumes: { data: { driver: nosuch } }\n"),
            "the volume bad_data asks for the driver nosuch",
        ),
        (
            one("networks: { default: { ipam: { config: [{ subnet: 172.17.128.0/24 }] } } }\n"),
            "the network bad_default cannot have the subnet 172.17.128.0/24",
        ),
    ] {
        let failures = fixture.refused(&app).await;
        println!("{failures:#?}");
        if !what.is_empty() {
            assert_eq!(failures[0].what, what);
        }
        assert!(failures[0].place.starts_with("compose.yaml:"), "{:?}", failures[0]);
        assert!(!failures[0].hint.is_empty(), "{:?}", failures[0]);
    }
    assert_eq!(fixture.inventory().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_host_port_is_refused_or_undone() {
    let fixture = Fixture::start().await;
    let ports = |app: &str, port: &str| {
        let compose = format!(
            "services:\n  web:\n    image: probe:1\n    command: [sleep, '1000']\n    init: true\n    ports: ['{port}:80']\n    x-tidegate: {{ gate: {{ stable: 1s }} }}\n"
        );
        App::new(app, &compose)
    };
    fixture.release(&ports("one", "8080")).await;
    let before = fixture.inventory().await;
    let failure = fixture.refused(&ports("two", "8080")).await.remove(0);
    assert_eq!(failure.what, "host port 8080 of service web is taken");
    assert_eq!(failure.cause, "the container one-web-1 has published it");
    // So is one on which a program listens that is no container.
    let _listener = fixture.docker.inside(|| std::net::TcpListener::bind("0.0.0.0:8081").unwrap()).unwrap();
    let failure = fixture.refused(&ports("two", "8081")).await.remove(0);
    assert_eq!(failure.what, "host port 8081 of service web is taken");
    assert_eq!(failure.cause, "a program on the droplet listens on 0.0.0.0 already");
    // What cannot be known before is found out at the start.
    let failure = undone(&fixture.release(&ports("two", "203.0.113.7:8082")).await);
    assert_eq!(failure.what, "service web could not be started: Docker refused");
    assert!(failure.cause.contains("cannot assign requested address"), "{failure:?}");
    assert_eq!(fixture.inventory().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_replaces_the_services_that_mount_it() {
    let fixture = Fixture::start().await;
    let app = |content: &str| {
        let compose = "services:
  web:
    image: probe:1
    command: [sleep, '1000']
    init: true
    volumes: ['./conf:/conf:ro']
    x-tidegate: { gate: { stable: 1s } }
  other:
    image: probe:1
    command: [sleep, '1000']
    init: true
    x-tidegate: { gate: { stable: 1s } }
";
        App::new("files", compose).file("conf/a", content)
    };
    fixture.release(&app("one")).await;
    fixture.release(&app("two")).await;
    assert_eq!(fixture.container_names().await, ["files-other-1", "files-web-2"]);
    assert_eq!(fixture.exec("files-web-2", &["cat", "/conf/a"]).await, (0, "two".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_release_at_a_time_and_a_repeated_request_joins() {
    use tidegate_agent::release::{EngineError, Joined};
    let fixture = Fixture::start().await;
    let mut asked = input(&shop("v1"));
    asked.idempotency_key = "4711".to_owned();
    let first = fixture.engine.deploy(asked.clone(), "spiffe://t.t/user/ann").await.unwrap();
    let second = fixture.engine.deploy(asked, "spiffe://t.t/user/ann").await.unwrap();
    assert_eq!(
        (first.joined, second.joined, second.release),
        (Joined::Began, Joined::Existing, first.release)
    );
    let busy = fixture.engine.deploy(input(&shop("v2")), "bob").await.unwrap_err();
    assert!(matches!(&busy, EngineError::Busy { actor, .. } if actor == "spiffe://t.t/user/ann"), "{busy}");
    super::fixture::events(&fixture.engine, &first.app).await;
}
