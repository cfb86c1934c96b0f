//! The subnets of the apps' ingress networks. Pure.
//!
//! They come from 198.18.0.0/15, which is set aside for measuring devices (RFC 2544) and routed nowhere: neither a VPC nor
//! Docker's own pools use it. Each app has one /24.

use std::net::Ipv4Addr;

const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const COUNT: u32 = 512;
const MASK_BITS: u32 = 24;

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Net {
    base: u32,
    bits: u32,
}

impl Net {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: Ipv4Addr = address.parse().ok()?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self { base: u32::from(address), bits })
    }

    fn overlaps(self, other: Self) -> bool {
        let bits = self.bits.min(other.bits);
        let shift = 32_u32.saturating_sub(bits);
        self.base.checked_shr(shift).unwrap_or(0) == other.base.checked_shr(shift).unwrap_or(0)
    }
}

/// The first free subnet, given those in use; `skip` passes over that many, after one turned out to be taken.
pub fn free<'s>(in_use: impl Iterator<Item = &'s str>, skip: usize) -> Option<String> {
    let taken: Vec<Net> = in_use.filter_map(Net::parse).collect();
    let all = (0..COUNT).map(|n| Net { base: FIRST.saturating_add(n << 8), bits: MASK_BITS });
    let mut open = all.filter(|net| !taken.iter().any(|other| other.overlaps(*net)));
    open.nth(skip).map(|net| format!("{}/{MASK_BITS}", Ipv4Addr::from(net.base)))
}

/// The address of a place in a subnet.
pub fn address(subnet: &str, slot: u8) -> Option<Ipv4Addr> {
    let net = Net::parse(subnet).filter(|net| net.bits <= MASK_BITS)?;
    Some(Ipv4Addr::from((net.base & 0xffff_ff00) | u32::from(slot)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_one_is_taken() {
        assert_eq!(free([].into_iter(), 0).unwrap(), "198.18.0.0/24");
        assert_eq!(free(["198.18.0.0/23", "10.0.0.0/8"].into_iter(), 0).unwrap(), "198.18.2.0/24");
        assert_eq!(free(["198.18.1.128/25"].into_iter(), 1).unwrap(), "198.18.2.0/24");
        assert_eq!(free(["0.0.0.0/0"].into_iter(), 0), None);
    }

    #[test]
    fn a_place_has_an_address() {
        assert_eq!(address("198.18.3.0/24", 10), Some(Ipv4Addr::new(198, 18, 3, 10)));
        assert_eq!(address("fd00::/64", 10), None);
    }
}
