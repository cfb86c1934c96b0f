//! `[metrics]`: where measured values can be read. Format: see [`super`].

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Where `/metrics` is served.
    pub listen: MetricsListen,
}

/// An address, or `off`.
///
/// Whoever reaches the address reads everything there, over plain HTTP and without a name: so it is loopback unless
/// somebody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum MetricsListen {
    /// Nowhere.
    Off,
    /// There.
    At(SocketAddr),
}

impl Default for MetricsListen {
    fn default() -> Self {
        Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 9477)))
    }
}

impl TryFrom<String> for MetricsListen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address: SocketAddr = text.parse().map_err(|_| {
            format!("{text:?} is not where metrics can be read: write an address and a port, such as \"127.0.0.1:9477\", or \"off\"")
        })?;
        // There is no door on it, so every address of the droplet at once is nothing to be had by a typing error.
        if address.ip().is_unspecified() {
            return Err(format!(
                "{text:?} would show the metrics to whoever reaches any of the droplet's addresses: write the one address they are for, such as the droplet's in the VPC"
            ));
        }
        Ok(Self::At(address))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn parse(keys: &str) -> Result<MetricsListen, String> {
        let text = format!("fleet = 'a'\nenvironment = 'b'\n[metrics]\n{keys}\n");
        let config = Config::parse(&text, Path::new("agent.toml"));
        config.map(|config| config.metrics.listen).map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    }

    #[test]
    fn metrics_are_on_loopback_unless_somebody_says_otherwise() {
        let at = |address: &str| Ok(MetricsListen::At(address.parse().unwrap()));
        assert_eq!(parse(""), at("127.0.0.1:9477"));
        assert_eq!(parse("listen = 'off'"), Ok(MetricsListen::Off));
        assert_eq!(parse("listen = '10.20.0.3:9477'"), at("10.20.0.3:9477"));
        assert_eq!(parse("listen = '[::1]:9000'"), at("[::1]:9000"));
        for (keys, why) in [
            ("listen = '0.0.0.0:9477'", "whoever reaches any of the droplet's addresses"),
            ("listen = '[::]:9477'", "whoever reaches any of the droplet's addresses"),
            ("listen = 'localhost'", "\"127.0.0.1:9477\", or \"off\""),
            ("listen = 9477", "invalid type"),
            ("port = 9477", "unknown field `port`"),
        ] {
            let error = parse(keys).unwrap_err();
            assert!(error.contains(why), "{keys}: {error}");
        }
    }
}
