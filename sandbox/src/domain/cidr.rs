//! IPv4 ranges as VPCs use them.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IPv4 range in CIDR notation, host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    network: u32,
    prefix: u8,
}

/// A text that is not an IPv4 range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IPv4 range in CIDR notation with all host bits zero")]
pub struct NotACidr;

impl Cidr {
    /// The range of `prefix` bits that holds `address`.
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Self { network: u32::from(address) & mask, prefix }
    }

    /// Its length in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Its first address.
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network)
    }

    /// The mask, dotted.
    pub fn netmask(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0))
    }

    /// The address at this distance from the first one, if it is inside.
    pub fn nth(self, distance: u32) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from(self.network.checked_add(distance)?);
        (Self::containing(address, self.prefix) == self).then_some(address)
    }

    /// The last address.
    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network | !u32::from(self.netmask()))
    }

    /// Whether the two have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix.min(other.prefix);
        Self::containing(self.network(), shorter) == Self::containing(other.network(), shorter)
    }

    /// Whether it lies in one of the private ranges of RFC 1918.
    pub fn is_private(self) -> bool {
        self.network().is_private() && self.last().is_private()
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let (address, prefix) = text.split_once('/').ok_or(NotACidr)?;
        let address: Ipv4Addr = address.parse().map_err(|_| NotACidr)?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or(NotACidr)?;
        let range = Self::containing(address, prefix);
        if range.network() == address { Ok(range) } else { Err(NotACidr) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn overlap_is_symmetric_and_exact() {
        for (a, b, expected) in [
            ("10.0.0.0/16", "10.0.255.0/24", true),
            ("10.0.0.0/24", "10.0.1.0/24", false),
            ("10.20.0.0/20", "10.20.16.0/20", false),
            ("192.168.0.0/16", "10.0.0.0/16", false),
        ] {
            assert_eq!(cidr(a).overlaps(cidr(b)), expected, "{a} {b}");
            assert_eq!(cidr(b).overlaps(cidr(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn host_bits_must_be_zero() {
        assert_eq!("10.0.0.1/24".parse::<Cidr>(), Err(NotACidr));
        assert_eq!("10.0.0.0/33".parse::<Cidr>(), Err(NotACidr));
        assert_eq!(cidr("10.0.16.0/20").to_string(), "10.0.16.0/20");
    }

    #[test]
    fn addresses_stay_inside() {
        let range = cidr("10.0.0.0/28");
        assert_eq!(range.nth(15), Some(Ipv4Addr::new(10, 0, 0, 15)));
        assert_eq!(range.nth(16), None);
        assert_eq!(range.last(), Ipv4Addr::new(10, 0, 0, 15));
        assert!(range.is_private());
        assert!(!cidr("10.0.0.0/7").is_private());
        assert!(!cidr("203.0.113.0/24").is_private());
    }
}
