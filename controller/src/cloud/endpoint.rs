//! Where the API is: the real one unless the environment says otherwise, and never in clear text beyond this machine.

use std::{net::IpAddr, str::FromStr};

use url::{Host, Url};

/// Base address of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// An address that may not be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("`{text}` is not the address of an API; it looks like https://api.digitalocean.com")]
    NotAUrl {
        /// What was given.
        text: String,
        /// Why.
        #[source]
        source: url::ParseError,
    },
    /// The token would cross the network readable.
    #[error(
        "`{0}` is refused: without https the token could be read on the way; http is for this machine (127.0.0.1) only"
    )]
    ClearText(Url),
}

impl Endpoint {
    /// DigitalOcean's own.
    pub const REAL: &'static str = "https://api.digitalocean.com";

    /// The address of a path, `/v2/...`.
    pub(super) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    /// Whether it is on this machine, so: the sandbox.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let mut url =
            Url::parse(text).map_err(|source| EndpointError::NotAUrl { text: text.to_owned(), source })?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(EndpointError::ClearText(url));
        }
        let path = url.path().trim_end_matches('/').trim_end_matches("/v2").to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_is_for_this_machine_only() {
        for good in [
            "https://api.example.com",
            "http://127.0.0.1:8765",
            "http://127.9.9.9",
            "http://[::1]:1/",
            "http://localhost:1",
        ] {
            good.parse::<Endpoint>().unwrap();
        }
        for bad in [
            "http://api.digitalocean.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "api",
        ] {
            bad.parse::<Endpoint>().unwrap_err();
        }
    }

    #[test]
    fn paths_are_joined_with_or_without_v2() {
        for base in
            ["http://127.0.0.1:1", "http://127.0.0.1:1/", "http://127.0.0.1:1/v2", "http://127.0.0.1:1/v2/"]
        {
            let endpoint = base.parse::<Endpoint>().unwrap();
            assert_eq!(endpoint.join("/v2/account").as_str(), "http://127.0.0.1:1/v2/account");
        }
    }
}
