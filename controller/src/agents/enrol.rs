//! Enrolment, the controller's side: wait until 7443 answers, prove the token both ways, sign, and see the agent answer
//! under mutual TLS. Safe to repeat at any point: an agent that is enrolled already is recognised first.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;
use tidegate_proto::{
    certificates::{CertificateRequest, PeerCertificate, SpkiDigest},
    enrolment::{EnrolmentToken, Handover, Nonce, Transcript},
    names::{DropletId, IntentId},
    tls::{Connection, Dialer},
    v1::{BeginEnrolmentRequest, CompleteEnrolmentRequest, enrolment_client::EnrolmentClient},
};
use tonic::Status;

use super::{
    connect::{AGENT_PORT, Agent, Caller},
    error::AgentError,
};
use crate::{
    authority::{Authority, AuthorityError},
    waits::Waits,
};

/// The longest that one call of an enrolment may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// One droplet to enrol.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// For people.
    pub name: String,
    /// Number.
    pub droplet: DropletId,
    /// Public address.
    pub address: Ipv4Addr,
    /// What the token was derived for.
    pub intent: IntentId,
    /// The one-time token.
    pub token: EnrolmentToken,
    /// The key a certificate was signed for already, if any: only it may get another.
    pub signed_for: Option<SpkiDigest>,
}

/// What is to be recorded before the certificate leaves this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Random.
    pub enrolment_id: String,
    /// The agent's key.
    pub key: SpkiDigest,
    /// End of the certificate.
    pub not_after: Timestamp,
}

/// An enrolment that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Nothing proper answered while the token was good.
    #[error("{name} ({address}) did not enrol before its one-time token ran out")]
    OutOfTime {
        /// For people.
        name: String,
        /// Its address.
        address: Ipv4Addr,
        /// The last thing that went wrong.
        #[source]
        last: Option<Box<AgentError>>,
    },
    /// A proof or an id is wrong: somebody else answered.
    #[error("{name} could not prove that it is the droplet that was made")]
    Proof {
        /// For people.
        name: String,
        /// How.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The agent refused.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Signing failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// What was signed could not be recorded, so it was not handed over.
    #[error("the enrolment of {name} cannot be recorded")]
    Record {
        /// For people.
        name: String,
        /// Why.
        #[source]
        source: crate::state::StateError,
    },
}

impl EnrolError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OutOfTime { .. } => Some(
                "look at the droplet's /var/log/cloud-init-output.log (ssh or DigitalOcean's console); \
                 the next `tidegate up` replaces the droplet"
                    .to_owned(),
            ),
            Self::Proof { .. } => {
                Some("nothing was handed over; the next `tidegate up` tries again".to_owned())
            }
            Self::Agent(error) => error.hint(),
            Self::Authority(_) | Self::Record { .. } => None,
        }
    }
}

/// Enrols a droplet and returns its connected agent. `record` is called after signing and before the handover.
///
/// # Errors
/// When it does not enrol before its token runs out, or proves to be somebody else.
pub async fn enrol(
    caller: &Caller,
    authority: &Authority,
    one: &Enrolment,
    waits: &Waits,
    record: impl Fn(Enrolled) -> Result<(), crate::state::StateError>,
) -> Result<Agent, EnrolError> {
    let _waiting = waits.begin();
    let mut last: Option<Box<AgentError>> = None;
    let mut pause = Duration::from_millis(500);
    loop {
        match caller.connect(&one.name, one.droplet, one.address).await {
            Ok(agent) => return Ok(agent),
            Err(error) => last = Some(Box::new(last_told(error, last))),
        }
        if one.token.check(caller.clock.now()).is_err() {
            return Err(EnrolError::OutOfTime { name: one.name.clone(), address: one.address, last });
        }
        match attempt(caller, authority, one, &record).await {
            Ok(()) => pause = Duration::from_millis(50),
            Err(EnrolError::Agent(error)) if passes(&error) => last = Some(Box::new(error)),
            Err(error) => return Err(error),
        }
        let jitter: f64 = rand::random();
        tokio::time::sleep(pause.mul_f64(0.75 + jitter / 2.0)).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(3));
    }
}

/// A self-signed server is not the agent yet, which says less than what came before.
fn last_told(error: AgentError, before: Option<Box<AgentError>>) -> AgentError {
    before.map_or(error, |before| *before)
}

/// What a droplet that still boots looks like, and what a broken connection does.
fn passes(error: &AgentError) -> bool {
    match error {
        AgentError::Connect { .. } | AgentError::Lost { .. } => true,
        AgentError::Call(call) => matches!(
            call.code(),
            tonic::Code::Unavailable
                | tonic::Code::Unknown
                | tonic::Code::DeadlineExceeded
                | tonic::Code::Unimplemented
        ),
        AgentError::Tls(_) | AgentError::Refused { .. } | AgentError::Contract { .. } => false,
    }
}

async fn attempt(
    caller: &Caller,
    authority: &Authority,
    one: &Enrolment,
    record: &impl Fn(Enrolled) -> Result<(), crate::state::StateError>,
) -> Result<(), EnrolError> {
    let dialer =
        Dialer::unenrolled(&caller.keys.credentials, caller.proto_clock()).map_err(AgentError::Tls)?;
    let connection = dialer.connect(SocketAddr::from((one.address, AGENT_PORT))).await;
    let connection =
        connection.map_err(|source| AgentError::Connect { droplet: one.name.clone(), source })?;
    let mut client = EnrolmentClient::new(connection.channel());
    let controller_nonce = Nonce::random(&mut rand::rng());
    let begin = client.begin(BeginEnrolmentRequest { controller_nonce: controller_nonce.to_vec() });
    let begun = call(one, &connection, begin).await?;
    let proof = |source: Box<dyn std::error::Error + Send + Sync>| EnrolError::Proof {
        name: one.name.clone(),
        source,
    };
    if begun.droplet_id != one.droplet.get() {
        let told = format!("it says that it is droplet {}, and {} was made", begun.droplet_id, one.droplet);
        return Err(proof(told.into()));
    }
    let transcript = Transcript {
        domain: &caller.keys.domain,
        droplet: one.droplet,
        intent: &one.intent,
        controller_nonce,
        agent_nonce: Nonce::try_from(begun.agent_nonce.as_slice()).map_err(|e| proof(e.into()))?,
        server_spki: connection.server_spki(),
        certificate_request: &begun.certificate_request,
        agent_version: &begun.agent_version,
    };
    transcript.verify_agent(&one.token, &begun.agent_proof).map_err(|e| proof(e.into()))?;
    let request = CertificateRequest::from_der(&begun.certificate_request).map_err(|e| proof(e.into()))?;
    if one.signed_for.is_some_and(|key| key != request.spki_digest()) {
        return Err(proof("its one-time token was used already, for another key".into()));
    }
    let chain = authority.sign_agent(&request, one.droplet, caller.clock.now())?;
    let not_after = PeerCertificate::parse(&chain.leaf).map_err(|e| proof(e.into()))?.not_after;
    let enrolment_id = hex::encode(rand::random::<[u8; 12]>());
    let signed = Enrolled { enrolment_id: enrolment_id.clone(), key: request.spki_digest(), not_after };
    record(signed).map_err(|source| EnrolError::Record { name: one.name.clone(), source })?;
    let handover = Handover { chain: &chain, roots: &caller.keys.roots, enrolment_id: &enrolment_id };
    let complete = client.complete(CompleteEnrolmentRequest {
        certificate_chain: chain.to_ders(),
        roots: Some(caller.keys.roots.to_proto()),
        controller_proof: transcript.controller_proof(&one.token, handover),
        enrolment_id: enrolment_id.clone(),
    });
    call(one, &connection, complete).await?;
    Ok(())
}

async fn call<T>(
    one: &Enrolment,
    connection: &Connection,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, AgentError> {
    let answered = tokio::time::timeout(CALL_TIMEOUT, call).await;
    let answered = answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer")));
    answered.map(tonic::Response::into_inner).map_err(|status| match connection.refusal() {
        Some(source) => AgentError::Refused { droplet: one.name.clone(), source },
        None => AgentError::of_call(&one.name, &status),
    })
}
