//! The whole enrolment over TLS: an agent's side and a controller's side as `enrolment.proto` describes them, and
//! somebody who stands in the middle with a stolen admin certificate, but without the token.

use std::sync::Mutex;

use super::*;
use crate::{
    certificates::{CertificateRequest, Chain, SpkiDigest},
    enrolment::{EnrolmentSecret, EnrolmentToken, Handover, Nonce, ProofError, Transcript},
    names::IntentId,
};

const DROPLET: u64 = 7;
const VERSION: &str = "0.1.0";

fn token(secret: u8) -> EnrolmentToken {
    let intent: IntentId = "7f3a".parse().unwrap();
    let expires_at = later(Duration::from_hours(1));
    EnrolmentToken::derive(&EnrolmentSecret::new([secret; 32]), &domain("production"), &intent, expires_at)
        .unwrap()
}

fn nonce(bytes: &[u8]) -> Nonce {
    Nonce::try_from(bytes).unwrap()
}

/// What one side saw.
#[derive(Clone)]
struct Seen {
    controller_nonce: Nonce,
    agent_nonce: Nonce,
    server_spki: SpkiDigest,
    request: Vec<u8>,
}

impl Seen {
    fn transcript<T>(&self, judge: impl FnOnce(&Transcript<'_>) -> T) -> T {
        judge(&Transcript {
            domain: &domain("production"),
            droplet: DropletId::new(DROPLET).unwrap(),
            intent: &"7f3a".parse().unwrap(),
            controller_nonce: self.controller_nonce,
            agent_nonce: self.agent_nonce,
            server_spki: self.server_spki,
            certificate_request: &self.request,
            agent_version: VERSION,
        })
    }
}

/// The agent's side.
struct Agent {
    token: EnrolmentToken,
    request: CertificateRequest,
    begun: Mutex<Option<Seen>>,
}

impl Agent {
    fn new(key: &PrivateKey) -> Self {
        let request = CertificateRequest::new(key).unwrap();
        Self { token: token(1), request, begun: Mutex::new(None) }
    }
}

#[tonic::async_trait]
impl Enrolment for Agent {
    async fn begin(
        &self,
        request: Request<BeginEnrolmentRequest>,
    ) -> Result<Response<BeginEnrolmentResponse>, Status> {
        let seen = Seen {
            controller_nonce: nonce(&request.get_ref().controller_nonce),
            agent_nonce: nonce(&[2; 32]),
            server_spki: request.extensions().get::<PeerInfo>().unwrap().server_spki(),
            request: self.request.der().to_vec(),
        };
        *self.begun.lock().unwrap() = Some(seen.clone());
        Ok(Response::new(BeginEnrolmentResponse {
            agent_nonce: seen.agent_nonce.to_vec(),
            certificate_request: seen.request.clone(),
            agent_proof: seen.transcript(|seen| seen.agent_proof(&self.token)),
            droplet_id: DROPLET,
            agent_version: VERSION.to_owned(),
        }))
    }

    async fn complete(
        &self,
        request: Request<CompleteEnrolmentRequest>,
    ) -> Result<Response<CompleteEnrolmentResponse>, Status> {
        let seen = self.begun.lock().unwrap().clone().ok_or_else(|| Status::failed_precondition("begin"))?;
        let message = request.into_inner();
        let chain = Chain::from_ders(message.certificate_chain).unwrap();
        let roots = RootBundle::from_proto(message.roots).unwrap();
        let handover = Handover { chain: &chain, roots: &roots, enrolment_id: &message.enrolment_id };
        seen.transcript(|seen| seen.verify_controller(&self.token, handover, &message.controller_proof))
            .map(|()| Response::new(CompleteEnrolmentResponse {}))
            .map_err(|error| Status::permission_denied(error.to_string()))
    }
}

/// The controller's side; it signs only after the agent's proof was right.
struct Controller<'a> {
    fleet: &'a Authorities,
    token: EnrolmentToken,
}

impl Controller<'_> {
    async fn enrol(&self, address: SocketAddr) -> Result<Result<(), Status>, ProofError> {
        let dialer = Dialer::unenrolled(&client(self.fleet, &admin("jane")), clock(NOW)).unwrap();
        let connection = dialer.connect(address).await.unwrap();
        let mut agent = EnrolmentClient::new(connection.channel());
        let controller_nonce = nonce(&[1; 32]);
        let request = BeginEnrolmentRequest { controller_nonce: controller_nonce.to_vec() };
        let begun = agent.begin(request).await.unwrap().into_inner();
        let seen = Seen {
            controller_nonce,
            agent_nonce: nonce(&begun.agent_nonce),
            server_spki: connection.server_spki(),
            request: begun.certificate_request.clone(),
        };
        seen.transcript(|seen| seen.verify_agent(&self.token, &begun.agent_proof))?;
        let request = CertificateRequest::from_der(&begun.certificate_request).unwrap();
        let chain =
            self.fleet.issuer.issue(&request, &self::agent(begun.droplet_id), &serial(30), NOW).unwrap();
        let roots = self.fleet.roots();
        let handover = Handover { chain: &chain, roots: &roots, enrolment_id: "e1" };
        let controller_proof = seen.transcript(|seen| seen.controller_proof(&self.token, handover));
        let complete = CompleteEnrolmentRequest {
            certificate_chain: chain.to_ders(),
            roots: Some(roots.to_proto()),
            controller_proof,
            enrolment_id: "e1".to_owned(),
        };
        Ok(agent.complete(complete).await.map(drop))
    }
}

/// Ends TLS on both sides and passes the messages on, some of them changed.
struct Middle {
    agent: EnrolmentClient<tonic::transport::Channel>,
    change: Change,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Nothing,
    Request,
    Chain,
}

#[tonic::async_trait]
impl Enrolment for Middle {
    async fn begin(
        &self,
        request: Request<BeginEnrolmentRequest>,
    ) -> Result<Response<BeginEnrolmentResponse>, Status> {
        let mut begun = self.agent.clone().begin(request.into_inner()).await?.into_inner();
        if self.change == Change::Request {
            let own = CertificateRequest::new(&PrivateKey::generate().unwrap()).unwrap();
            begun.certificate_request = own.der().to_vec();
        }
        Ok(Response::new(begun))
    }

    async fn complete(
        &self,
        request: Request<CompleteEnrolmentRequest>,
    ) -> Result<Response<CompleteEnrolmentResponse>, Status> {
        let mut complete = request.into_inner();
        if self.change == Change::Chain {
            complete.certificate_chain = Authorities::new("production").leaf(&agent(DROPLET), 30).0.to_ders();
        }
        self.agent.clone().complete(complete).await
    }
}

async fn waiting_agent(fleet: &Authorities, key: &PrivateKey) -> Served {
    let served = Served::with(Agent::new(key), NOW).await;
    served.switch.publish(with_key(fleet, key)).unwrap();
    served
}

fn with_key(fleet: &Authorities, key: &PrivateKey) -> ServerCredentials {
    let certificate = self_signed(key, &serial(1), NOW).unwrap();
    ServerCredentials::Enrolment(EnrolmentCredentials { certificate, key: key.clone(), roots: fleet.roots() })
}

/// The middle's port; it stole an admin's certificate and key. `key` is the one it serves with.
async fn middle(fleet: &Authorities, agent: &Served, change: Change, key: &PrivateKey) -> Served {
    let dialer = Dialer::unenrolled(&client(fleet, &admin("thief")), clock(NOW)).unwrap();
    let channel = dialer.connect(agent.address).await.unwrap().channel();
    let served = Served::with(Middle { agent: EnrolmentClient::new(channel), change }, NOW).await;
    served.switch.publish(with_key(fleet, key)).unwrap();
    served
}

#[tokio::test]
async fn an_agent_enrols() {
    let fleet = Authorities::new("production");
    let served = waiting_agent(&fleet, &PrivateKey::generate().unwrap()).await;
    let controller = Controller { fleet: &fleet, token: token(1) };
    assert!(controller.enrol(served.address).await.unwrap().is_ok());
    // A lost answer is asked for again.
    assert!(controller.enrol(served.address).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_wrong_token_signs_nothing() {
    let fleet = Authorities::new("production");
    let served = waiting_agent(&fleet, &PrivateKey::generate().unwrap()).await;
    let controller = Controller { fleet: &fleet, token: token(2) };
    assert_eq!(controller.enrol(served.address).await.unwrap_err(), ProofError::Agent);
    // And burns nothing: the right one still works.
    let controller = Controller { fleet: &fleet, token: token(1) };
    assert!(controller.enrol(served.address).await.unwrap().is_ok());
}

#[tokio::test]
async fn who_ends_tls_in_the_middle_is_found_even_if_nothing_is_changed() {
    let fleet = Authorities::new("production");
    let agent = waiting_agent(&fleet, &PrivateKey::generate().unwrap()).await;
    let controller = Controller { fleet: &fleet, token: token(1) };
    for change in [Change::Nothing, Change::Request] {
        let between = middle(&fleet, &agent, change, &PrivateKey::generate().unwrap()).await;
        assert_eq!(controller.enrol(between.address).await.unwrap_err(), ProofError::Agent);
    }
}

#[tokio::test]
async fn a_swapped_request_or_chain_is_found_even_by_who_has_the_servers_key() {
    let fleet = Authorities::new("production");
    let key = PrivateKey::generate().unwrap();
    let agent = waiting_agent(&fleet, &key).await;
    let controller = Controller { fleet: &fleet, token: token(1) };
    let between = middle(&fleet, &agent, Change::Request, &key).await;
    assert_eq!(controller.enrol(between.address).await.unwrap_err(), ProofError::Agent);
    let between = middle(&fleet, &agent, Change::Chain, &key).await;
    let refused = controller.enrol(between.address).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
}
