//! Renewal of an agent's certificate: the agent makes a new key and asks, we sign, it confirms.

use std::time::Duration;

use jiff::Timestamp;
use tidegate_proto::{
    certificates::{CertificateRequest, SpkiDigest},
    names::DropletId,
    v1::{self, renew_request::Request, renew_response::Response},
};
use tokio_stream::wrappers::ReceiverStream;

use super::{connect::Agent, error::AgentError};
use crate::authority::{Authority, AuthorityError};

/// An agent's certificate is renewed on any contact by somebody who can sign, this long before it ends.
pub const RENEW_BEFORE: Duration = Duration::from_hours(1440);

/// The longest a renewal may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A renewal that did not succeed; the old certificate is still in force.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Signing.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// Renews, and tells the new key and end.
///
/// # Errors
/// When the agent or the signing fails.
pub async fn renew(
    agent: &Agent,
    authority: &Authority,
    droplet: DropletId,
    now: Timestamp,
) -> Result<(SpkiDigest, Option<Timestamp>), RenewError> {
    let work = exchange(agent, authority, droplet, now);
    tokio::time::timeout(TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(broken(agent, "no end of the renewal in time").into()))
}

async fn exchange(
    agent: &Agent,
    authority: &Authority,
    droplet: DropletId,
    now: Timestamp,
) -> Result<(SpkiDigest, Option<Timestamp>), RenewError> {
    let (send, receive) = tokio::sync::mpsc::channel(2);
    let say = |request| v1::RenewRequest { request: Some(request) };
    let closed = |_| broken(agent, "the renewal was cut off");
    send.send(say(Request::Start(v1::RenewStart {}))).await.map_err(closed)?;
    let answers = agent.client().renew(ReceiverStream::new(receive)).await;
    let mut answers = answers.map_err(|status| agent.error(&status))?.into_inner();
    let first = answers.message().await.map_err(|status| agent.error(&status))?;
    let Some(Response::CertificateRequest(der)) = first.and_then(|answer| answer.response) else {
        return Err(broken(agent, "no certificate request").into());
    };
    let request = CertificateRequest::from_der(&der)
        .map_err(|error| broken(agent, &format!("a bad request: {error}")))?;
    let chain = authority.sign_agent(&request, droplet, now)?;
    let certificate = v1::RenewCertificate { certificate_chain: chain.to_ders() };
    send.send(say(Request::Certificate(certificate))).await.map_err(closed)?;
    let last = answers.message().await.map_err(|status| agent.error(&status))?;
    let Some(Response::Done(done)) = last.and_then(|answer| answer.response) else {
        return Err(broken(agent, "no confirmation").into());
    };
    let ends = done.not_after.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
    Ok((request.spki_digest(), ends))
}

fn broken(agent: &Agent, what: &str) -> AgentError {
    AgentError::Contract { droplet: agent.name.clone(), what: what.to_owned() }
}
