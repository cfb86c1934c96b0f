//! `/etc/tidegate/agent.toml`: what cloud-init tells the agent.
//!
//! Owns the file's format and its defaults. Must not know what the settings do. Format: TOML; unknown keys are refused;
//! `fleet` and `environment` are required, everything else has a default.
//!
//! ```toml
//! fleet = "shop"
//! environment = "production"
//! listen = "[::]:7443"
//! ```

use std::{
    net::{Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

/// The settings in `agent.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fleet that this droplet belongs to.
    pub fleet: String,
    /// The environment within the fleet.
    pub environment: String,
    /// Where the agent listens; an IPv6 wildcard takes IPv4 too.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where Docker's API is found.
    #[serde(default)]
    pub docker: DockerConfig,
    /// How the agent learns which droplet it runs on.
    #[serde(default)]
    pub droplet: DropletConfig,
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
}

impl Default for DockerConfig {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/docker.sock") }
    }
}

/// `[droplet]`: other values are for tests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropletConfig {
    /// The file that holds the machine's serial number, which on a droplet is its id.
    pub dmi_serial: PathBuf,
    /// Answers with the droplet's id where the serial number does not.
    pub metadata_url: String,
}

impl Default for DropletConfig {
    fn default() -> Self {
        Self {
            dmi_serial: PathBuf::from("/sys/class/dmi/id/product_serial"),
            metadata_url: "http://169.254.169.254/metadata/v1/id".to_owned(),
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
    /// TLS handshakes begun per second.
    pub handshakes_per_second: u32,
    /// Seconds that one handshake may take.
    pub handshake_timeout_secs: u64,
    /// Calls at a time on one connection.
    pub streams_per_connection: u32,
}

impl LimitsConfig {
    /// How long one handshake may take.
    pub fn handshake_timeout(&self) -> Duration {
        Duration::from_secs(self.handshake_timeout_secs)
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 256,
            handshakes: 32,
            handshakes_per_second: 50,
            handshake_timeout_secs: 5,
            streams_per_connection: 64,
        }
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
    /// A name cannot be one.
    #[error(
        "{}: `{key}` is {value:?}: names are a lower-case letter, then up to 30 lower-case letters, digits or hyphens",
        path.display()
    )]
    Name {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What it says.
        value: String,
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
        for (key, value) in [("fleet", &config.fleet), ("environment", &config.environment)] {
            if !is_name(value) {
                return Err(ConfigError::Name { path: path.to_owned(), key, value: value.clone() });
            }
        }
        Ok(config)
    }
}

/// `[a-z][a-z0-9-]{0,30}`
fn is_name(text: &str) -> bool {
    text.len() <= 31
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
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
            assert!(matches!(parse(&text), Err(ConfigError::Name { key: "fleet", .. })), "{name}");
        }
    }
}
