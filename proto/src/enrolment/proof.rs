//! The proofs that both sides hold the token.
//!
//! # Bytes
//! A proof is HMAC-SHA-256 with the token as key over a sequence of fields, each preceded by its length as 8 bytes, big
//! endian: `tidegate enrolment proof v1`; the prover's role (`agent` or `controller`); fleet; environment; droplet id (8
//! bytes); intent id; controller's nonce; agent's nonce; SHA-256 of the `SubjectPublicKeyInfo` of the server certificate in
//! this TLS session; the certificate request, DER; the agent's version. The controller's goes on: leaf; issuer; the
//! bundle of roots in its canonical bytes ([`crate::certificates`]); the enrolment id.
//!
//! Who terminates TLS in the middle shows another server key than the agent's: each end then computes over another
//! session, and the proofs do not fit.

use hmac::Mac;
use rand::Rng;

use super::token::EnrolmentToken;
use crate::{
    canonical::Canonical,
    certificates::{Chain, RootBundle, SpkiDigest},
    identity::TrustDomain,
    names::{DropletId, IntentId},
};

/// A proof does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The agent's.
    #[error(
        "the agent's proof is wrong: it holds another token, or somebody stands between it and this controller; nothing was signed"
    )]
    Agent,
    /// The controller's.
    #[error(
        "the controller's proof is wrong: it holds another token, or somebody stands between it and this agent; nothing was changed"
    )]
    Controller,
}

/// A nonce of a wrong length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a nonce has 32 bytes, this one has {found}")]
pub struct NonceError {
    found: usize,
}

/// 32 random bytes, fresh for each enrolment attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// Draws one.
    pub fn random(rng: &mut dyn Rng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes for the wire.
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl TryFrom<&[u8]> for Nonce {
    type Error = NonceError;
    fn try_from(bytes: &[u8]) -> Result<Self, NonceError> {
        <[u8; 32]>::try_from(bytes).map(Self).map_err(|_| NonceError { found: bytes.len() })
    }
}

/// What both sides have seen.
#[derive(Debug, Clone, Copy)]
pub struct Transcript<'a> {
    /// Fleet and environment.
    pub domain: &'a TrustDomain,
    /// The droplet.
    pub droplet: DropletId,
    /// The intent the droplet was made for.
    pub intent: &'a IntentId,
    /// The controller's nonce.
    pub controller_nonce: Nonce,
    /// The agent's nonce.
    pub agent_nonce: Nonce,
    /// The server's key in this TLS session, each side as it sees it.
    pub server_spki: SpkiDigest,
    /// The request, DER.
    pub certificate_request: &'a [u8],
    /// The agent's version.
    pub agent_version: &'a str,
}

/// What the controller hands over.
#[derive(Debug, Clone, Copy)]
pub struct Handover<'a> {
    /// The certificate that was issued.
    pub chain: &'a Chain,
    /// The roots to trust from now on.
    pub roots: &'a RootBundle,
    /// The random id of this enrolment.
    pub enrolment_id: &'a str,
}

impl Transcript<'_> {
    /// The agent's proof.
    pub fn agent_proof(&self, token: &EnrolmentToken) -> Vec<u8> {
        token.mac(&self.agent_bytes()).finalize().into_bytes().to_vec()
    }

    /// Checks the agent's proof, in constant time.
    ///
    /// # Errors
    /// It does not fit.
    pub fn verify_agent(&self, token: &EnrolmentToken, proof: &[u8]) -> Result<(), ProofError> {
        token.mac(&self.agent_bytes()).verify_slice(proof).map_err(|_| ProofError::Agent)
    }

    /// The controller's proof.
    pub fn controller_proof(&self, token: &EnrolmentToken, handover: Handover<'_>) -> Vec<u8> {
        token.mac(&self.controller_bytes(handover)).finalize().into_bytes().to_vec()
    }

    /// Checks the controller's proof, in constant time.
    ///
    /// # Errors
    /// It does not fit.
    pub fn verify_controller(
        &self,
        token: &EnrolmentToken,
        handover: Handover<'_>,
        proof: &[u8],
    ) -> Result<(), ProofError> {
        token.mac(&self.controller_bytes(handover)).verify_slice(proof).map_err(|_| ProofError::Controller)
    }

    fn agent_bytes(&self) -> Vec<u8> {
        self.bytes("agent").finish()
    }

    fn controller_bytes(&self, handover: Handover<'_>) -> Vec<u8> {
        self.bytes("controller")
            .bytes(&handover.chain.leaf)
            .bytes(&handover.chain.issuer)
            .bytes(&handover.roots.canonical_bytes())
            .text(handover.enrolment_id)
            .finish()
    }

    fn bytes(&self, role: &str) -> Canonical {
        Canonical::new("tidegate enrolment proof v1")
            .text(role)
            .text(self.domain.fleet.as_str())
            .text(self.domain.environment.as_str())
            .number(self.droplet.get())
            .text(self.intent.as_str())
            .bytes(&self.controller_nonce.0)
            .bytes(&self.agent_nonce.0)
            .bytes(self.server_spki.as_bytes())
            .bytes(self.certificate_request)
            .text(self.agent_version)
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
