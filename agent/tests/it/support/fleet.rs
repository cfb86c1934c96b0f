//! The controller's side: authorities, certificates, tokens, and dialling agents with them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use tidegate_proto::{
    certificates::{
        CertificateRequest, Chain, Issuer, PrivateKey, Root, RootBundle, Serial, Subject, UserLife,
        certificate_to_pem,
    },
    clock::Clock,
    enrolment::{EnrolmentFile, EnrolmentSecret, EnrolmentToken, Handover, Nonce, Transcript},
    grants::{AppScope, Grant, Role},
    identity::TrustDomain,
    names::{DropletId, IntentId},
    tls::{AgentTrust, ClientCredentials, Connection, Dialer, Expiry},
    v1::{
        BeginEnrolmentRequest, BeginEnrolmentResponse, CompleteEnrolmentRequest, agent_client::AgentClient,
        enrolment_client::EnrolmentClient,
    },
};
use tonic::{Status, transport::Channel};

/// When all tests happen.
pub const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// The droplet of all tests.
pub const DROPLET: u64 = 7;

pub fn at_now() -> Arc<dyn Clock> {
    Arc::new(|| NOW)
}

/// A fleet `shop` with one environment.
pub struct Fleet {
    pub domain: TrustDomain,
    pub root: Root,
    pub issuer: Issuer,
    secret: EnrolmentSecret,
}

fn serial() -> Serial {
    Serial::from_random(*uuid::Uuid::new_v4().as_bytes())
}

impl Fleet {
    pub fn new(environment: &str) -> Self {
        let domain: TrustDomain = format!("shop.{environment}").parse().unwrap();
        let root = Root::make(&domain.fleet, PrivateKey::generate().unwrap(), &serial(), NOW).unwrap();
        Self::below(root, domain)
    }

    /// Another environment of the same fleet, below the same root.
    pub fn sibling(&self, environment: &str) -> Self {
        Self::below(self.root.clone(), format!("shop.{environment}").parse().unwrap())
    }

    fn below(root: Root, domain: TrustDomain) -> Self {
        let key = PrivateKey::generate().unwrap();
        let issuer = Issuer::make(&root, &domain, key, &serial(), NOW).unwrap();
        Self { domain, root, issuer, secret: EnrolmentSecret::new([7; 32]) }
    }

    /// The same environment's issuer a while later, below the same root.
    pub fn next_issuer(&self, at: Timestamp) -> Self {
        let key = PrivateKey::generate().unwrap();
        let issuer = Issuer::make(&self.root, &self.domain, key, &serial(), at).unwrap();
        Self { domain: self.domain.clone(), root: self.root.clone(), issuer, secret: self.secret.clone() }
    }

    pub fn ca_pem(&self) -> String {
        certificate_to_pem(self.root.certificate())
    }

    pub fn roots(&self) -> RootBundle {
        RootBundle::new(1, vec![self.root.certificate().clone()]).unwrap()
    }

    /// The token file that cloud-init would write, for the test's one intent.
    pub fn token_file(&self, expires_at: Timestamp) -> EnrolmentFile {
        let intent = intent();
        let token = EnrolmentToken::derive(&self.secret, &self.domain, &intent, expires_at).unwrap();
        EnrolmentFile { token, intent }
    }

    pub fn issue(&self, subject: &Subject) -> ClientCredentials {
        self.issue_at(subject, NOW)
    }

    pub fn issue_at(&self, subject: &Subject, at: Timestamp) -> ClientCredentials {
        let key = PrivateKey::generate().unwrap();
        let request = CertificateRequest::new(&key).unwrap();
        let chain = self.issuer.issue(&request, subject, &serial(), at).unwrap();
        ClientCredentials { chain, key }
    }

    /// Somebody with this role for all apps of this environment.
    pub fn user(&self, role: Role) -> ClientCredentials {
        self.issue(&self.subject(role, AppScope::All))
    }

    /// Somebody with this role for one app.
    pub fn user_of(&self, role: Role, app: &str) -> ClientCredentials {
        self.issue(&self.subject(role, AppScope::Only([app.parse().unwrap()].into())))
    }

    pub fn subject(&self, role: Role, apps: AppScope) -> Subject {
        let grants = vec![Grant { environment: self.domain.environment.clone(), apps, role }];
        Subject::User { name: "jane".parse().unwrap(), grants, life: UserLife::Person }
    }

    pub fn trust(&self) -> AgentTrust {
        AgentTrust {
            identity: self.domain.agent(DropletId::new(DROPLET).unwrap()),
            roots: self.roots(),
            revoked: None,
            expiry: Expiry::Refuse,
        }
    }

    /// Dials an enrolled agent.
    pub async fn dial(&self, address: SocketAddr, client: &ClientCredentials) -> AgentClient<Channel> {
        AgentClient::new(self.connect(address, client).await.channel())
    }

    pub async fn connect(&self, address: SocketAddr, client: &ClientCredentials) -> Connection {
        self.connect_to(DROPLET, address, client).await
    }

    /// The same to the agent of another droplet.
    pub async fn connect_to(
        &self,
        droplet: u64,
        address: SocketAddr,
        client: &ClientCredentials,
    ) -> Connection {
        let identity = self.domain.agent(DropletId::new(droplet).unwrap());
        let trust = AgentTrust { identity, ..self.trust() };
        let dialer = Dialer::agent(client, trust, at_now()).unwrap();
        dialer.connect(address).await.unwrap()
    }
}

pub fn intent() -> IntentId {
    "7f3a".parse().unwrap()
}

pub fn in_an_hour() -> Timestamp {
    NOW.checked_add(Duration::from_hours(1)).unwrap()
}

/// One attempt to enrol, step by step, so that a test can go astray at each.
pub struct Attempt<'a> {
    pub fleet: &'a Fleet,
    pub token: EnrolmentFile,
    pub connection: Connection,
    pub controller_nonce: Nonce,
    pub enrolment_id: String,
}

impl<'a> Attempt<'a> {
    pub async fn connect(fleet: &'a Fleet, address: SocketAddr, client: &ClientCredentials) -> Self {
        let dialer = Dialer::unenrolled(client, at_now()).unwrap();
        Self {
            fleet,
            token: fleet.token_file(in_an_hour()),
            connection: dialer.connect(address).await.unwrap(),
            controller_nonce: Nonce::try_from([5; 32].as_slice()).unwrap(),
            enrolment_id: uuid::Uuid::new_v4().to_string(),
        }
    }

    pub fn client(&self) -> EnrolmentClient<Channel> {
        EnrolmentClient::new(self.connection.channel())
    }

    pub async fn begin(&self) -> Result<BeginEnrolmentResponse, Status> {
        let controller_nonce = self.controller_nonce.to_vec();
        Ok(self.client().begin(BeginEnrolmentRequest { controller_nonce }).await?.into_inner())
    }

    pub fn transcript<'b>(&'b self, offer: &'b BeginEnrolmentResponse) -> Transcript<'b> {
        Transcript {
            domain: &self.fleet.domain,
            droplet: DropletId::new(offer.droplet_id).unwrap(),
            intent: &self.token.intent,
            controller_nonce: self.controller_nonce,
            agent_nonce: Nonce::try_from(offer.agent_nonce.as_slice()).unwrap(),
            server_spki: self.connection.server_spki(),
            certificate_request: &offer.certificate_request,
            agent_version: &offer.agent_version,
        }
    }

    /// Signs what the agent asked for.
    pub fn sign(&self, offer: &BeginEnrolmentResponse) -> Chain {
        let request = CertificateRequest::from_der(&offer.certificate_request).unwrap();
        let subject = Subject::Agent(DropletId::new(offer.droplet_id).unwrap());
        self.fleet.issuer.issue(&request, &subject, &serial(), NOW).unwrap()
    }

    pub fn completion(&self, offer: &BeginEnrolmentResponse, chain: &Chain) -> CompleteEnrolmentRequest {
        let roots = self.fleet.roots();
        let handover = Handover { chain, roots: &roots, enrolment_id: &self.enrolment_id };
        CompleteEnrolmentRequest {
            certificate_chain: chain.to_ders(),
            roots: Some(roots.to_proto()),
            controller_proof: self.transcript(offer).controller_proof(&self.token.token, handover),
            enrolment_id: self.enrolment_id.clone(),
        }
    }

    /// The whole way.
    pub async fn enrol(&self) -> Result<(), Status> {
        let offer = self.begin().await?;
        self.transcript(&offer).verify_agent(&self.token.token, &offer.agent_proof).unwrap();
        let completion = self.completion(&offer, &self.sign(&offer));
        self.client().complete(completion).await?;
        Ok(())
    }
}
