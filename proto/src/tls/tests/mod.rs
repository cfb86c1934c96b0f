//! TLS over loopback TCP, with a gRPC service that tells who called.

mod callers;
mod enrolment;
mod port;
mod servers;
mod stolen;
mod switching;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

use super::*;
use crate::{
    certificates::{
        PrivateKey, RevocationList, Revoked, RootBundle, Subject,
        fixtures::{Authorities, NOW, admin, domain, later, serial},
        self_signed,
    },
    clock::Clock,
    names::DropletId,
    v1::{
        BeginEnrolmentRequest, BeginEnrolmentResponse, CompleteEnrolmentRequest, CompleteEnrolmentResponse,
        enrolment_client::EnrolmentClient,
        enrolment_server::{Enrolment, EnrolmentServer},
    },
};

/// Answers with who called, in place of the agent's version.
struct Echo;

#[tonic::async_trait]
impl Enrolment for Echo {
    async fn begin(
        &self,
        request: Request<BeginEnrolmentRequest>,
    ) -> Result<Response<BeginEnrolmentResponse>, Status> {
        let peer = request.extensions().get::<PeerInfo>().ok_or_else(|| Status::internal("no peer"))?;
        peer.check(NOW).map_err(|error| Status::unauthenticated(error.to_string()))?;
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

fn enrolled(fleet: &Authorities, revoked: Option<RevocationList>) -> ServerCredentials {
    let (chain, key) = fleet.leaf(&agent(7), 10);
    ServerCredentials::Enrolled(EnrolledCredentials { chain, key, roots: fleet.roots(), revoked })
}

fn unenrolled(roots: RootBundle) -> ServerCredentials {
    let key = PrivateKey::generate().unwrap();
    let certificate = self_signed(&key, &serial(1), NOW).unwrap();
    ServerCredentials::Enrolment(EnrolmentCredentials { certificate, key, roots })
}

fn client(fleet: &Authorities, subject: &Subject) -> ClientCredentials {
    let (chain, key) = fleet.leaf(subject, 20);
    ClientCredentials { chain, key }
}

fn trust(fleet: &Authorities) -> AgentTrust {
    AgentTrust {
        identity: domain("production").agent(DropletId::new(7).unwrap()),
        roots: fleet.roots(),
        revoked: None,
        expiry: Expiry::Refuse,
    }
}

fn revoking(fleet: &Authorities, number: u64, serials: &[u8]) -> RevocationList {
    let revoked: Vec<_> = serials.iter().map(|n| Revoked { serial: serial(*n), at: NOW }).collect();
    RevocationList::issue(&fleet.issuer, number, &revoked, NOW).unwrap()
}

/// An agent's port over loopback.
struct Served {
    address: SocketAddr,
    switch: CredentialsSwitch,
}

impl Served {
    async fn closed() -> Self {
        Self::with(Echo, NOW).await
    }

    async fn with(service: impl Enrolment, at: Timestamp) -> Self {
        let (switch, acceptor) = server(domain("production"), clock(at));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sessions = incoming(listener, acceptor, Limits::default(), |_, _| {});
        let server = tonic::transport::Server::builder().add_service(EnrolmentServer::new(service));
        tokio::spawn(server.serve_with_incoming(sessions));
        Self { address, switch }
    }

    async fn enrolled(fleet: &Authorities) -> Self {
        let served = Self::closed().await;
        served.switch.publish(enrolled(fleet, None)).unwrap();
        served
    }
}

async fn ask(connection: &Connection) -> Result<BeginEnrolmentResponse, Status> {
    let mut client = EnrolmentClient::new(connection.channel());
    let call = client.begin(BeginEnrolmentRequest::default());
    Ok(tokio::time::timeout(Duration::from_secs(5), call).await.expect("a call hung")?.into_inner())
}

/// Dials with a certificate that the server should refuse, and tells what the caller learns.
async fn refused(served: &Served, fleet: &Authorities, who: &ClientCredentials) -> Option<Refusal> {
    let dialer = Dialer::agent(who, trust(fleet), clock(NOW)).unwrap();
    let connection = dialer.connect(served.address).await.unwrap();
    assert!(ask(&connection).await.is_err(), "the call went through");
    connection.refusal()
}
