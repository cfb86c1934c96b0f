//! Changes of an enrolled agent's credentials: another certificate, another revocation list.
//!
//! Owns what has to hold for each. Must not know gRPC.

use jiff::Timestamp;
use tidegate_proto::{
    certificates::{
        CertificateDer, CertificateRequest, Chain, ChainVerifier, KeyError, ParseError, PeerCertificate,
        PrivateKey, RequestError, RevocationError, RevocationList, Usage, VerifyError,
    },
    tls::TlsError,
};
use tracing::info;

use super::{Identity, PkiError, State, Trust};
use crate::audit::{AuditError, Deed, Outcome};

/// Why the credentials stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The agent is nobody yet.
    #[error("this droplet is not enrolled")]
    NotEnrolled,
    /// No key.
    #[error("no new key could be made")]
    Key(#[source] KeyError),
    /// No request.
    #[error("no certificate could be asked for")]
    Request(#[source] RequestError),
    /// The new certificate is not believed.
    #[error("the new certificate does not stand below a root that this agent trusts")]
    Certificate(#[source] VerifyError),
    /// The new certificate is somebody else's, or for another key.
    #[error("the new certificate is not for this agent and its new key")]
    OtherAgent,
    /// The new certificate ends earlier.
    #[error("the new certificate ends at {found}, before the present one ({present})")]
    Shorter {
        /// The new one's end.
        found: Timestamp,
        /// The present one's.
        present: Timestamp,
    },
    /// The agent's own certificate cannot be read.
    #[error("the agent's own certificate cannot be read")]
    Own(#[source] ParseError),
    /// The revocation list is refused.
    #[error("the revocation list is refused")]
    Revocation(#[source] RevocationError),
    /// The credentials cannot be served with.
    #[error("the new credentials cannot be used")]
    Tls(#[source] TlsError),
    /// They could not be stored.
    #[error("the new credentials could not be stored")]
    Pki(#[source] PkiError),
    /// They could not be audited.
    #[error("the change could not be written to the audit log")]
    Audit(#[source] AuditError),
}

/// A renewal that was begun: the key exists in memory alone until its certificate came.
#[derive(Debug)]
pub struct Renewal {
    key: PrivateKey,
    request: CertificateRequest,
}

impl Renewal {
    /// PKCS#10, DER.
    pub fn certificate_request(&self) -> &[u8] {
        self.request.der()
    }
}

pub(super) fn own_certificate(identity: &Identity) -> Result<PeerCertificate, ChangeError> {
    PeerCertificate::parse(&identity.chain.leaf).map_err(ChangeError::Own)
}

impl Trust {
    /// Makes a key and a request for it.
    ///
    /// # Errors
    /// When the agent is not enrolled or no key can be made.
    pub async fn begin_renewal(&self) -> Result<Renewal, ChangeError> {
        if matches!(*self.state.lock().await, State::Waiting(_)) {
            return Err(ChangeError::NotEnrolled);
        }
        let key = PrivateKey::generate().map_err(ChangeError::Key)?;
        let request = CertificateRequest::new(&key).map_err(ChangeError::Request)?;
        Ok(Renewal { key, request })
    }

    /// Takes the certificate for the key of `renewal`; from its return on, new connections see it. Tells its end.
    ///
    /// # Errors
    /// The present certificate stays.
    pub async fn complete_renewal(
        &self,
        renewal: Renewal,
        chain: Chain,
        actor: &str,
    ) -> Result<Timestamp, ChangeError> {
        let mut state = self.state.lock().await;
        let State::Enrolled(identity) = &mut *state else {
            return Err(ChangeError::NotEnrolled);
        };
        let not_after = self.judge(identity, &renewal, &chain)?;
        let next = Identity { chain, key: renewal.key, ..Identity::clone(identity) };
        self.check(&next).map_err(ChangeError::Tls)?;
        let deed = Deed::new(actor, "renew", "droplet").with("not_after", &not_after);
        let begun = self.audit.begin(deed).await.map_err(ChangeError::Audit)?;
        let (key, chain) = (next.key.clone(), next.chain.clone());
        let stored = self.files.blocking(move |files| files.store_certificate(&key, &chain)).await;
        let stored = stored.map_err(ChangeError::Pki);
        begun.end(outcome(stored.as_ref())).await;
        stored?;
        self.publish(&next).map_err(ChangeError::Tls)?;
        info!(%not_after, actor, "certificate renewed");
        **identity = next;
        Ok(not_after)
    }

    fn judge(&self, identity: &Identity, renewal: &Renewal, chain: &Chain) -> Result<Timestamp, ChangeError> {
        let verifier = ChainVerifier::new(&identity.roots).map_err(ChangeError::Certificate)?;
        let revoked = identity.revoked.as_ref();
        let next = verifier
            .verify(&chain.to_certificates(), Usage::Server, revoked, self.clock.now())
            .map_err(ChangeError::Certificate)?;
        let present = own_certificate(identity)?;
        if next.identity != present.identity || next.spki != renewal.key.spki_digest() {
            return Err(ChangeError::OtherAgent);
        }
        if next.not_after < present.not_after {
            return Err(ChangeError::Shorter { found: next.not_after, present: present.not_after });
        }
        Ok(next.not_after)
    }

    /// Takes a revocation list that an issuer of the environment signed: the agent's own, or `caller`, the caller's.
    /// Tells the number in force.
    ///
    /// # Errors
    /// The present list stays.
    pub async fn install_revocations(
        &self,
        der: &[u8],
        caller: Option<&CertificateDer<'_>>,
        actor: &str,
    ) -> Result<u64, ChangeError> {
        let mut state = self.state.lock().await;
        let State::Enrolled(identity) = &mut *state else {
            return Err(ChangeError::NotEnrolled);
        };
        let verifier = ChainVerifier::new(&identity.roots).map_err(ChangeError::Certificate)?;
        let issuers: Vec<&CertificateDer<'_>> =
            [Some(&identity.chain.issuer), caller].into_iter().flatten().collect();
        let list = RevocationList::verify(der, &issuers, &verifier, &self.domain)
            .map_err(ChangeError::Revocation)?;
        list.check_replaces(identity.revoked.as_ref()).map_err(ChangeError::Revocation)?;
        if identity.revoked.as_ref() == Some(&list) {
            return Ok(list.number());
        }
        let number = list.number();
        let next = Identity { revoked: Some(list.clone()), ..Identity::clone(identity) };
        self.check(&next).map_err(ChangeError::Tls)?;
        let deed = Deed::new(actor, "revoke", "droplet").with("number", &number);
        let begun = self.audit.begin(deed).await.map_err(ChangeError::Audit)?;
        let stored = self.files.blocking(move |files| files.store_revoked(&list)).await;
        let stored = stored.map_err(ChangeError::Pki);
        begun.end(outcome(stored.as_ref())).await;
        stored?;
        self.publish(&next).map_err(ChangeError::Tls)?;
        info!(number, actor, "revocation list installed");
        **identity = next;
        Ok(number)
    }
}

fn outcome(stored: Result<&(), &ChangeError>) -> Outcome {
    match stored {
        Ok(()) => Outcome::Succeeded,
        Err(_) => Outcome::Failed("storage".to_owned()),
    }
}
