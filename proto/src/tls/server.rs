//! The agent's end: credentials that can be switched while it listens, and the handshake.

use std::{net::SocketAddr, sync::Arc};

use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use super::{
    config::{TlsError, finish_server, server_builder},
    info::{Mode, PeerInfo},
    problem::PeerProblem,
    stream::ServerStream,
    verifiers::CallerVerifier,
};
use crate::{
    certificates::{
        Chain, ChainError, ChainVerifier, ParseError, PeerCertificate, PrivateKey, RevocationList,
        RootBundle, SpkiDigest, spki_digest,
    },
    clock::Clock,
    identity::TrustDomain,
    limits::{HANDSHAKE_TIMEOUT, LINGER},
};

/// What an agent serves with before it is enrolled.
#[derive(Debug)]
pub struct EnrolmentCredentials {
    /// Of [`crate::certificates::self_signed`].
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: PrivateKey,
    /// The root that cloud-init put on the droplet: callers stand below it.
    pub roots: RootBundle,
}

/// What an agent serves with once it is enrolled.
#[derive(Debug)]
pub struct EnrolledCredentials {
    /// The agent's certificate and its issuer.
    pub chain: Chain,
    /// The leaf's key.
    pub key: PrivateKey,
    /// Callers stand below one of these.
    pub roots: RootBundle,
    /// Callers on this list are refused.
    pub revoked: Option<RevocationList>,
}

/// Either of both.
#[derive(Debug)]
pub enum ServerCredentials {
    /// Before.
    Enrolment(EnrolmentCredentials),
    /// After.
    Enrolled(EnrolledCredentials),
}

/// A connection that did not become a session.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There are no credentials.
    #[error("the agent has no credentials to serve with yet")]
    Closed,
    /// Too many at once.
    #[error("too many connections or handshakes are open at once")]
    Busy,
    /// It took too long.
    #[error("the TLS handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    Timeout,
    /// TLS failed.
    #[error("the TLS handshake failed")]
    Handshake(#[source] std::io::Error),
    /// The caller was refused.
    #[error("the caller is refused")]
    Refused(#[source] PeerProblem),
    /// Somebody spoke another protocol inside TLS.
    #[error("the peer does not speak HTTP/2")]
    Protocol,
    /// The verified chain could not be read again.
    #[error("the peer's certificate chain cannot be read")]
    Chain(#[source] ChainError),
    /// The verified leaf could not be read again.
    #[error("the peer's certificate cannot be read")]
    Peer(#[source] ParseError),
}

/// One set of credentials, ready for handshakes.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) mode: Mode,
    pub(super) generation: u64,
    pub(super) callers: Arc<CallerVerifier>,
    config: Arc<ServerConfig>,
    server_spki: SpkiDigest,
}

/// Changes what the acceptor serves with. New connections see a change at once; it starts closed.
pub struct CredentialsSwitch {
    live: watch::Sender<Option<Arc<Live>>>,
    domain: TrustDomain,
    clock: Arc<dyn Clock>,
}

/// Makes sessions out of connections.
#[derive(Debug, Clone)]
pub struct Acceptor {
    live: watch::Receiver<Option<Arc<Live>>>,
}

/// The agent's end, closed: until credentials are published, every connection is dropped without a word.
pub fn server(domain: TrustDomain, clock: Arc<dyn Clock>) -> (CredentialsSwitch, Acceptor) {
    let (sender, receiver) = watch::channel(None);
    (CredentialsSwitch { live: sender, domain, clock }, Acceptor { live: receiver })
}

impl CredentialsSwitch {
    /// Serves with these from the next connection on.
    ///
    /// # Errors
    /// They cannot be used; what was served with before stays.
    pub fn publish(&self, credentials: ServerCredentials) -> Result<(), TlsError> {
        let (mode, certificates, key, roots, revoked) = match credentials {
            ServerCredentials::Enrolment(enrolment) => {
                (Mode::Enrolment, vec![enrolment.certificate], enrolment.key, enrolment.roots, None)
            }
            ServerCredentials::Enrolled(enrolled) => (
                Mode::Enrolled,
                enrolled.chain.to_certificates(),
                enrolled.key,
                enrolled.roots,
                enrolled.revoked,
            ),
        };
        let callers = Arc::new(CallerVerifier {
            chains: ChainVerifier::new(&roots).map_err(TlsError::Roots)?,
            revoked,
            domain: self.domain.clone(),
            mode,
        });
        let server_spki = certificates.first().map(spki_digest).transpose().map_err(TlsError::Certificate)?;
        let config = server_builder(self.clock.clone())?
            .with_client_cert_verifier(callers.clone())
            .with_single_cert(certificates, PrivateKeyDer::Pkcs8(key.pkcs8()))
            .map_err(TlsError::Credentials)?;
        let config = finish_server(config);
        let server_spki = server_spki.unwrap_or(key.spki_digest());
        self.live.send_modify(|live| {
            let generation = live.as_ref().map_or(1, |live| live.generation.saturating_add(1));
            *live = Some(Arc::new(Live { mode, generation, callers, config, server_spki }));
        });
        Ok(())
    }

    /// Drops every new connection again, and refuses every further request on the open ones.
    pub fn close(&self) {
        self.live.send_replace(None);
    }
}

impl std::fmt::Debug for CredentialsSwitch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialsSwitch").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl Acceptor {
    /// What is served with now; `None` while closed.
    pub fn mode(&self) -> Option<Mode> {
        self.live.borrow().as_ref().map(|live| live.mode)
    }

    /// Shakes hands, within [`HANDSHAKE_TIMEOUT`]. `remote` is only carried along, for logs and the audit log.
    ///
    /// # Errors
    /// There is no session.
    pub async fn accept<IO>(
        &self,
        io: IO,
        remote: Option<SocketAddr>,
    ) -> Result<ServerStream<IO>, AcceptError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let live = self.live.borrow().clone().ok_or(AcceptError::Closed)?;
        let handshake = TlsAcceptor::from(live.config.clone()).accept(io).into_fallible();
        let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Err(_) => return Err(AcceptError::Timeout),
            Ok(Err((error, io))) => {
                linger(io).await;
                return Err(
                    PeerProblem::of(&error).map_or(AcceptError::Handshake(error), AcceptError::Refused)
                );
            }
            Ok(Ok(stream)) => stream,
        };
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() != Some(b"h2") {
            return Err(AcceptError::Protocol);
        }
        let certificates = session.peer_certificates().unwrap_or_default();
        let certificates = certificates.iter().map(|der| der.clone().into_owned()).collect();
        let chain = Chain::from_certificates(certificates).map_err(AcceptError::Chain)?;
        let info = PeerInfo {
            certificate: PeerCertificate::parse(&chain.leaf).map_err(AcceptError::Peer)?,
            chain: Arc::new(chain),
            mode: live.mode,
            server_spki: live.server_spki,
            remote,
            generation: live.generation,
            live: self.live.clone(),
        };
        Ok(ServerStream { stream, info })
    }
}

/// Lets the peer read the alert: a close with unread bytes in our buffer would reset the connection and may destroy it.
async fn linger<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO) {
    let until_closed = async {
        let mut unread = [0; 512];
        io.shutdown().await?;
        while io.read(&mut unread).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Whatever happens here, the connection is refused already.
    drop(tokio::time::timeout(LINGER, until_closed).await);
}
