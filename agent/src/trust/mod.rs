//! Who the agent is, whom it believes, and how both came about: enrolment, renewal, revocation, clones.
//!
//! Owns the agent's credentials: what is stored is published to the port, in this order. Must not know gRPC messages or
//! roles. Every change is in the audit log before it is made.

mod changes;
mod enrolment;
mod files;
mod open;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use tidegate_proto::{
    certificates::{PrivateKey, RevocationList, RootBundle},
    enrolment::Nonce,
    identity::TrustDomain,
    names::DropletId,
    tls::{ClientCredentials, CredentialsSwitch, EnrolledCredentials, ServerCredentials, TlsError},
};
use tokio::sync::{Mutex, watch};

pub use changes::{ChangeError, Renewal};
pub use enrolment::{Completion, EnrolmentError, Offer};
pub use files::{EnrolmentRecord, Identity, PkiError, PkiFiles};
pub use open::{OpenError, TrustSettings};

use crate::{audit::AuditLog, clock::Clock, config::DropletConfig};

/// The version that is told to callers.
pub const AGENT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether the agent is somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It waits for its enrolment; nothing else runs.
    Waiting,
    /// It is enrolled.
    Enrolled,
}

/// The agent's identity and trust.
pub struct Trust {
    domain: TrustDomain,
    files: PkiFiles,
    token_file: PathBuf,
    droplet: DropletConfig,
    clock: Arc<dyn Clock>,
    audit: AuditLog,
    switch: CredentialsSwitch,
    phase: watch::Sender<Phase>,
    /// Set once the agent is enrolled, which does not end while it runs.
    record: OnceLock<EnrolmentRecord>,
    state: Mutex<State>,
}

enum State {
    Waiting(Waiting),
    Enrolled(Box<Identity>),
}

struct Waiting {
    key: PrivateKey,
    /// The root that cloud-init put on the droplet.
    roots: RootBundle,
    /// What the latest `Begin` agreed on.
    exchange: Option<Exchange>,
}

#[derive(Debug, Clone)]
struct Exchange {
    droplet: DropletId,
    serial: Option<DropletId>,
    controller_nonce: Nonce,
    agent_nonce: Nonce,
    certificate_request: Vec<u8>,
}

/// What may be told of the agent's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustStatus {
    /// Which droplet, since which enrolment.
    pub record: EnrolmentRecord,
    /// Until when the certificate holds.
    pub not_after: Timestamp,
    /// Number of the revocation list in force; 0: none.
    pub revocations: u64,
}

/// What an agent calls other agents with.
#[derive(Debug, Clone)]
pub struct OwnCredentials {
    /// Its certificate and key.
    pub credentials: ClientCredentials,
    /// Others stand below one of these.
    pub roots: RootBundle,
    /// Others on this list are not believed.
    pub revoked: Option<RevocationList>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Trust").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl Trust {
    /// Fleet and environment.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Follows whether the agent is enrolled.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Who the agent became; `None` when it is not enrolled, or was on another droplet. Waits for nothing.
    pub fn record(&self) -> Option<&EnrolmentRecord> {
        self.record.get()
    }

    /// What may be told; `None` when the agent is not enrolled.
    ///
    /// # Errors
    /// When the agent's own certificate cannot be read.
    pub async fn status(&self) -> Result<Option<TrustStatus>, ChangeError> {
        let state = self.state.lock().await;
        let State::Enrolled(identity) = &*state else {
            return Ok(None);
        };
        Ok(Some(TrustStatus {
            record: identity.record.clone(),
            not_after: changes::own_certificate(identity)?.not_after,
            revocations: identity.revoked.as_ref().map_or(0, RevocationList::number),
        }))
    }

    /// What this agent calls others with, and whom it believes; `None` when it is not enrolled.
    pub async fn as_client(&self) -> Option<OwnCredentials> {
        let state = self.state.lock().await;
        let State::Enrolled(identity) = &*state else { return None };
        Some(OwnCredentials {
            credentials: ClientCredentials { chain: identity.chain.clone(), key: identity.key.clone() },
            roots: identity.roots.clone(),
            revoked: identity.revoked.clone(),
        })
    }

    /// Serves nobody any more.
    pub fn close(&self) {
        self.switch.close();
    }

    /// Makes sure that credentials can be published, before they are stored.
    fn check(&self, identity: &Identity) -> Result<(), TlsError> {
        let (probe, _) =
            tidegate_proto::tls::server(self.domain.clone(), crate::clock::for_tls(self.clock.clone()));
        probe.publish(credentials(identity))
    }

    fn publish(&self, identity: &Identity) -> Result<(), TlsError> {
        self.switch.publish(credentials(identity))
    }
}

fn credentials(identity: &Identity) -> ServerCredentials {
    ServerCredentials::Enrolled(EnrolledCredentials {
        chain: identity.chain.clone(),
        key: identity.key.clone(),
        roots: identity.roots.clone(),
        revoked: identity.revoked.clone(),
    })
}
