//! Enrolment: the agent shows its request and proves the token; the controller proves it too and hands over.
//!
//! Owns the two steps and what has to hold for the second. Must not know gRPC. A failed proof burns nothing; the latest
//! first step counts.

use fs_err as fs;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tidegate_proto::{
    certificates::{
        CertificateRequest, Chain, ChainVerifier, PrivateKey, RequestError, RootBundle, SpkiDigest, Usage,
        VerifyError,
    },
    enrolment::{
        EnrolmentFile, EnrolmentFileError, EnrolmentToken, Handover, Nonce, ProofError, TokenError,
        Transcript,
    },
    names::{DropletId, IntentId},
    tls::TlsError,
};
use tracing::info;

use super::{AGENT_VERSION, EnrolmentRecord, Exchange, Identity, Phase, PkiError, State, Trust};
use crate::{
    audit::{AuditError, Deed, Outcome},
    droplet,
};

/// Why the agent does not enrol. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// It is enrolled.
    #[error("this droplet is enrolled already")]
    AlreadyEnrolled,
    /// There is no token.
    #[error("this droplet has no enrolment token: cloud-init wrote none, or it is no longer there")]
    NoToken(#[source] std::io::Error),
    /// The token's file is refused.
    #[error("the enrolment token on this droplet cannot be used")]
    TokenFile(#[source] EnrolmentFileError),
    /// The token ran out.
    #[error("the enrolment token on this droplet cannot be used any more")]
    Token(#[source] TokenError),
    /// The token was used for another enrolment.
    #[error("the enrolment token on this droplet was used before")]
    TokenUsed,
    /// Nobody says which droplet this is.
    #[error(
        "it is not known which droplet this is: the metadata service does not answer, and the machine has no serial number"
    )]
    NoDroplet,
    /// The request could not be made.
    #[error("no certificate could be asked for")]
    Request(#[source] RequestError),
    /// The second step came without the first.
    #[error("the enrolment was not begun; the agent may have been restarted")]
    NotBegun,
    /// The proof does not fit.
    #[error("the controller did not prove the token")]
    Proof(#[source] ProofError),
    /// The handed over certificate is not believed.
    #[error("the certificate that was handed over does not stand below the roots that were handed over")]
    Certificate(#[source] VerifyError),
    /// The handed over certificate is somebody else's.
    #[error("the certificate that was handed over is for {found}, this is {wanted}")]
    OtherIdentity {
        /// Whose it is.
        found: String,
        /// Who this is.
        wanted: String,
    },
    /// The handed over certificate is for another key.
    #[error("the certificate that was handed over is for another key than the agent's")]
    OtherKey,
    /// The enrolment's id cannot be one.
    #[error("{0:?} cannot be the id of an enrolment: it has to be 1 to 64 letters, digits or hyphens")]
    Id(String),
    /// The certificate cannot be served with.
    #[error("the certificate that was handed over cannot be used")]
    Tls(#[source] TlsError),
    /// It could not be stored.
    #[error("the enrolment could not be stored")]
    Pki(#[source] PkiError),
    /// It could not be audited.
    #[error("the enrolment could not be written to the audit log")]
    Audit(#[source] AuditError),
}

/// The first step's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Fresh for each first step.
    pub agent_nonce: Nonce,
    /// PKCS#10, DER.
    pub certificate_request: Vec<u8>,
    /// That the agent holds the token.
    pub agent_proof: Vec<u8>,
    /// Which droplet this is.
    pub droplet: DropletId,
}

/// What the controller hands over in the second step.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The certificate and its issuer.
    pub chain: Chain,
    /// The roots to trust from now on.
    pub roots: RootBundle,
    /// That the controller holds the token.
    pub proof: Vec<u8>,
    /// The random id of this enrolment.
    pub enrolment_id: String,
}

/// What the token's file says.
struct Held {
    token: EnrolmentToken,
    intent: IntentId,
    digest: String,
}

impl Trust {
    /// The first step. Changes nothing; may be repeated.
    ///
    /// # Errors
    /// When the agent is enrolled, or has no token that can be used.
    pub async fn begin_enrolment(
        &self,
        controller_nonce: Nonce,
        agent_nonce: Nonce,
        server_spki: SpkiDigest,
    ) -> Result<Offer, EnrolmentError> {
        let mut state = self.state.lock().await;
        let State::Waiting(waiting) = &mut *state else {
            return Err(EnrolmentError::AlreadyEnrolled);
        };
        let token = self.token().await?;
        let facts = droplet::ask(&self.droplet).await;
        let droplet = facts.id().ok_or(EnrolmentError::NoDroplet)?;
        let request = CertificateRequest::new(&waiting.key).map_err(EnrolmentError::Request)?;
        let exchange = Exchange {
            droplet,
            serial: facts.serial,
            controller_nonce,
            agent_nonce,
            certificate_request: request.der().to_vec(),
        };
        let agent_proof = self.transcript(&exchange, &token.intent, server_spki).agent_proof(&token.token);
        let certificate_request = exchange.certificate_request.clone();
        waiting.exchange = Some(exchange);
        Ok(Offer { agent_nonce, certificate_request, agent_proof, droplet })
    }

    /// The second step: from its return on, the agent serves mutual TLS to every new connection. `actor` is the caller.
    ///
    /// # Errors
    /// Nothing was changed; the first step may be repeated.
    pub async fn complete_enrolment(
        &self,
        completion: Completion,
        server_spki: SpkiDigest,
        actor: &str,
    ) -> Result<(), EnrolmentError> {
        let mut state = self.state.lock().await;
        let State::Waiting(waiting) = &*state else {
            return Err(EnrolmentError::AlreadyEnrolled);
        };
        let token = self.token().await?;
        let exchange = waiting.exchange.clone().ok_or(EnrolmentError::NotBegun)?;
        let handover = Handover {
            chain: &completion.chain,
            roots: &completion.roots,
            enrolment_id: &completion.enrolment_id,
        };
        self.transcript(&exchange, &token.intent, server_spki)
            .verify_controller(&token.token, handover, &completion.proof)
            .map_err(EnrolmentError::Proof)?;
        self.check_certificate(&completion, &exchange, &waiting.key)?;
        let identity = self.identity(completion, &exchange, waiting.key.clone(), token.digest)?;
        self.check(&identity).map_err(EnrolmentError::Tls)?;
        self.store_enrolment(&identity, actor).await?;
        self.publish(&identity).map_err(EnrolmentError::Tls)?;
        info!(droplet = %identity.record.droplet_id, enrolment = identity.record.enrolment_id, actor, "enrolled");
        self.record.get_or_init(|| identity.record.clone());
        *state = State::Enrolled(Box::new(identity));
        self.phase.send_replace(Phase::Enrolled);
        Ok(())
    }

    fn transcript<'a>(
        &'a self,
        exchange: &'a Exchange,
        intent: &'a IntentId,
        server_spki: SpkiDigest,
    ) -> Transcript<'a> {
        Transcript {
            domain: &self.domain,
            droplet: exchange.droplet,
            intent,
            controller_nonce: exchange.controller_nonce,
            agent_nonce: exchange.agent_nonce,
            server_spki,
            certificate_request: &exchange.certificate_request,
            agent_version: AGENT_VERSION,
        }
    }

    /// Read anew each time: a replaced token counts at once, and none stays in memory.
    async fn token(&self) -> Result<Held, EnrolmentError> {
        let text = fs::tokio::read_to_string(&self.token_file).await.map_err(EnrolmentError::NoToken)?;
        let text = SecretString::from(text);
        let file = EnrolmentFile::from_json(&text).map_err(EnrolmentError::TokenFile)?;
        file.token.check(self.clock.now()).map_err(EnrolmentError::Token)?;
        let digest = hex::encode(Sha256::digest(file.token.to_text().expose_secret().as_bytes()));
        let used = digest.clone();
        if self.files.blocking(move |files| files.was_used(&used)).await.map_err(EnrolmentError::Pki)? {
            return Err(EnrolmentError::TokenUsed);
        }
        Ok(Held { token: file.token, intent: file.intent, digest })
    }

    fn check_certificate(
        &self,
        completion: &Completion,
        exchange: &Exchange,
        key: &PrivateKey,
    ) -> Result<(), EnrolmentError> {
        let verifier = ChainVerifier::new(&completion.roots).map_err(EnrolmentError::Certificate)?;
        let certificates = completion.chain.to_certificates();
        let certificate = verifier
            .verify(&certificates, Usage::Server, None, self.clock.now())
            .map_err(EnrolmentError::Certificate)?;
        let wanted = self.domain.agent(exchange.droplet);
        if certificate.identity != wanted {
            let (found, wanted) = (certificate.identity.to_string(), wanted.to_string());
            return Err(EnrolmentError::OtherIdentity { found, wanted });
        }
        if certificate.spki != key.spki_digest() {
            return Err(EnrolmentError::OtherKey);
        }
        Ok(())
    }

    fn identity(
        &self,
        completion: Completion,
        exchange: &Exchange,
        key: PrivateKey,
        token: String,
    ) -> Result<Identity, EnrolmentError> {
        let Completion { chain, roots, enrolment_id, .. } = completion;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if enrolment_id.is_empty() || enrolment_id.len() > 64 || !enrolment_id.chars().all(allowed) {
            return Err(EnrolmentError::Id(enrolment_id.chars().take(80).collect()));
        }
        let record =
            EnrolmentRecord::new(exchange.droplet, exchange.serial, enrolment_id, self.clock.now(), token);
        Ok(Identity { record, chain, key, roots, revoked: None })
    }

    async fn store_enrolment(&self, identity: &Identity, actor: &str) -> Result<(), EnrolmentError> {
        let deed = Deed::new(actor, "enrol", "droplet")
            .with("droplet", &identity.record.droplet_id)
            .with("enrolment", &identity.record.enrolment_id);
        let begun = self.audit.begin(deed).await.map_err(EnrolmentError::Audit)?;
        let stored = identity.clone();
        match self.files.blocking(move |files| files.store(&stored)).await {
            Ok(()) => {
                self.remove_token();
                begun.end(Outcome::Succeeded).await;
                Ok(())
            }
            Err(error) => {
                begun.end(Outcome::Failed("storage".to_owned())).await;
                Err(EnrolmentError::Pki(error))
            }
        }
    }
}
