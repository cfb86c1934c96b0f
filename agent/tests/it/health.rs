//! Health at the agent's door: who may look at what, and what a droplet without Docker, systemd and apps tells.

use tidegate_proto::{
    grants::Role,
    v1::{HealthRequest, HealthResponse, HealthState, InfoRequest},
};
use tonic::Code;

use crate::support::{command, enrolled, fleet::Fleet, reason};

fn state(told: &HealthResponse, id: &str) -> HealthState {
    let found = told.checks.iter().find(|check| check.id == id);
    found.unwrap_or_else(|| panic!("{id} is not among {told:?}")).state()
}

#[tokio::test]
async fn a_droplet_tells_how_it_is_and_what_it_cannot_see() {
    let fleet = Fleet::new("production");
    let (droplet, agent) = enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user_of(Role::Viewer, "shop")).await;
    let told = client.health(HealthRequest::default()).await.unwrap().into_inner();
    assert!(told.at.is_some() && told.checks.iter().all(|check| check.since.is_some()), "{told:?}");
    for id in ["host.memory", "host.disk", "host.certificate", "host.database"] {
        assert_ne!(state(&told, id), HealthState::Unknown, "{id}: {told:?}");
    }
    // It is away from the first look on, which is not yet for long enough to be told.
    let docker = told.checks.iter().find(|check| check.id == "host.docker").unwrap();
    assert!(docker.why.contains("Docker does not answer"), "{docker:?}");

    let other = client.health(HealthRequest { app: "blog".to_owned() }).await.unwrap_err();
    assert_eq!(reason(&other), (Code::PermissionDenied, "NOT_GRANTED".to_owned()));
    let unknown = client.health(HealthRequest { app: "shop".to_owned() }).await.unwrap_err();
    assert_eq!(reason(&unknown), (Code::NotFound, "NO_APP".to_owned()));
    let wrong = client.health(HealthRequest { app: "Shop!".to_owned() }).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    client.info(InfoRequest {}).await.unwrap();

    let socket = droplet.socket();
    let (text, json) = tokio::task::spawn_blocking(move || {
        (command(&socket, &["health"]).unwrap(), command(&socket, &["health", "--json"]).unwrap())
    })
    .await
    .unwrap();
    assert!(text.contains("checks are good\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["checks"].as_array().unwrap().iter().any(|check| check["id"] == "host.cpu"), "{json}");
    agent.stop().await;
}

#[tokio::test]
async fn what_was_told_is_remembered_over_a_restart() {
    let fleet = Fleet::new("production");
    let (droplet, agent) = enrolled(&fleet).await;
    let user = fleet.user(Role::Viewer);
    let look = async |agent: &crate::support::agent::Agent| {
        let mut client = fleet.dial(agent.address, &user).await;
        client.health(HealthRequest::default()).await.unwrap().into_inner()
    };
    let first = look(&agent).await;
    agent.stop().await;
    droplet.set_time(
        tidegate_agent::clock::Clock::now(&*droplet.clock).checked_add(jiff::Span::new().minutes(2)).unwrap(),
    );
    let agent = droplet.start().await;
    let second = look(&agent).await;
    assert_eq!(state(&second, "host.docker"), HealthState::Critical, "away for two minutes");
    let since =
        |told: &HealthResponse| told.checks.iter().find(|check| check.id == "host.memory").unwrap().since;
    assert_eq!(since(&first), since(&second));
    agent.stop().await;
}
