//! The other agents over the network: mutual TLS with this agent's own certificate, and each address believed only as the
//! one agent that was meant.
//!
//! Owns the connections: one that answered is kept for the next call, and given up when nobody needed it for a minute. Must
//! not know what an answer means.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use tidegate_proto::{
    names::DropletId,
    tls::{AgentTrust, Connection, Dialer, Expiry},
    v1::{self, ReleaseOutcomeRequest, ReleaseOutcomeResponse, agent_client::AgentClient},
};
use tokio::time::Instant;

use crate::{
    apps::AppName,
    clock::{self, Clock},
    release::together::{Decision, Outcome, Participant, PeerError, Peers, RolloutId, Vote},
    trust::Trust,
};

/// A connection that nobody needed for so long is given up.
const IDLE: Duration = Duration::from_mins(1);
/// An answer is a few numbers.
const ANSWER_BYTES: usize = 64 * 1024;

/// Reaches other agents with this agent's certificate.
pub struct AgentPeers {
    trust: Arc<Trust>,
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<(DropletId, SocketAddr), Open>>,
}

struct Open {
    connection: Connection,
    used: Instant,
}

impl fmt::Debug for AgentPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentPeers").field("trust", &self.trust).finish_non_exhaustive()
    }
}

impl AgentPeers {
    /// As the agent that this trust belongs to; nobody is called yet.
    pub fn new(trust: Arc<Trust>, clock: Arc<dyn Clock>) -> Self {
        Self { trust, clock, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<(DropletId, SocketAddr), Open>> {
        // Entries are inserted and removed whole, so a panic elsewhere leaves the map sound.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is kept, or a new one. It is kept again only when it has answered: one that hangs is not tried twice, also
    /// where the caller gives the call up.
    async fn connection(&self, peer: &Participant) -> Result<Connection, PeerError> {
        let kept = {
            let now = Instant::now();
            let mut open = self.open();
            open.retain(|_, one| now.duration_since(one.used) < IDLE);
            open.remove(&(peer.droplet, peer.address))
        };
        match kept {
            Some(kept) => Ok(kept.connection),
            None => self.dial(peer).await,
        }
    }

    async fn dial(&self, peer: &Participant) -> Result<Connection, PeerError> {
        let own = self.trust.as_client().await.ok_or(PeerError::NotEnrolled)?;
        let trust = AgentTrust {
            identity: self.trust.domain().agent(peer.droplet),
            roots: own.roots,
            revoked: own.revoked,
            expiry: Expiry::Refuse,
        };
        let unreachable = |error: Box<dyn std::error::Error + Send + Sync>| PeerError::Unreachable(error);
        let dialer = Dialer::agent(&own.credentials, trust, clock::for_tls(self.clock.clone()))
            .map_err(|error| unreachable(error.into()))?;
        dialer.connect(peer.address).await.map_err(|error| unreachable(error.into()))
    }

    async fn ask(
        &self,
        peer: &Participant,
        (app, rollout): (&AppName, &RolloutId),
    ) -> Result<Outcome, PeerError> {
        let connection = self.connection(peer).await?;
        let mut client = AgentClient::new(connection.channel()).max_decoding_message_size(ANSWER_BYTES);
        let request = ReleaseOutcomeRequest { app: app.to_string(), rollout: rollout.to_string() };
        match client.release_outcome(request).await {
            Ok(answer) => {
                let open = Open { connection, used: Instant::now() };
                self.open().insert((peer.droplet, peer.address), open);
                Ok(outcome(&answer.into_inner()))
            }
            Err(status) => {
                let told = connection.refusal().map_or_else(|| status.into(), Into::into);
                Err(PeerError::Refused(told))
            }
        }
    }
}

impl Peers for AgentPeers {
    fn outcome<'a>(
        &'a self,
        peer: &'a Participant,
        app: &'a AppName,
        rollout: &'a RolloutId,
    ) -> BoxFuture<'a, Result<Outcome, PeerError>> {
        Box::pin(self.ask(peer, (app, rollout)))
    }
}

/// A vote or decision that this agent does not know is none: it then waits, which is always safe.
fn outcome(answer: &ReleaseOutcomeResponse) -> Outcome {
    let vote = match answer.vote() {
        v1::ReleaseVote::Unspecified | v1::ReleaseVote::Unknown => Vote::Unknown,
        v1::ReleaseVote::Preparing => Vote::Preparing,
        v1::ReleaseVote::Ready => Vote::Ready,
        v1::ReleaseVote::Serving => Vote::Serving,
        v1::ReleaseVote::Failed => Vote::Failed,
    };
    let decision = match answer.decision() {
        v1::ReleaseDecision::Unspecified | v1::ReleaseDecision::None => Decision::None,
        v1::ReleaseDecision::Activate => Decision::Activate,
        v1::ReleaseDecision::Finish => Decision::Finish,
        v1::ReleaseDecision::Undo => Decision::Undo,
    };
    Outcome { vote, decision, migrated: answer.migrated }
}
