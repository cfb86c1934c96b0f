//! Open connections from the ingress to a container, as its network namespace shows them.
//!
//! The ingress closes idle connections after three seconds, so what is open longer after a switch is a request.

use std::{net::Ipv4Addr, path::Path};

/// State 1 of a TCP socket in /proc.
const ESTABLISHED: &str = "01";

/// How many connections `from` has to `port` in the network namespace of the process; none when it is gone.
pub(super) fn open(proc: &Path, pid: u32, (from, port): (Ipv4Addr, u16)) -> u64 {
    let read = |name: &str| {
        fs_err::read_to_string(proc.join(pid.to_string()).join("net").join(name)).unwrap_or_default()
    };
    let count = |text: &str| text.lines().skip(1).filter(|line| is_from(line, (from, port))).count();
    u64::try_from(count(&read("tcp")).saturating_add(count(&read("tcp6")))).unwrap_or(u64::MAX)
}

/// `sl local_address rem_address st ...`, addresses in hexadecimal as the machine's words hold them.
fn is_from(line: &str, (from, port): (Ipv4Addr, u16)) -> bool {
    let mut fields = line.split_whitespace().skip(1);
    let (Some(local), Some(remote), Some(state)) = (fields.next(), fields.next(), fields.next()) else {
        return false;
    };
    let local_port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
    // The last word is the whole IPv4 address, in tcp6 of an IPv4-mapped one.
    let word = format!("{:08X}", u32::from_ne_bytes(from.octets()));
    let is_remote = remote.split_once(':').is_some_and(|(address, _)| address.ends_with(&word));
    state == ESTABLISHED && local_port == Some(port) && is_remote
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn established_connections_from_the_ingress_are_told() {
        let from = (Ipv4Addr::new(198, 18, 0, 2), 8000);
        let line = |remote: &str, state: &str| {
            format!("   0: 0A0012C6:1F40 {remote}:D431 {state} 00000000:00000000")
        };
        assert!(is_from(&line("020012C6", "01"), from));
        assert!(is_from(&line("0000000000000000FFFF0000020012C6", "01"), from));
        assert!(!is_from(&line("020012C6", "0A"), from));
        assert!(!is_from(&line("030012C6", "01"), from));
        assert!(!is_from(&line("020012C6", "01"), (from.0, 8001)));
    }
}
