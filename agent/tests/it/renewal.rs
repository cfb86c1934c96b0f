//! A new certificate for an agent that has one.

use std::time::Duration;

use tidegate_proto::{
    certificates::{CertificateRequest, Chain, Serial, Subject},
    grants::Role,
    names::DropletId,
    status::RichError,
    tls::{AgentTrust, Dialer, Expiry},
    v1::{
        InfoRequest, RenewCertificate, RenewRequest, RenewStart, agent_client::AgentClient, renew_request,
        renew_response,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

use crate::support::{
    agent::Droplet,
    fleet::{DROPLET, Fleet, NOW},
};

pub async fn renew(
    client: &mut AgentClient<Channel>,
    sign: impl FnOnce(CertificateRequest) -> Chain,
) -> Result<i64, Status> {
    let (requests, received) = mpsc::channel(4);
    let request = |request| RenewRequest { request: Some(request) };
    requests.send(request(renew_request::Request::Start(RenewStart {}))).await.unwrap();
    let mut answers = client.renew(ReceiverStream::new(received)).await?.into_inner();
    let offer = answers.message().await?.unwrap().response.unwrap();
    let renew_response::Response::CertificateRequest(der) = offer else { panic!("{offer:?}") };
    let chain = sign(CertificateRequest::from_der(&der).unwrap());
    let certificate = RenewCertificate { certificate_chain: chain.to_ders() };
    requests.send(request(renew_request::Request::Certificate(certificate))).await.unwrap();
    let done = answers.message().await?.unwrap().response.unwrap();
    let renew_response::Response::Done(done) = done else { panic!("{done:?}") };
    Ok(done.not_after.unwrap().seconds)
}

fn reason(status: &Status) -> String {
    RichError::from_status(status).reason
}

fn later() -> jiff::Timestamp {
    // Within the hour by which certificates are backdated: the controller's clock stands still.
    NOW.checked_add(Duration::from_mins(30)).unwrap()
}

fn agents(id: u64) -> Subject {
    Subject::Agent(DropletId::new(id).unwrap())
}

fn serial(n: u8) -> Serial {
    Serial::from_random([n; 16])
}

#[tokio::test]
async fn a_new_key_and_certificate_serve_new_connections_and_survive_a_restart() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    let admin = fleet.user(Role::Admin);
    let before = fleet.connect(agent.address, &admin).await;
    droplet.set_time(later());
    let mut client = AgentClient::new(before.channel());
    let not_after = renew(&mut client, |request| {
        fleet.issuer.issue(&request, &agents(DROPLET), &serial(5), later()).unwrap()
    });
    let not_after = not_after.await.unwrap();

    let after = fleet.connect(agent.address, &admin).await;
    assert_ne!(after.server_spki(), before.server_spki(), "the key was not renewed");
    assert_eq!(after.server().unwrap().not_after.as_second(), not_after);
    // The connection from before goes on.
    client.info(InfoRequest {}).await.unwrap();
    let key = after.server_spki();
    agent.stop().await;
    let agent = droplet.start().await;
    assert_eq!(fleet.connect(agent.address, &admin).await.server_spki(), key);
}

#[tokio::test]
async fn what_does_not_fit_leaves_the_present_certificate() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;
    let present = fleet.connect(agent.address, &fleet.user(Role::Viewer)).await.server_spki();
    let stranger = Fleet::new("production");
    let earlier = NOW.checked_sub(Duration::from_hours(1)).unwrap();

    let other_droplet =
        renew(&mut client, |request| fleet.issuer.issue(&request, &agents(8), &serial(1), NOW).unwrap())
            .await;
    assert_eq!(reason(&other_droplet.unwrap_err()), "OTHER_AGENT");
    let other_key = renew(&mut client, |_| fleet.issue(&agents(DROPLET)).chain).await;
    assert_eq!(reason(&other_key.unwrap_err()), "OTHER_AGENT");
    let other_root = renew(&mut client, |request| {
        stranger.issuer.issue(&request, &agents(DROPLET), &serial(2), NOW).unwrap()
    });
    assert_eq!(reason(&other_root.await.unwrap_err()), "CERTIFICATE");
    let shorter = renew(&mut client, |request| {
        fleet.issuer.issue(&request, &agents(DROPLET), &serial(3), earlier).unwrap()
    });
    assert_eq!(reason(&shorter.await.unwrap_err()), "SHORTER");
    assert_eq!(fleet.connect(agent.address, &fleet.user(Role::Viewer)).await.server_spki(), present);
}

#[tokio::test]
async fn an_expired_agent_can_still_be_renewed_by_who_has_its_key_on_record() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    let recorded = fleet.connect(agent.address, &fleet.user(Role::Viewer)).await.server_spki();
    let after_its_end = NOW.checked_add(Duration::from_hours(24 * 731)).unwrap();
    droplet.set_time(after_its_end);
    // The issuer signs for a year only: the next one does this.
    let next = fleet.next_issuer(after_its_end);
    let admin =
        next.issue_at(&next.subject(Role::Admin, tidegate_proto::grants::AppScope::All), after_its_end);
    let clock: std::sync::Arc<dyn tidegate_proto::clock::Clock> = std::sync::Arc::new(move || after_its_end);
    let refusing = Dialer::agent(&admin, next.trust(), clock.clone()).unwrap();
    refusing.connect(agent.address).await.unwrap_err();
    let trust = AgentTrust { expiry: Expiry::RenewExpired { recorded }, ..next.trust() };
    let connection = Dialer::agent(&admin, trust, clock).unwrap().connect(agent.address).await.unwrap();
    let mut client = AgentClient::new(connection.channel());
    let renewed = renew(&mut client, |request| {
        next.issuer.issue(&request, &agents(DROPLET), &serial(4), after_its_end).unwrap()
    });
    renewed.await.unwrap();
    refusing.connect(agent.address).await.unwrap();
}
