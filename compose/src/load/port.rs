//! The short syntax of ports: `[address:][host[-host]:]container[-container][/protocol]`.

use std::net::IpAddr;

/// The text is not a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The address is not one.
    #[error("invalid address {address:?} in port {spec:?}; write IPv6 addresses in brackets")]
    Address {
        /// The text.
        spec: String,
        /// The address.
        address: String,
    },
    /// There is no container port.
    #[error("port {spec:?} lacks the container's port")]
    Missing {
        /// The text.
        spec: String,
    },
    /// A port is not a number, or a range is not one.
    #[error("{text:?} in port {spec:?} is no port or range of ports from 0 to 65535")]
    Range {
        /// The text.
        spec: String,
        /// The part.
        text: String,
    },
    /// The ranges have different lengths.
    #[error("port {spec:?} has ranges of different lengths for host and container")]
    Lengths {
        /// The text.
        spec: String,
    },
    /// The protocol is unknown.
    #[error("unknown protocol {protocol:?} in port {spec:?}; known are tcp, udp and sctp")]
    Protocol {
        /// The text.
        spec: String,
        /// The protocol.
        protocol: String,
    },
}

/// One published port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortPort {
    /// The host's address; empty for all.
    pub host_ip: String,
    /// The container's port.
    pub target: u16,
    /// The host's port or range; empty for any.
    pub published: String,
    /// The protocol, in lower case.
    pub protocol: String,
}

/// Takes a port in short syntax apart; a range gives several, in the order of their texts.
///
/// # Errors
/// When a part is not what it should be.
pub fn parse(spec: &str) -> Result<Vec<ShortPort>, PortError> {
    let (address, host, container) = sections(spec);
    let (container, protocol) = protocol(container);
    let host_ip = host_address(spec, &address)?;
    if container.is_empty() {
        return Err(PortError::Missing { spec: spec.to_owned() });
    }
    let (start, end) = range(spec, container)?;
    let published = if host.is_empty() { None } else { Some(range(spec, host)?) };
    if let Some((low, high)) = published
        && high - low != end - start
        && start != end
    {
        return Err(PortError::Lengths { spec: spec.to_owned() });
    }
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(PortError::Protocol { spec: spec.to_owned(), protocol });
    }
    let mut ports: Vec<ShortPort> = (start..=end)
        .map(|target| ShortPort {
            host_ip: host_ip.clone(),
            target,
            published: published.map_or_else(String::new, |(low, high)| {
                let port = u32::from(low) + u32::from(target - start);
                // One container port and a range of the host: the engine picks one.
                if start == end && low != high { format!("{port}-{high}") } else { port.to_string() }
            }),
            protocol: protocol.clone(),
        })
        .collect();
    ports.sort_by_cached_key(|port| port.target.to_string());
    Ok(ports)
}

fn sections(spec: &str) -> (String, &str, &str) {
    let parts: Vec<&str> = spec.split(':').collect();
    match parts.as_slice() {
        [address @ .., host, container] => (address.join(":"), host, container),
        [container] => (String::new(), "", container),
        [] => (String::new(), "", ""),
    }
}

fn protocol(container: &str) -> (&str, &str) {
    let mut parts = container.split('/');
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("", _) => ("", ""),
        (port, None | Some("")) => (port, "tcp"),
        (port, Some(protocol)) => (port, protocol),
    }
}

fn host_address(spec: &str, address: &str) -> Result<String, PortError> {
    let fail = || PortError::Address { spec: spec.to_owned(), address: address.to_owned() };
    let bare = match address.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(fail)?,
        None if address.contains(':') => return Err(fail()),
        None => address,
    };
    if !bare.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(fail());
    }
    Ok(bare.to_owned())
}

fn range(spec: &str, text: &str) -> Result<(u16, u16), PortError> {
    let fail = || PortError::Range { spec: spec.to_owned(), text: text.to_owned() };
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u16>().ok().filter(|_| digits).ok_or_else(fail)
    };
    let mut parts = text.split('-');
    let start = number(parts.next().unwrap_or_default())?;
    let end = parts.next().map_or(Ok(start), number)?;
    if end < start { Err(fail()) } else { Ok((start, end)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(spec: &str) -> Vec<String> {
        let ports = parse(spec).unwrap();
        ports.iter().map(|p| format!("{}|{}|{}|{}", p.host_ip, p.published, p.target, p.protocol)).collect()
    }

    #[test]
    fn short_ports() {
        assert_eq!(show("80"), ["||80|tcp"]);
        assert_eq!(show("8080:80/UDP"), ["|8080|80|udp"]);
        assert_eq!(show("127.0.0.1::80"), ["127.0.0.1||80|tcp"]);
        assert_eq!(show("[::1]:1:80"), ["::1|1|80|tcp"]);
        assert_eq!(show("8000-8005:80"), ["|8000-8005|80|tcp"]);
        assert_eq!(show("7-8:9-10"), ["|8|10|tcp", "|7|9|tcp"]);
    }

    #[test]
    fn malformed_ports() {
        for spec in ["abc:80", "80:", "1:2:80", "::1:80:80", "80-81:8000-8002", "80/x", "9-8", "65536"] {
            assert!(parse(spec).is_err(), "{spec}");
        }
    }
}
