//! Where programs listen in the network of the Docker daemon: the droplet's own. Ports that they hold cannot be published.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::net::UnixStream,
    path::Path,
};

use super::Docker;

/// A socket that waits for what comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostListener {
    /// Its address; unspecified for all.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// "tcp" or "udp".
    pub protocol: &'static str,
}

/// States in /proc of a TCP socket that listens and of a UDP socket that is not connected.
const TABLES: &[(&str, &str, &str)] =
    &[("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07")];

impl Docker {
    /// All that listen; none where the kernel does not tell. It only helps to refuse early: Docker has the last word.
    pub async fn host_listeners(&self) -> Vec<HostListener> {
        let socket = self.socket().to_owned();
        tokio::task::spawn_blocking(move || look(&socket).unwrap_or_default()).await.unwrap_or_default()
    }
}

fn look(socket: &Path) -> std::io::Result<Vec<HostListener>> {
    let daemon = rustix::net::sockopt::socket_peercred(UnixStream::connect(socket)?)?;
    let folder = Path::new("/proc").join(daemon.pid.as_raw_nonzero().to_string()).join("net");
    let mut found = Vec::new();
    for (file, protocol, state) in TABLES {
        let table = fs_err::read_to_string(folder.join(file)).unwrap_or_default();
        found.extend(table.lines().skip(1).filter_map(|line| listener(line, (protocol, state))));
    }
    Ok(found)
}

/// `sl local_address rem_address st ...`, addresses in hexadecimal as the machine's words hold them.
fn listener(line: &str, (protocol, wanted): (&'static str, &str)) -> Option<HostListener> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, _remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    (state == wanted).then_some(HostListener { address: address_of(address)?, port, protocol })
}

fn address_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at.saturating_mul(8)..at.saturating_add(1).saturating_mul(8))?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let [a, b, c, d] = [word(0)?, word(1)?, word(2)?, word(3)?];
    let bytes: Vec<u8> = [a, b, c, d].concat();
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn what_listens_is_told_from_what_talks() {
        let of = |line: &str| listener(line, ("tcp", "0A"));
        let found = of("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1")
            .unwrap();
        assert_eq!((found.address, found.port), ("127.0.0.1".parse().unwrap(), 8080));
        let found = of("   1: 00000000000000000000000000000000:0050 0:0 0A").unwrap();
        assert!(found.address.is_unspecified() && found.port == 80);
        let found = of("   2: 0000000000000000FFFF00000100007F:0050 0:0 0A").unwrap();
        assert_eq!(found.address, "127.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(of("   3: 0100007F:1F90 0100007F:A001 01"), None);
    }
}
