//! `/etc/tidegate/agent.toml`: what cloud-init tells the agent.
//!
//! Owns the file's format and its defaults. Must not know what the settings do. Format: TOML; unknown keys are refused;
//! `fleet` and `environment` are required, everything else has a default.
//!
//! ```toml
//! fleet = "shop"
//! environment = "production"
//! listen = "[::]:7443"
//!
//! [ingress]
//! acme_email = "ops@example.com"                          # whom the certificate authority may write to
//! acme_directory = "https://acme.example.com/directory"   # another authority than Let's Encrypt
//! acme_root = "/etc/tidegate/acme-root.pem"               # by which its server is checked; the public roots by default
//! trusted_proxies = ["10.0.0.0/8"]                        # whose word about the client's address is taken
//! behind_balancer = true                                  # no certificates and redirects: the balancer has them
//! health_path = "/health"                                 # what the balancer asks, by any name
//!
//! [health]
//! cpu_percent = { warning = 80, critical = 95, for = "5m" }   # all keys: [`HealthConfig`]
//!
//! [metrics]
//! listen = "127.0.0.1:9477"                               # where `/metrics` is served, or "off"
//! ```

mod health;
mod ingress;
mod metrics;

use std::{
    net::{Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

pub use health::{HealthConfig, Limit};
pub use ingress::{AcmeDirectory, IngressConfig, Network};
pub use metrics::{MetricsConfig, MetricsListen};
use serde::Deserialize;
use tidegate_proto::{
    identity::TrustDomain,
    names::{EnvironmentName, FleetName},
    tls::Limits,
};

/// The settings in `agent.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fleet that this droplet belongs to.
    pub fleet: FleetName,
    /// The environment within the fleet.
    pub environment: EnvironmentName,
    /// Where the agent listens; an IPv6 wildcard takes IPv4 too.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where Docker's API is found.
    #[serde(default)]
    pub docker: DockerConfig,
    /// How the agent learns which droplet it runs on.
    #[serde(default)]
    pub droplet: DropletConfig,
    /// What takes requests from outside to the apps.
    #[serde(default)]
    pub ingress: IngressConfig,
    /// From when on something is told as not well.
    #[serde(default)]
    pub health: HealthConfig,
    /// Where measured values can be read.
    #[serde(default)]
    pub metrics: MetricsConfig,
    /// What the port bears before a certificate is verified, and after.
    #[serde(default)]
    pub limits: LimitsConfig,
}

/// `[docker]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DockerConfig {
    /// Docker's unix socket.
    pub socket: PathBuf,
    /// Docker's own configuration, which holds the logins at registries: `docker login` on the droplet writes it.
    pub logins: PathBuf,
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/docker.sock"), logins: PathBuf::from("/root/.docker/config.json") }
    }
}

/// `[droplet]`: other values are for tests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropletConfig {
    /// The file that holds the machine's serial number, which on a droplet is its id.
    pub dmi_serial: PathBuf,
    /// `host:port` of the metadata service, which answers `/metadata/v1/id` with the droplet's id.
    pub metadata: String,
}

impl Default for DropletConfig {
    fn default() -> Self {
        Self {
            dmi_serial: PathBuf::from("/sys/class/dmi/id/product_serial"),
            metadata: "169.254.169.254:80".to_owned(),
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Open connections at a time.
    pub connections: usize,
    /// TLS handshakes under way at a time.
    pub handshakes: usize,
    /// TLS handshakes under way at a time from one address.
    pub handshakes_per_address: usize,
    /// Calls at a time on one connection.
    pub streams_per_connection: u32,
}

impl LimitsConfig {
    /// What concerns connections.
    pub fn connections(&self) -> Limits {
        Limits {
            handshakes: self.handshakes,
            handshakes_per_address: self.handshakes_per_address,
            connections: self.connections,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let Limits { handshakes, handshakes_per_address, connections } = Limits::default();
        Self { connections, handshakes, handshakes_per_address, streams_per_connection: 64 }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 7443))
}

/// Why `agent.toml` was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read the agent's configuration")]
    Read(#[source] std::io::Error),
    /// The file is not what it should be.
    #[error("{} is not a valid configuration", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
    /// Keys of `[ingress]` that do not go together.
    #[error("{}: [ingress]: {why}", path.display())]
    Ingress {
        /// The file.
        path: PathBuf,
        /// Why, and what to write.
        why: &'static str,
    },
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key or a wrong value.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&fs_err::read_to_string(path).map_err(ConfigError::Read)?, path)
    }

    /// Checks `text`; `path` is named in errors.
    ///
    /// # Errors
    /// When it has an unknown key or a wrong value.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        config.ingress.check().map_err(|why| ConfigError::Ingress { path: path.to_owned(), why })?;
        Ok(config)
    }

    /// Fleet and environment.
    pub fn domain(&self) -> TrustDomain {
        TrustDomain { fleet: self.fleet.clone(), environment: self.environment.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("agent.toml"))
    }

    #[test]
    fn two_names_are_enough() {
        let config = parse("fleet = 'shop'\nenvironment = 'production'\n").unwrap();
        assert_eq!(config.listen.to_string(), "[::]:7443");
        assert_eq!(config.docker.socket, Path::new("/run/docker.sock"));
        assert_eq!(config.docker.logins, Path::new("/root/.docker/config.json"));
        assert_eq!(config.limits, LimitsConfig::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = parse("fleet = 'a'\nenvironment = 'b'\n[limits]\nconections = 5\n").unwrap_err();
        let text = format!("{:#}", anyhow::Error::new(error));
        assert!(text.contains("line 4") && text.contains("conections"), "{text}");
    }

    #[test]
    fn a_missing_or_impossible_name_is_refused() {
        assert!(matches!(parse("fleet = 'a'\n"), Err(ConfigError::Parse { .. })));
        for name in ["", "Shop", "1shop", "a b", "a/b", "abcdefghijabcdefghijabcdefghijab"] {
            let text = format!("fleet = {name:?}\nenvironment = 'b'\n");
            assert!(parse(&text).is_err(), "{name}");
        }
    }
}
