//! The whole service over a real Docker: what a controller does with an app, over mutual TLS.

use std::time::Duration;

use tidegate_proto::{
    grants::Role,
    status::RichError,
    v1::{
        AuditLogRequest, DeployRequest, ExecRequest, ExecResponse, ExecStart, InfoRequest, LogsRequest,
        ReleaseState, RemoveAppRequest, SetMaintenanceRequest, SourceFile, StatusRequest, StdinClosed,
        WatchReleaseRequest, agent_client::AgentClient, exec_request, exec_response, release_event,
    },
};
use tidegate_tests::docker::{Docker, Image};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::support::{agent::Droplet, fleet::Fleet, reason};

const COMPOSE: &str = "
services:
  web:
    image: probe:1
    command: [sh, -c, 'echo hello from web; exec sleep 1000']
    init: true
    environment: { GREETING: '${GREETING}' }
";

type Client = AgentClient<Channel>;

fn deploy(compose: &str) -> DeployRequest {
    DeployRequest {
        app: "shop".to_owned(),
        files: vec![SourceFile { path: "compose.yaml".to_owned(), content: compose.into(), mode: 0 }],
        compose_files: vec!["compose.yaml".to_owned()],
        variables: [("GREETING".to_owned(), "hello".to_owned())].into(),
        git_revision: "7f3c2a1".to_owned(),
        ..DeployRequest::default()
    }
}

async fn release(client: &mut Client) -> ReleaseState {
    let mut events = client.deploy(deploy(COMPOSE)).await.unwrap().into_inner();
    let mut state = ReleaseState::Unspecified;
    let mut number = 0;
    while let Some(event) = timeout(Duration::from_secs(90), events.message()).await.unwrap().unwrap() {
        number += 1;
        assert_eq!(event.number, number, "events have no gaps");
        if let Some(release_event::Event::Finished(finished)) = event.event {
            state = finished.state();
        }
    }
    state
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Ended {
    out: String,
    err: String,
    code: Option<i32>,
}

async fn ended(mut answers: Streaming<ExecResponse>) -> Result<Ended, Status> {
    let mut ended = Ended::default();
    while let Some(answer) = timeout(Duration::from_secs(30), answers.message()).await.unwrap()? {
        match answer.response.unwrap() {
            exec_response::Response::Started(_) => {}
            exec_response::Response::Stdout(bytes) => ended.out.push_str(&String::from_utf8_lossy(&bytes)),
            exec_response::Response::Stderr(bytes) => ended.err.push_str(&String::from_utf8_lossy(&bytes)),
            exec_response::Response::Exit(exit) => ended.code = Some(exit.code),
        }
    }
    Ok(ended)
}

fn session(service: &str, command: &[&str], stdin: Option<&str>) -> Vec<ExecRequest> {
    let start = ExecStart {
        app: "shop".to_owned(),
        service: service.to_owned(),
        command: command.iter().map(ToString::to_string).collect(),
        stdin: stdin.is_some(),
        ..ExecStart::default()
    };
    let mut requests = vec![exec_request::Request::Start(start)];
    if let Some(text) = stdin {
        requests.push(exec_request::Request::Stdin(text.as_bytes().to_vec()));
        requests.push(exec_request::Request::StdinClosed(StdinClosed {}));
    }
    requests.into_iter().map(|request| ExecRequest { request: Some(request) }).collect()
}

async fn exec(client: &mut Client, service: &str, command: &[&str]) -> Result<Ended, Status> {
    let requests = session(service, command, None);
    ended(client.exec_container(futures::stream::iter(requests)).await?.into_inner()).await
}

#[tokio::test]
async fn an_app_is_deployed_looked_at_and_removed() {
    let docker = Docker::start().await.unwrap();
    docker.load(Image::Probe).await.unwrap();
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await.with_docker(&docker.socket());
    let agent = droplet.enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;

    let info = client.info(InfoRequest {}).await.unwrap().into_inner();
    assert!(!info.docker_version.is_empty(), "{info:?}");
    refusals(&mut client).await;
    assert_eq!(release(&mut client).await, ReleaseState::Released);
    looking(&mut client).await;
    commands(&mut client).await;
    one_off_commands(&docker, &mut client).await;
    only_ones_own_apps(&fleet, agent.address).await;
    maintenance(&mut client).await;
    removal(&mut client).await;
    audit(&mut client).await;
}

async fn refusals(client: &mut Client) {
    let mut cloud = deploy(COMPOSE);
    cloud.variables.insert("DIGITALOCEAN_TOKEN".to_owned(), "dop_v1_x".to_owned());
    let refused = client.deploy(cloud).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::InvalidArgument, "CLOUD_VARIABLE".to_owned()));
    let refused = client.plan_deploy(deploy("services: { web: { imag: x } }")).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::InvalidArgument, "REFUSED".to_owned()));
    assert!(RichError::from_status(&refused).place.starts_with("compose.yaml:1:"), "{refused:?}");
    let refused = exec(client, "web", &["true"]).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, "NO_APP".to_owned()));
    let plan = client.plan_deploy(deploy(COMPOSE)).await.unwrap().into_inner();
    assert!(plan.changes.iter().any(|change| change.object == "service web"), "{plan:?}");
}

async fn looking(client: &mut Client) {
    let status = client.status(StatusRequest::default()).await.unwrap().into_inner();
    let app = status.apps.first().unwrap();
    let release = app.release.as_ref().unwrap();
    assert_eq!((release.release, release.git_revision.as_str()), (1, "7f3c2a1"));
    let container = app.services.first().unwrap().containers.first().unwrap();
    assert_eq!((container.name.as_str(), container.state.as_str()), ("shop-web-1", "running"));
    assert!(container.started_at.is_some());

    let request = LogsRequest { app: "shop".to_owned(), ..LogsRequest::default() };
    let mut lines = client.logs(request).await.unwrap().into_inner();
    let line = timeout(Duration::from_secs(20), lines.message()).await.unwrap().unwrap().unwrap();
    assert_eq!((line.service.as_str(), line.line.as_slice()), ("web", &b"hello from web"[..]));

    let after = 2;
    let request = WatchReleaseRequest { app: "shop".to_owned(), release: 0, after };
    let first = client.watch_release(request).await.unwrap().into_inner().message().await.unwrap().unwrap();
    assert_eq!(first.number, after + 1);
}

async fn commands(client: &mut Client) {
    let told = exec(client, "web", &["sh", "-c", "echo $GREETING; echo bad >&2; exit 3"]).await.unwrap();
    assert_eq!(told, Ended { out: "hello\n".to_owned(), err: "bad\n".to_owned(), code: Some(3) });
    assert_eq!(exec(client, "web", &["no-such-program"]).await.unwrap().code, Some(127));
    let refused = exec(client, "wbe", &["true"]).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, "NO_SERVICE".to_owned()));
    let piped = client.exec_container(futures::stream::iter(session("web", &["wc", "-c"], Some("12345"))));
    assert_eq!(ended(piped.await.unwrap().into_inner()).await.unwrap().out.trim(), "5");
}

async fn one_off_commands(docker: &Docker, client: &mut Client) {
    let run = async |client: &mut Client, command: &[&str], stdin: Option<&str>| {
        let requests = session("web", command, stdin);
        ended(client.run(futures::stream::iter(requests)).await.unwrap().into_inner()).await.unwrap()
    };
    let told = run(client, &["sh", "-c", "hostname; echo $GREETING; exit 4"], None).await;
    assert!(told.out.ends_with("hello\n"), "{told:?}");
    assert_eq!(told.code, Some(4));
    let piped = run(client, &["wc", "-c"], Some("12345")).await;
    assert_eq!((piped.out.trim(), piped.code), ("5", Some(0)));
    let missing = run(client, &["no-such-program"], None).await;
    assert_eq!((missing.code, missing.out.as_str()), (Some(127), ""), "{missing:?}");
    let left = docker.client().list_containers(None::<bollard::query_parameters::ListContainersOptions>);
    assert_eq!(left.await.unwrap().len(), 1, "one-off containers are left");
}

async fn only_ones_own_apps(fleet: &Fleet, address: std::net::SocketAddr) {
    let mut other = fleet.dial(address, &fleet.user_of(Role::Admin, "blog")).await;
    let status = other.status(StatusRequest::default()).await.unwrap().into_inner();
    assert_eq!(status.apps, [], "somebody else's app is shown");
    let refused = exec(&mut other, "web", &["true"]).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::PermissionDenied, "NOT_GRANTED".to_owned()));
}

async fn maintenance(client: &mut Client) {
    let request = |app: &str, on| SetMaintenanceRequest { app: app.to_owned(), on };
    let refused = client.set_maintenance(request("shop", true)).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "NO_ROUTES".to_owned()));
    let refused = client.set_maintenance(request("blog", true)).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::NotFound, "NO_APP".to_owned()));
    assert!(!client.set_maintenance(request("shop", false)).await.unwrap().into_inner().changed);
}

async fn removal(client: &mut Client) {
    let request = RemoveAppRequest { app: "shop".to_owned(), volumes: true };
    let removed = client.remove_app(request).await.unwrap().into_inner().removed;
    assert!(removed.iter().any(|line| line.contains("shop-web-1")), "{removed:?}");
    assert_eq!(client.status(StatusRequest::default()).await.unwrap().into_inner().apps, []);
}

async fn audit(client: &mut Client) {
    let mut entries = client.audit_log(AuditLogRequest { after: 2, limit: 0 }).await.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(entry) = entries.message().await.unwrap() {
        told.push(format!("{} {} {}", entry.action, entry.subject, entry.outcome));
    }
    for expected in [
        "deploy shop started",
        "deploy shop succeeded",
        "exec-container shop/web started",
        "exec-container shop/web succeeded",
        "exec-container shop/wbe failed: NO_SERVICE",
        "run shop/web succeeded",
        "maintenance shop failed: NO_ROUTES",
        "maintenance shop succeeded",
        "remove-app shop succeeded",
    ] {
        assert!(told.iter().any(|entry| entry == expected), "{expected} is not among {told:#?}");
    }
}
