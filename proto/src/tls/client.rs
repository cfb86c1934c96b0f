//! The controller's end: dials an address and believes exactly one agent there.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::{
    config::{TlsError, client_builder, finish_client},
    refusal::{ConnectError, Refusal},
    stream::ClientStream,
    verifiers::AgentVerifier,
};
use crate::{
    certificates::{
        Chain, ChainVerifier, PeerCertificate, PrivateKey, RevocationList, RootBundle, SpkiDigest,
        spki_digest,
    },
    clock::Clock,
    identity::Identity,
    limits::CONNECT_TIMEOUT,
};

/// A user's certificate and key.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The certificate and its issuer.
    pub chain: Chain,
    /// Its key.
    pub key: PrivateKey,
}

/// Which agent is believed.
#[derive(Debug, Clone)]
pub struct AgentTrust {
    /// Exactly this one.
    pub identity: Identity,
    /// Below one of these.
    pub roots: RootBundle,
    /// Not on this list.
    pub revoked: Option<RevocationList>,
    /// What about a certificate that ran out.
    pub expiry: Expiry,
}

/// How a certificate that ran out is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It is refused.
    Refuse,
    /// It is taken if its key is the recorded one: for `Renew` alone.
    RenewExpired {
        /// The key on record.
        recorded: SpkiDigest,
    },
}

/// Dials agents.
#[derive(Debug, Clone)]
pub struct Dialer {
    config: Arc<ClientConfig>,
    server: Server,
}

#[derive(Debug, Clone, Copy)]
enum Server {
    Verified,
    Anyone,
}

/// One TLS session with an agent. It does not reconnect by itself: a new session is a new [`Dialer::connect`].
#[derive(Debug, Clone)]
pub struct Connection {
    channel: Channel,
    server_spki: SpkiDigest,
    server: Option<PeerCertificate>,
    refusal: Arc<OnceLock<Refusal>>,
}

impl Connection {
    /// For generated clients.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The server's key in this session, for the enrolment proof and for the record.
    pub fn server_spki(&self) -> SpkiDigest {
        self.server_spki
    }

    /// The agent's verified certificate; `None` when the agent was dialled as not enrolled.
    pub fn server(&self) -> Option<&PeerCertificate> {
        self.server.as_ref()
    }

    /// Why the agent refused this client, if it did; to be asked when a call fails with `Unavailable` or `Unknown`.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.get().copied()
    }
}

impl Dialer {
    /// Dials an enrolled agent.
    ///
    /// # Errors
    /// Credentials or roots cannot be used.
    pub fn agent(
        client: &ClientCredentials,
        trust: AgentTrust,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let chains = Box::new(ChainVerifier::new(&trust.roots).map_err(TlsError::Roots)?);
        Self::new(client, AgentVerifier::Enrolled { chains, trust: Box::new(trust) }, clock)
    }

    /// Dials an agent that is not enrolled: any server certificate is taken, and only its key is told.
    ///
    /// # Errors
    /// The credentials cannot be used.
    pub fn unenrolled(client: &ClientCredentials, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        Self::new(client, AgentVerifier::Unenrolled, clock)
    }

    fn new(
        client: &ClientCredentials,
        verifier: AgentVerifier,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let server = match verifier {
            AgentVerifier::Enrolled { .. } => Server::Verified,
            AgentVerifier::Unenrolled => Server::Anyone,
        };
        let config = client_builder(clock)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(client.chain.to_certificates(), PrivateKeyDer::Pkcs8(client.key.pkcs8()))
            .map_err(TlsError::Credentials)?;
        Ok(Self { config: finish_client(config), server })
    }

    /// Dials an address, within [`CONNECT_TIMEOUT`].
    ///
    /// # Errors
    /// Nothing answers, or not the agent that is believed. That the agent refuses this client shows only with the first
    /// call: see [`Connection::refusal`].
    pub async fn connect(&self, address: SocketAddr) -> Result<Connection, ConnectError> {
        let dialled = async {
            let dial = |source| ConnectError::Dial { address, source };
            let tcp = TcpStream::connect(address).await.map_err(dial)?;
            tcp.set_nodelay(true).map_err(dial)?;
            self.connect_over(tcp).await
        };
        tokio::time::timeout(CONNECT_TIMEOUT, dialled).await.map_err(|_| ConnectError::Timeout { address })?
    }

    /// Shakes hands over a stream that is there already. The caller sets the deadline.
    ///
    /// # Errors
    /// As [`Dialer::connect`].
    pub async fn connect_over<IO>(&self, io: IO) -> Result<Connection, ConnectError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // rustls wants a name; ours are in the certificate, and none is sent.
        let name = ServerName::try_from("agent.invalid").map_err(|_| ConnectError::Protocol)?;
        let stream = TlsConnector::from(self.config.clone())
            .connect(name, io)
            .await
            .map_err(ConnectError::handshake)?;
        let (_, session) = stream.get_ref();
        let certificates = session.peer_certificates().unwrap_or_default();
        let leaf = certificates.first().ok_or(ConnectError::Protocol)?;
        if session.alpn_protocol() != Some(b"h2") {
            return Err(ConnectError::Protocol);
        }
        let server_spki = spki_digest(leaf).map_err(ConnectError::Server)?;
        let server = match self.server {
            Server::Verified => Some(PeerCertificate::parse(leaf).map_err(ConnectError::Server)?),
            // Whatever such a certificate says is nobody's word.
            Server::Anyone => None,
        };
        let refusal = Arc::new(OnceLock::new());
        let stream = ClientStream { stream, refusal: refusal.clone() };
        let channel = channel(stream).await.map_err(ConnectError::Http2)?;
        Ok(Connection { channel, server_spki, server, refusal })
    }
}

/// A channel over exactly this stream.
async fn channel<IO>(stream: ClientStream<IO>) -> Result<Channel, tonic::transport::Error>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let once = Mutex::new(Some(TokioIo::new(stream)));
    let connector = tower::service_fn(move |_: http::Uri| {
        let taken = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        std::future::ready(taken.ok_or_else(|| {
            std::io::Error::new(
                std::io::ErrorKind::NotConnected,
                "the connection to the agent is lost; connect again",
            )
        }))
    });
    Endpoint::from_static("http://agent.invalid")
        .http2_keep_alive_interval(std::time::Duration::from_secs(20))
        .keep_alive_timeout(std::time::Duration::from_secs(20))
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(32 * 1024)
        .connect_with_connector(connector)
        .await
}
