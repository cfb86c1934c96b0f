//! What every configuration has: provider, versions, protocol, time.

use std::{fmt, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, ConfigBuilder, ServerConfig, SupportedProtocolVersion, WantsVerifier,
    crypto::{CryptoProvider, aws_lc_rs},
    time_provider::TimeProvider,
    version::TLS13,
};
use rustls_pki_types::UnixTime;

use crate::{certificates::VerifyError, clock::Clock};

/// Credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// rustls refused certificate or key.
    #[error("the certificate and key cannot be used for TLS: they are damaged or do not belong together")]
    Credentials(#[source] rustls::Error),
    /// The versions could not be set.
    #[error("TLS 1.3 is not available")]
    Versions(#[source] rustls::Error),
    /// The roots cannot be used.
    #[error("the trusted roots cannot be used for TLS")]
    Roots(#[source] VerifyError),
    /// The server's own certificate cannot be read.
    #[error("the server's certificate cannot be read")]
    Certificate(#[source] crate::certificates::ParseError),
}

const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13];
const HTTP_2: &[u8] = b"h2";

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(super) fn server_builder(
    clock: Arc<dyn Clock>,
) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, TlsError> {
    ServerConfig::builder_with_details(provider(), Arc::new(Time(clock)))
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Versions)
}

pub(super) fn client_builder(
    clock: Arc<dyn Clock>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_details(provider(), Arc::new(Time(clock)))
        .with_protocol_versions(VERSIONS)
        .map_err(TlsError::Versions)
}

pub(super) fn finish_server(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![HTTP_2.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Arc::new(config)
}

pub(super) fn finish_client(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![HTTP_2.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    // Agents are known by identity, not by name: nothing to say in the clear.
    config.enable_sni = false;
    Arc::new(config)
}

/// The clock of this crate as rustls wants it.
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}
