//! Counts what is under way per peer address, so that one peer cannot use up what is there for all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// The counts; clones share them.
#[derive(Debug, Clone)]
pub(super) struct PerAddress {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    limit: usize,
}

/// Counts until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    network: IpAddr,
}

impl PerAddress {
    pub(super) fn new(limit: usize) -> Self {
        Self { counts: Arc::default(), limit }
    }

    /// `None` when the address has as many under way as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Counted> {
        let network = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_insert(0);
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Counted { counts: self.counts.clone(), network })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.network) {
            Some(count) if *count > 1 => *count -= 1,
            // The map holds only what is under way: it cannot grow with the number of peers ever seen.
            _ => drop(counts.remove(&self.network)),
        }
    }
}

/// In IPv6 a host has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let addresses = PerAddress::new(2);
        let first = addresses.enter(ip("192.0.2.1")).unwrap();
        let _second = addresses.enter(ip("::ffff:192.0.2.1")).unwrap();
        assert!(addresses.enter(ip("192.0.2.1")).is_none());
        assert!(addresses.enter(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(addresses.enter(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn a_network_counts_as_one_host_in_ipv6() {
        let addresses = PerAddress::new(1);
        let _one = addresses.enter(ip("2001:db8::1")).unwrap();
        assert!(addresses.enter(ip("2001:db8::ffff:2")).is_none());
        assert!(addresses.enter(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn nothing_is_kept_of_who_is_gone() {
        let addresses = PerAddress::new(4);
        let held: Vec<_> =
            (0..100_u8).map(|n| addresses.enter(IpAddr::from([192, 0, 2, n])).unwrap()).collect();
        drop(held);
        assert!(addresses.counts.lock().unwrap().is_empty());
    }
}
