use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tonic::{Request, Response, Status};

use super::*;
use crate::{
    certificates::{
        RevocationList, Subject,
        fixtures::{Authorities, NOW, admin, domain},
    },
    clock::Clock,
    names::DropletId,
    v1::{
        BeginEnrolmentRequest, BeginEnrolmentResponse, CompleteEnrolmentRequest, CompleteEnrolmentResponse,
        enrolment_client::EnrolmentClient,
        enrolment_server::{Enrolment, EnrolmentServer},
    },
};

/// Answers with who called, as far as the server knows.
struct Echo;

#[tonic::async_trait]
impl Enrolment for Echo {
    async fn begin(
        &self,
        request: Request<BeginEnrolmentRequest>,
    ) -> Result<Response<BeginEnrolmentResponse>, Status> {
        let peer = request
            .extensions()
            .get::<PeerInfo>()
            .ok_or_else(|| Status::internal("no peer"))?;
        peer.check(NOW)
            .map_err(|error| Status::unauthenticated(error.to_string()))?;
        Ok(Response::new(BeginEnrolmentResponse {
            agent_version: format!("{} {:?}", peer.certificate().identity, peer.mode()),
            agent_nonce: peer.server_spki().as_bytes().to_vec(),
            ..BeginEnrolmentResponse::default()
        }))
    }

    async fn complete(
        &self,
        _: Request<CompleteEnrolmentRequest>,
    ) -> Result<Response<CompleteEnrolmentResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

fn clock(at: Timestamp) -> Arc<dyn Clock> {
    Arc::new(move || at)
}

fn agent(droplet: u64) -> Subject {
    Subject::Agent(DropletId::new(droplet).unwrap())
}

fn enrolled(authorities: &Authorities, revoked: Option<RevocationList>) -> EnrolledCredentials {
    let (chain, key) = authorities.leaf(&agent(7), 10);
    EnrolledCredentials {
        chain,
        key,
        roots: authorities.roots(),
        revoked,
    }
}

fn client(authorities: &Authorities, subject: &Subject) -> ClientCredentials {
    let (chain, key) = authorities.leaf(subject, 20);
    ClientCredentials { chain, key }
}

fn trust(authorities: &Authorities) -> AgentTrust {
    AgentTrust {
        identity: domain("production").agent(DropletId::new(7).unwrap()),
        roots: authorities.roots(),
        revoked: None,
        expiry: Expiry::Refuse,
    }
}

/// A server over real loopback TCP.
struct Served {
    address: std::net::SocketAddr,
    switch: CredentialsSwitch,
}

async fn serve(at: Timestamp) -> Served {
    let (switch, acceptor) = server(domain("production"), clock(at));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sessions = incoming(listener, acceptor, Limits::default(), |_, _| {});
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(EnrolmentServer::new(Echo))
            .serve_with_incoming(sessions),
    );
    Served { address, switch }
}

async fn ask(connection: &Connection) -> Result<BeginEnrolmentResponse, Status> {
    let mut client = EnrolmentClient::new(connection.channel());
    let call = client.begin(BeginEnrolmentRequest::default());
    Ok(tokio::time::timeout(Duration::from_secs(5), call)
        .await
        .expect("a call hung")?
        .into_inner())
}

#[tokio::test]
async fn an_admin_and_an_agent_know_each_other() {
    let fleet = Authorities::new("production");
    let served = serve(NOW).await;
    served
        .switch
        .publish(ServerCredentials::Enrolled(enrolled(&fleet, None)))
        .unwrap();
    let dialer = Dialer::agent(&client(&fleet, &admin("jane")), trust(&fleet), clock(NOW)).unwrap();
    let connection = dialer.connect(served.address).await.unwrap();
    let answer = ask(&connection).await.unwrap();
    assert_eq!(
        answer.agent_version,
        "spiffe://shop.production/user/jane Enrolled"
    );
    assert_eq!(answer.agent_nonce, connection.server_spki().as_bytes());
    assert_eq!(connection.server().unwrap().identity, trust(&fleet).identity);
    assert_eq!(connection.refusal(), None);
}
