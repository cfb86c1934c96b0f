//! One connection to one agent: exactly the droplet that was meant, or none.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tidegate_proto::{
    certificates::PeerCertificate,
    clock::Clock as _,
    limits::MAX_MESSAGE_BYTES,
    names::DropletId,
    tls::{AgentTrust, Connection, Dialer, Expiry},
    v1::{self, agent_client::AgentClient},
};
use tonic::{Status, transport::Channel};

use super::error::AgentError;
use crate::{authority::UserKeys, clock::Clock};

/// Where agents listen.
pub const AGENT_PORT: u16 = 7443;

/// The longest a short call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Dials agents as one user.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who we are and whom we trust.
    pub keys: UserKeys,
    /// Time.
    pub clock: Clock,
}

/// A connected agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The droplet's name, for people.
    pub name: String,
    connection: Connection,
}

impl Caller {
    pub(super) fn proto_clock(&self) -> Arc<dyn tidegate_proto::clock::Clock> {
        let clock = self.clock.clone();
        let now = move || clock.now();
        debug_assert!(now.now() > jiff::Timestamp::UNIX_EPOCH);
        Arc::new(now)
    }

    /// Connects to the agent of a droplet.
    ///
    /// # Errors
    /// When nothing answers, or not that agent.
    pub async fn connect(&self, name: &str, id: DropletId, address: Ipv4Addr) -> Result<Agent, AgentError> {
        self.connect_as(name, id, address, Expiry::Refuse).await
    }

    /// The same, deciding about a certificate that ran out.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_as(
        &self,
        name: &str,
        id: DropletId,
        address: Ipv4Addr,
        expiry: Expiry,
    ) -> Result<Agent, AgentError> {
        let trust = AgentTrust {
            identity: self.keys.domain.agent(id),
            roots: self.keys.roots.clone(),
            revoked: None,
            expiry,
        };
        let dialer =
            Dialer::agent(&self.keys.credentials, trust, self.proto_clock()).map_err(AgentError::Tls)?;
        let connection = dialer.connect(SocketAddr::from((address, AGENT_PORT))).await;
        let connection =
            connection.map_err(|source| AgentError::Connect { droplet: name.to_owned(), source })?;
        Ok(Agent { name: name.to_owned(), connection })
    }
}

impl Agent {
    /// The generated client, with our bounds.
    pub fn client(&self) -> AgentClient<Channel> {
        AgentClient::new(self.connection.channel())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// The agent's certificate.
    pub fn certificate(&self) -> Option<&PeerCertificate> {
        self.connection.server()
    }

    /// What a failed call means.
    pub fn error(&self, status: &Status) -> AgentError {
        if let Some(source) = self.connection.refusal() {
            return AgentError::Refused { droplet: self.name.clone(), source };
        }
        AgentError::of_call(&self.name, status)
    }

    /// A short call with its deadline.
    ///
    /// # Errors
    /// When it fails or is not answered in time.
    pub async fn call<T>(
        &self,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, AgentError> {
        let answered = tokio::time::timeout(CALL_TIMEOUT, call).await;
        let answered = answered.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded(format!("no answer within {} s", CALL_TIMEOUT.as_secs())))
        });
        answered.map(tonic::Response::into_inner).map_err(|status| self.error(&status))
    }

    /// What the machine is.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn info(&self) -> Result<v1::InfoResponse, AgentError> {
        let mut client = self.client();
        self.call(client.info(v1::InfoRequest {})).await
    }
}
