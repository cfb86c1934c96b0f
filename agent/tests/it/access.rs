//! Who gets in, and how far: everybody else is refused before any service runs.

use std::time::Duration;

use tidegate_proto::{
    certificates::{RevocationList, Revoked, Subject},
    grants::{AppScope, Role},
    identity::Identity,
    names::DropletId,
    roles::{LeastRole, RULES, Scope},
    tls::{ClientCredentials, Refusal},
    v1::{
        InfoRequest, InstallRevocationListRequest, LogsRequest, ReleaseDecision, ReleaseOutcomeRequest,
        ReleaseVote, Resolution, ResolveReleaseRequest, StatusRequest, agent_client::AgentClient,
    },
};
use tonic::{Code, Status, client::Grpc, codec::Streaming, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{
    enrolled,
    fleet::{Fleet, NOW},
    raw::{self, RawCodec},
    reason,
};

/// Calls any RPC with an empty message.
async fn call(channel: Channel, rpc: &'static str) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static(rpc);
    let request = tonic::Request::new(futures::stream::iter([Vec::new()]));
    let answers: Streaming<Vec<u8>> = grpc.streaming(request, path, RawCodec).await?.into_inner();
    raw::drain(answers).await
}

#[tokio::test]
async fn certificates_that_are_not_good_enough_are_refused_in_the_handshake() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let jane = |fleet: &Fleet| fleet.subject(Role::Admin, AppScope::All);
    let long_ago = NOW.checked_sub(Duration::from_hours(24 * 91)).unwrap();
    let cases: [(&str, ClientCredentials, Refusal); 3] = [
        ("foreign CA", Fleet::new("production").user(Role::Admin), Refusal::UnknownRoot),
        ("expired", fleet.issue_at(&jane(&fleet), long_ago), Refusal::Expired),
        ("other environment", fleet.sibling("staging").user(Role::Admin), Refusal::NotAccepted),
    ];
    for (what, client, expected) in cases {
        let connection = fleet.connect(agent.address, &client).await;
        let error = AgentClient::new(connection.channel()).info(InfoRequest {}).await.unwrap_err();
        assert_ne!(error.code(), Code::Ok);
        assert_eq!(connection.refusal(), Some(expected), "{what}");
    }
}

#[tokio::test]
async fn without_a_certificate_not_a_byte_is_served() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let refused = raw::handshake_without_certificate(agent.address).await;
    assert!(refused.contains("CertificateRequired"), "{refused}");
    // Nor without TLS.
    assert_eq!(raw::answer_to(agent.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await, Vec::<u8>::new());
}

#[tokio::test]
async fn every_rpc_refuses_every_role_below_its_least() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let roles = [Role::Viewer, Role::Deployer, Role::Operator, Role::Admin];
    let mut refused = 0;
    for rule in RULES {
        let (LeastRole::Role(least) | LeastRole::AgentOr(least)) = rule.least else { continue };
        for role in roles.into_iter().filter(|role| *role < least) {
            let connection = fleet.connect(agent.address, &fleet.user(role)).await;
            let error = call(connection.channel(), rule.rpc).await.unwrap_err();
            assert_eq!(
                reason(&error),
                (Code::PermissionDenied, "NOT_GRANTED".to_owned()),
                "{role} {}",
                rule.rpc
            );
            refused += 1;
        }
        // The least role passes the door: whatever the service says then, it is not that.
        let connection = fleet.connect(agent.address, &fleet.user(least)).await;
        if let Err(error) = call(connection.channel(), rule.rpc).await {
            assert_ne!(reason(&error).1, "NOT_GRANTED", "{least} {}", rule.rpc);
        }
    }
    assert!(refused >= 10, "only {refused} refusals were tried");
}

#[tokio::test]
async fn an_agent_may_ask_another_how_a_release_goes_and_nothing_else() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let other = fleet.issue(&Subject::Agent(DropletId::new(8).unwrap()));
    for rule in RULES.iter().filter(|rule| !matches!(rule.least, LeastRole::AgentOr(_))) {
        let connection = fleet.connect(agent.address, &other).await;
        let error = call(connection.channel(), rule.rpc).await.unwrap_err();
        let refused = reason(&error).1;
        assert!(
            ["AGENT_CERTIFICATE", "ALREADY_ENROLLED"].contains(&refused.as_str()),
            "{}: {refused}",
            rule.rpc
        );
    }
    let mut client = fleet.dial(agent.address, &other).await;
    let rollout = "0123456789abcdef0123456789abcdef".to_owned();
    let request = ReleaseOutcomeRequest { app: "shop".to_owned(), rollout };
    let told = client.release_outcome(request.clone()).await.unwrap().into_inner();
    assert_eq!((told.vote(), told.decision()), (ReleaseVote::Unknown, ReleaseDecision::None));
    let wrong = ReleaseOutcomeRequest { rollout: "latest".to_owned(), ..request.clone() };
    assert_eq!(reason(&client.release_outcome(wrong).await.unwrap_err()).1, "BAD_FIELD");

    // One of another environment does not even get in.
    let staging = fleet.sibling("staging").issue(&Subject::Agent(DropletId::new(8).unwrap()));
    let connection = fleet.connect(agent.address, &staging).await;
    AgentClient::new(connection.channel()).release_outcome(request).await.unwrap_err();
    assert_eq!(connection.refusal(), Some(Refusal::NotAccepted));
}

#[tokio::test]
async fn what_is_not_in_doubt_is_not_resolved() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Operator)).await;
    let mut request = ResolveReleaseRequest { app: "shop".to_owned(), resolution: 0 };
    assert_eq!(reason(&client.resolve_release(request.clone()).await.unwrap_err()).1, "RESOLUTION");
    request.set_resolution(Resolution::Keep);
    let refused = client.resolve_release(request).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::FailedPrecondition, "NOT_IN_DOUBT".to_owned()));
}

#[tokio::test]
async fn grants_in_another_environment_or_for_another_app_do_not_count() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let elsewhere = Subject::User {
        name: "jane".parse().unwrap(),
        grants: vec![tidegate_proto::grants::Grant {
            environment: "staging".parse().unwrap(),
            apps: AppScope::All,
            role: Role::Admin,
        }],
        life: tidegate_proto::certificates::UserLife::Person,
    };
    let mut client = fleet.dial(agent.address, &fleet.issue(&elsewhere)).await;
    assert_eq!(reason(&client.info(InfoRequest {}).await.unwrap_err()).1, "NOT_GRANTED");

    let mut client = fleet.dial(agent.address, &fleet.user_of(Role::Operator, "blog")).await;
    let of_shop = LogsRequest { app: "shop".to_owned(), ..LogsRequest::default() };
    assert_eq!(reason(&client.logs(of_shop).await.unwrap_err()).1, "NOT_GRANTED");
    let of_shop = StatusRequest { app: "shop".to_owned() };
    assert_eq!(reason(&client.status(of_shop).await.unwrap_err()).1, "NOT_GRANTED");
    for rule in RULES.iter().filter(|rule| rule.scope == Scope::Droplet) {
        let connection = fleet.connect(agent.address, &fleet.user_of(Role::Admin, "blog")).await;
        let error = call(connection.channel(), rule.rpc).await.unwrap_err();
        assert!(["NOT_GRANTED", "ALREADY_ENROLLED"].contains(&reason(&error).1.as_str()), "{}", rule.rpc);
    }
}

#[tokio::test]
async fn unknown_rpcs_and_reflection_are_not_served() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    for rpc in [
        "/tidegate.v1.Agent/Nonsense",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/nonsense",
    ] {
        let connection = fleet.connect(agent.address, &fleet.user(Role::Admin)).await;
        let error = call(connection.channel(), rpc).await.unwrap_err();
        assert_eq!(reason(&error), (Code::Unimplemented, "UNKNOWN_RPC".to_owned()), "{rpc}");
    }
}

#[tokio::test]
async fn health_is_told_to_viewers() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let connection = fleet.connect(agent.address, &fleet.user(Role::Viewer)).await;
    let request = HealthCheckRequest { service: "tidegate.v1.Agent".to_owned() };
    let answer = HealthClient::new(connection.channel()).check(request).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
}

#[tokio::test]
async fn a_revoked_certificate_ends_on_open_connections_and_stays_revoked() {
    let fleet = Fleet::new("production");
    let (droplet, agent) = enrolled(&fleet).await;
    let (bad, good) = (fleet.user(Role::Admin), fleet.user(Role::Viewer));
    let mut as_bad = fleet.dial(agent.address, &bad).await;
    as_bad.info(InfoRequest {}).await.unwrap();

    let list = |number| revoking(&fleet, number, &bad);
    let mut as_good = fleet.dial(agent.address, &good).await;
    let install = |number| InstallRevocationListRequest { crl: list(number).der().to_vec() };
    assert_eq!(as_good.install_revocation_list(install(5)).await.unwrap().into_inner().number, 5);
    let refused = as_bad.info(InfoRequest {}).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unauthenticated, "CERTIFICATE_REFUSED".to_owned()));
    let connection = fleet.connect(agent.address, &bad).await;
    AgentClient::new(connection.channel()).info(InfoRequest {}).await.unwrap_err();
    assert_eq!(connection.refusal(), Some(Refusal::Revoked));

    let refused = as_good.install_revocation_list(install(4)).await.unwrap_err();
    assert_eq!(reason(&refused).1, "REVOCATION_LIST");
    let stranger = Fleet::new("production");
    let forged = InstallRevocationListRequest { crl: revoking(&stranger, 9, &good).der().to_vec() };
    let refused = as_good.install_revocation_list(forged).await.unwrap_err();
    assert_eq!(reason(&refused).1, "REVOCATION_LIST");
    agent.stop().await;

    let agent = droplet.start().await;
    let connection = fleet.connect(agent.address, &bad).await;
    AgentClient::new(connection.channel()).info(InfoRequest {}).await.unwrap_err();
    assert_eq!(connection.refusal(), Some(Refusal::Revoked));
}

fn revoking(fleet: &Fleet, number: u64, client: &ClientCredentials) -> RevocationList {
    let certificate = tidegate_proto::certificates::PeerCertificate::parse(&client.chain.leaf).unwrap();
    assert!(matches!(certificate.identity, Identity::User { .. }));
    RevocationList::issue(&fleet.issuer, number, &[Revoked { serial: certificate.serial, at: NOW }], NOW)
        .unwrap()
}
