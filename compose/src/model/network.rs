//! Networks and ports.

use std::collections::BTreeMap;

use super::values::Options;

record! {
    /// A network of the project.
    Network = "network" {
        /// Its name in the engine.
        name: String = "name" omit,
        /// Its driver.
        driver: String = "driver" omit,
        /// Options of the driver.
        driver_opts: Options = "driver_opts" omit,
        /// Address management.
        ipam: Ipam = "ipam" keep,
        /// Made elsewhere: only looked up.
        external: bool = "external" omit,
        /// Without a way out.
        internal: bool = "internal" omit,
        /// Standalone containers may join (swarm).
        attachable: bool = "attachable" omit,
        /// Labels.
        labels: BTreeMap<String, String> = "labels" omit,
        /// Whether IPv4 addresses are given.
        enable_ipv4: Option<bool> = "enable_ipv4" omit,
        /// Whether IPv6 addresses are given.
        enable_ipv6: Option<bool> = "enable_ipv6" omit,
    }
}

record! {
    /// Address management of a network.
    Ipam = "network.ipam" {
        /// Its driver.
        driver: String = "driver" omit,
        /// The pools of addresses.
        config: Vec<IpamPool> = "config" omit,
    }
}

record! {
    /// A pool of addresses.
    IpamPool = "network.ipam.pool" {
        /// The subnet.
        subnet: String = "subnet" omit,
        /// The gateway.
        gateway: String = "gateway" omit,
        /// The part that is given out.
        ip_range: String = "ip_range" omit,
        /// Addresses that are taken.
        aux_addresses: BTreeMap<String, String> = "aux_addresses" omit,
    }
}

record! {
    /// How a service joins a network.
    ServiceNetwork = "service.network" {
        /// Further names of the service there.
        aliases: Vec<String> = "aliases" omit,
        /// Options of the driver.
        driver_opts: Options = "driver_opts" omit,
        /// Which network gives the default gateway.
        gw_priority: i64 = "gw_priority" omit,
        /// The interface's name in the container.
        interface_name: String = "interface_name" omit,
        /// A fixed IPv4 address.
        ipv4_address: String = "ipv4_address" omit,
        /// A fixed IPv6 address.
        ipv6_address: String = "ipv6_address" omit,
        /// Link-local addresses.
        link_local_ips: Vec<String> = "link_local_ips" omit,
        /// A fixed MAC address.
        mac_address: String = "mac_address" omit,
        /// Which network is joined first.
        priority: i64 = "priority" omit,
    }
}

record! {
    /// A published port.
    Port = "port" {
        /// A name for people.
        name: String = "name" omit,
        /// `ingress` or `host`.
        mode: String = "mode" omit,
        /// The host's address it listens on.
        host_ip: String = "host_ip" omit,
        /// The port in the container.
        target: u32 = "target" omit,
        /// The host's port or range; empty for any.
        published: String = "published" omit,
        /// `tcp` or `udp`.
        protocol: String = "protocol" omit,
        /// The protocol spoken over it.
        app_protocol: String = "app_protocol" omit,
    }
}
