//! `[ingress]`: how the ingress stands towards the world. Format: see [`super`].

use std::{net::IpAddr, path::PathBuf};

use serde::Deserialize;

/// `[ingress]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngressConfig {
    /// Caddy's image.
    pub image: String,
    /// Directory of the ACME authority, an `https` URL; by default Let's Encrypt's.
    pub acme_directory: Option<AcmeDirectory>,
    /// Whom the authority may write to.
    pub acme_email: Option<String>,
    /// Root certificates in PEM by which the authority's server is checked; by default the public ones.
    pub acme_root: Option<PathBuf>,
    /// Networks whose word about the client's address is taken.
    pub trusted_proxies: Vec<Network>,
    /// Whether a balancer stands before the ingress and has the certificates.
    pub behind_balancer: bool,
    /// The path that a balancer asks for its health check.
    pub health_path: String,
}

/// An IP network, such as `10.0.0.0/8`; a single address is one too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(String);

impl Network {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (address, bits) = text.split_once('/').unwrap_or((&text, "0"));
        let most = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return Err(format!("{text:?} is not a network; write one like 10.0.0.0/8")),
        };
        match bits.parse::<u8>() {
            Ok(bits) if bits <= most => Ok(Self(text)),
            _ => Err(format!("{text:?} is not a network: behind the slash stands a number up to {most}")),
        }
    }
}

/// The URL of an ACME authority's directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AcmeDirectory(String);

impl AcmeDirectory {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AcmeDirectory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.strip_prefix("https://") {
            Some(rest) if !rest.is_empty() && !text.contains(['{', ' ']) => Ok(Self(text)),
            _ => Err(format!("{text:?} is not the directory of an ACME authority: it begins with https://")),
        }
    }
}

impl IngressConfig {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.behind_balancer && self.trusted_proxies.is_empty() {
            return Err(
                "behind_balancer needs trusted_proxies: the networks that the balancer's requests come from, such as [\"10.20.0.0/16\"]",
            );
        }
        if !self.health_path.starts_with('/') || self.health_path.contains(['{', '*', '?']) {
            return Err("health_path is a path such as \"/health\"");
        }
        Ok(())
    }
}

impl Default for IngressConfig {
    fn default() -> Self {
        Self {
            image: "caddy:2".to_owned(),
            acme_directory: None,
            acme_email: None,
            acme_root: None,
            trusted_proxies: Vec::new(),
            behind_balancer: false,
            health_path: "/health".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, ConfigError};

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("agent.toml"))
    }

    #[test]
    fn the_ingress_is_told_how_it_stands_towards_the_world() {
        let text = |keys: &str| format!("fleet = 'a'\nenvironment = 'b'\n[ingress]\n{keys}\n");
        let config =
            parse(&text("trusted_proxies = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1']\nbehind_balancer = true"));
        assert_eq!(config.unwrap().ingress.trusted_proxies.len(), 3);
        assert!(parse(&text("acme_directory = 'https://acme.example.com/dir'")).is_ok());
        for wrong in [
            "behind_balancer = true",
            "trusted_proxies = ['10.0.0.0/33']",
            "trusted_proxies = ['anywhere']",
            "acme_directory = 'http://acme.example.com'",
            "health_path = 'health'",
        ] {
            assert!(parse(&text(wrong)).is_err(), "{wrong}");
        }
    }
}
