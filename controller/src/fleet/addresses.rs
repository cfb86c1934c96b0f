//! Where traffic may come from: `anywhere`, an address, a network, or a group of `[addresses]`.

use std::{fmt, net::IpAddr, str::FromStr};

/// One source of a rule, groups resolved to their networks but still called by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// All of IPv4 and IPv6.
    Anywhere,
    /// One network.
    Network(Network),
    /// A group of `[addresses]` and its networks.
    Group(String, Vec<Network>),
}

/// An address with a prefix length; a lone address has the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A text that is not an address or network.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address or network such as 198.51.100.7 or 198.51.100.0/24")]
pub struct SourceError(String);

impl FromStr for Network {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let wrong = || SourceError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse::<u8>().ok().filter(|p| *p <= longest).ok_or_else(wrong)?,
            None => longest,
        };
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lone = self.prefix == if self.address.is_ipv4() { 32 } else { 128 };
        if lone { write!(f, "{}", self.address) } else { write!(f, "{}/{}", self.address, self.prefix) }
    }
}

impl Source {
    /// CIDRs for the API.
    pub fn cidrs(&self) -> Vec<String> {
        match self {
            Self::Anywhere => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
            Self::Network(network) => vec![network.to_string()],
            Self::Group(_, networks) => networks.iter().map(Network::to_string).collect(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere => f.write_str("anywhere"),
            Self::Network(network) => network.fmt(f),
            Self::Group(name, _) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_parsed_and_printed_as_the_api_writes_them() {
        for (text, printed) in [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.7/32", "198.51.100.7"),
            ("198.51.100.0/24", "198.51.100.0/24"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), printed);
        }
        for bad in ["", "admins", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
