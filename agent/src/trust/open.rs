//! The start: what is stored, whether it is this droplet's, and what is served with at first.
//!
//! Owns the recognition of clones. Must not serve.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use fs_err as fs;
use tidegate_proto::{
    certificates::{
        IssueError, PemError, RootBundle, RootsError, Serial, certificates_from_pem, self_signed,
    },
    identity::TrustDomain,
    tls::{CredentialsSwitch, EnrolmentCredentials, ServerCredentials, TlsError},
};
use tokio::sync::{Mutex, watch};
use tracing::{error, info, warn};

use super::{Identity, Phase, PkiError, PkiFiles, State, Trust, Waiting};
use crate::{
    audit::{AuditError, AuditLog, Deed, Outcome},
    clock::Clock,
    config::DropletConfig,
    droplet::DropletFacts,
};

/// Where things are.
#[derive(Debug, Clone)]
pub struct TrustSettings {
    /// Fleet and environment.
    pub domain: TrustDomain,
    /// `/var/lib/tidegate/pki`.
    pub pki: PathBuf,
    /// `/etc/tidegate/ca.pem`.
    pub ca: PathBuf,
    /// `/etc/tidegate/enrolment.json`.
    pub token: PathBuf,
    /// Where the droplet's id is asked for.
    pub droplet: DropletConfig,
}

/// Why the agent does not know who it is.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its keys cannot be read.
    #[error("the agent's identity cannot be read")]
    Pki(#[source] PkiError),
    /// The fleet's root is missing.
    #[error("the fleet's root certificate cannot be read; cloud-init should have written it")]
    Root(#[source] std::io::Error),
    /// The fleet's root is damaged.
    #[error("{} holds no certificate", .path.display())]
    RootPem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PemError,
    },
    /// The fleet's root cannot be one.
    #[error("{} holds no root certificate of tidegate", .path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RootsError,
    },
    /// No certificate for the time before the enrolment.
    #[error("no certificate could be made for the enrolment")]
    SelfSigned(#[source] IssueError),
    /// The certificate cannot be served with.
    #[error("the agent's certificate cannot be used")]
    Tls(#[source] TlsError),
    /// A clone was found, but that could not be written down.
    #[error("the audit log does not take that this droplet is a copy of another")]
    Audit(#[source] AuditError),
}

impl Trust {
    /// Reads what is stored, moves it aside when it is another droplet's, and publishes what there is to serve with.
    ///
    /// # Errors
    /// When something is damaged or missing: nothing is served then.
    pub async fn open(
        settings: TrustSettings,
        switch: CredentialsSwitch,
        facts: &DropletFacts,
        clock: Arc<dyn Clock>,
        audit: AuditLog,
    ) -> Result<Self, OpenError> {
        let files = PkiFiles::open(settings.pki.clone()).map_err(OpenError::Pki)?;
        let mut stored = files.identity().map_err(OpenError::Pki)?;
        if let Some(identity) = &stored
            && is_other_droplet(identity, facts)
        {
            put_aside(&files, identity, facts, clock.as_ref(), &audit).await?;
            stored = None;
        }
        let (state, phase) = match stored {
            Some(identity) => (State::Enrolled(Box::new(identity)), Phase::Enrolled),
            None => (State::Waiting(waiting(&files, &settings)?), Phase::Waiting),
        };
        let trust = Self {
            domain: settings.domain,
            files,
            token_file: settings.token,
            droplet: settings.droplet,
            clock,
            audit,
            switch,
            phase: watch::Sender::new(phase),
            record: OnceLock::new(),
            state: Mutex::new(state),
        };
        trust.publish_first().await?;
        Ok(trust)
    }

    async fn publish_first(&self) -> Result<(), OpenError> {
        match &*self.state.lock().await {
            State::Enrolled(identity) => {
                info!(droplet = %identity.record.droplet_id, enrolment = identity.record.enrolment_id, "enrolled");
                self.publish(identity).map_err(OpenError::Tls)?;
                self.record.get_or_init(|| identity.record.clone());
                self.remove_token();
                Ok(())
            }
            State::Waiting(waiting) => {
                info!("not enrolled: waiting for a controller");
                let serial = Serial::from_random(rand::random());
                let certificate = self_signed(&waiting.key, &serial, self.clock.now());
                let credentials = EnrolmentCredentials {
                    certificate: certificate.map_err(OpenError::SelfSigned)?,
                    key: waiting.key.clone(),
                    roots: waiting.roots.clone(),
                };
                self.switch.publish(ServerCredentials::Enrolment(credentials)).map_err(OpenError::Tls)
            }
        }
    }

    /// The token has done its work; a crash may have left it.
    pub(super) fn remove_token(&self) {
        match fs::remove_file(&self.token_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                // It opens nothing any more: an enrolled agent takes no token.
                warn!(%error, "the used enrolment token could not be removed");
            }
            _ => {}
        }
    }
}

fn waiting(files: &PkiFiles, settings: &TrustSettings) -> Result<Waiting, OpenError> {
    let path = settings.ca.clone();
    let text = fs::read_to_string(&path).map_err(OpenError::Root)?;
    let certificates =
        certificates_from_pem(&text).map_err(|source| OpenError::RootPem { path: path.clone(), source })?;
    let roots = RootBundle::new(0, certificates).map_err(|source| OpenError::Roots { path, source })?;
    Ok(Waiting { key: files.pending_key().map_err(OpenError::Pki)?, roots, exchange: None })
}

/// Whether what is stored was made on another droplet. Where neither of the two that know answers, nothing speaks for it.
fn is_other_droplet(identity: &Identity, facts: &DropletFacts) -> bool {
    match (facts.metadata, facts.serial, identity.record.serial) {
        (Some(id), _, _) => id != identity.record.droplet_id,
        // Compared with the serial number of then, not with the id: see `DropletFacts::id`.
        (None, Some(now), Some(then)) => now != then,
        (None, _, _) => false,
    }
}

async fn put_aside(
    files: &PkiFiles,
    identity: &Identity,
    facts: &DropletFacts,
    clock: &dyn Clock,
    audit: &AuditLog,
) -> Result<(), OpenError> {
    let here = facts.id().map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    error!(
        enrolled = %identity.record.droplet_id,
        here,
        "this droplet is a copy of another one: its keys are put aside, and nothing runs until it is enrolled"
    );
    files.move_aside(clock.now()).map_err(OpenError::Pki)?;
    let deed = Deed::new("agent", "put-keys-aside", "droplet")
        .with("enrolled_as", &identity.record.droplet_id)
        .with("droplet", &here);
    audit.write(&deed, &Outcome::Succeeded).await.map(drop).map_err(OpenError::Audit)
}
