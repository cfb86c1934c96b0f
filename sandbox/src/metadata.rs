//! What a droplet is told about itself by the metadata service (`http://169.254.169.254/metadata/`): one JSON document,
//! `v1.json`, and below `v1/` the same as a tree of plain texts. Pure: a driver serves it. Hardware addresses are derived
//! from the droplet's id here, and the driver gives its devices the same.
//!
//! There is no token on this service: whatever is in the user data, every process on the droplet can read.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use crate::{domain::cidr::Cidr, machine::MachineSpec};

/// What the guest's network gives every droplet, beside its own addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestNet {
    /// Gateway of the public interface.
    pub gateway: Ipv4Addr,
    /// Prefix length of the public interface's network.
    pub prefix: u8,
    /// Name servers.
    pub nameservers: Vec<Ipv4Addr>,
    /// The provider's own cloud-config; it has to allow root to log in by key, as DigitalOcean's does.
    pub vendor_data: String,
}

impl Default for GuestNet {
    fn default() -> Self {
        Self {
            gateway: Ipv4Addr::new(203, 0, 113, 1),
            prefix: 24,
            nameservers: vec![Ipv4Addr::new(203, 0, 113, 3)],
            vendor_data: "#cloud-config\ndisable_root: false\n".to_owned(),
        }
    }
}

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 with this plain text.
    Text(String),
    /// 200 with this JSON document.
    Json(Value),
    /// 301 to this path.
    Redirect(String),
    /// 404.
    NotFound,
}

/// Hardware address of the public interface.
pub fn public_mac(droplet_id: u64) -> String {
    mac([0x04, 0x01], droplet_id)
}

/// Hardware address of the private interface.
pub fn private_mac(droplet_id: u64) -> String {
    mac([0x06, 0x01], droplet_id)
}

fn mac(kind: [u8; 2], droplet_id: u64) -> String {
    let bytes = droplet_id.to_be_bytes();
    let digits: Vec<String> =
        kind.iter().chain(bytes.iter().skip(4)).map(|byte| format!("{byte:02x}")).collect();
    digits.join(":")
}

/// `/metadata/v1.json`.
pub fn v1_json(spec: &MachineSpec, net: &GuestNet) -> Value {
    let mut interfaces = Map::new();
    interfaces.insert("public".to_owned(), json!([public_interface(spec, net).json("public")]));
    if let Some(private) = private_interface(spec) {
        interfaces.insert("private".to_owned(), json!([private.json("private")]));
    }
    let unassigned = json!({"ipv4": {"active": false}});
    json!({
        "droplet_id": spec.droplet_id,
        "hostname": spec.hostname,
        "user_data": spec.user_data,
        "vendor_data": net.vendor_data,
        "public_keys": spec.public_keys,
        "auth_key": "",
        "region": spec.region,
        "interfaces": interfaces,
        "floating_ip": unassigned,
        "reserved_ip": unassigned,
        "dns": {"nameservers": net.nameservers},
        "tags": spec.tags,
        "features": {"dhcp_enabled": false, "vpc_peering_enabled": false},
    })
}

/// Answers a GET of `path`, which begins with `/`; a query is not part of it.
pub fn lookup(spec: &MachineSpec, net: &GuestNet, path: &str) -> Answer {
    if path == "/metadata/v1.json" {
        return Answer::Json(v1_json(spec, net));
    }
    let Some(rest) = path.strip_prefix("/metadata/v1") else {
        return Answer::NotFound;
    };
    if !rest.is_empty() && !rest.starts_with('/') {
        return Answer::NotFound;
    }
    let mut node = &tree(spec, net);
    for name in rest.split('/').filter(|name| !name.is_empty()) {
        let Node::Index(children) = node else {
            return Answer::NotFound;
        };
        match children.iter().find(|(known, _)| known == name) {
            Some((_, child)) => node = child,
            None => return Answer::NotFound,
        }
    }
    match node {
        Node::Text(_) if rest.ends_with('/') => Answer::NotFound,
        Node::Text(text) => Answer::Text(text.clone()),
        Node::Index(_) if !rest.ends_with('/') => Answer::Redirect(format!("{path}/")),
        Node::Index(children) => Answer::Text(index(children)),
    }
}

enum Node {
    Text(String),
    Index(Vec<(String, Node)>),
}

fn text<T: ToString + ?Sized>(value: &T) -> Node {
    Node::Text(value.to_string())
}

fn dir<const N: usize>(children: [(&str, Node); N]) -> Node {
    Node::Index(children.into_iter().map(|(name, node)| (name.to_owned(), node)).collect())
}

fn index(children: &[(String, Node)]) -> String {
    let lines: Vec<String> = children
        .iter()
        .map(|(name, node)| match node {
            Node::Text(_) => name.clone(),
            Node::Index(_) => format!("{name}/"),
        })
        .collect();
    lines.join("\n")
}

fn tree(spec: &MachineSpec, net: &GuestNet) -> Node {
    let lines = |values: &[Ipv4Addr]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let mut interfaces =
        vec![("public".to_owned(), dir([("0", public_interface(spec, net).node("public"))]))];
    if let Some(private) = private_interface(spec) {
        interfaces.push(("private".to_owned(), dir([("0", private.node("private"))])));
    }
    let unassigned = || dir([("ipv4", dir([("active", text("false"))]))]);
    let tags = spec.tags.iter().map(|tag| (tag.clone(), text(tag))).collect();
    dir([
        ("id", text(&spec.droplet_id)),
        ("hostname", text(&spec.hostname)),
        ("user-data", text(&spec.user_data)),
        ("vendor-data", text(&net.vendor_data)),
        ("public-keys", text(&spec.public_keys.join("\n"))),
        ("region", text(&spec.region)),
        ("interfaces", Node::Index(interfaces)),
        ("dns", dir([("nameservers", text(&lines(&net.nameservers)))])),
        ("floating_ip", unassigned()),
        ("reserved_ip", unassigned()),
        ("tags", Node::Index(tags)),
        ("features", dir([("dhcp_enabled", text("false"))])),
    ])
}

/// A network interface of the guest.
struct Interface {
    mac: String,
    address: Ipv4Addr,
    netmask: Ipv4Addr,
    gateway: Ipv4Addr,
}

impl Interface {
    fn json(&self, kind: &str) -> Value {
        let ipv4 = json!({"ip_address": self.address, "netmask": self.netmask, "gateway": self.gateway});
        json!({"ipv4": ipv4, "mac": self.mac, "type": kind})
    }

    fn node(&self, kind: &str) -> Node {
        let ipv4 = dir([
            ("address", text(&self.address)),
            ("netmask", text(&self.netmask)),
            ("gateway", text(&self.gateway)),
        ]);
        dir([("mac", text(&self.mac)), ("type", text(kind)), ("ipv4", ipv4)])
    }
}

fn public_interface(spec: &MachineSpec, net: &GuestNet) -> Interface {
    Interface {
        mac: public_mac(spec.droplet_id),
        address: spec.guest_address,
        netmask: Cidr::containing(spec.guest_address, net.prefix).netmask(),
        gateway: net.gateway,
    }
}

/// Nothing routes out of a VPC, but the key is mandatory; the real service gives the first address of the range.
fn private_interface(spec: &MachineSpec) -> Option<Interface> {
    let vpc = spec.vpc.as_ref()?;
    let range = Cidr::containing(vpc.address, vpc.prefix);
    Some(Interface {
        mac: private_mac(spec.droplet_id),
        address: vpc.address,
        netmask: range.netmask(),
        gateway: range.nth(1).unwrap_or(range.network()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::VpcAttachment;

    fn spec() -> MachineSpec {
        MachineSpec {
            droplet_id: 520_000_001,
            hostname: "shop-production-web-1".to_owned(),
            address: Ipv4Addr::new(127, 0, 1, 10),
            guest_address: Ipv4Addr::new(203, 0, 113, 10),
            vpc: Some(VpcAttachment { id: "v".to_owned(), address: Ipv4Addr::new(10, 20, 0, 2), prefix: 20 }),
            vcpus: 1,
            memory_mib: 1024,
            disk_gib: 25,
            image: "debian-13-x64".to_owned(),
            public_keys: vec!["ssh-ed25519 AAAA a".to_owned(), "ssh-ed25519 BBBB b".to_owned()],
            user_data: "#cloud-config\n".to_owned(),
            region: "fra1".to_owned(),
            tags: vec!["tidegate:shop:production".to_owned()],
        }
    }

    fn get(path: &str) -> Answer {
        lookup(&spec(), &GuestNet::default(), path)
    }

    #[test]
    fn the_document_has_what_cloud_init_reads() {
        let Answer::Json(json) = get("/metadata/v1.json") else { panic!("no document") };
        assert_eq!(json["droplet_id"], 520_000_001);
        assert_eq!(json["interfaces"]["public"][0]["ipv4"]["ip_address"], "203.0.113.10");
        assert_eq!(json["interfaces"]["public"][0]["mac"], public_mac(520_000_001));
        assert_eq!(json["interfaces"]["private"][0]["ipv4"]["netmask"], "255.255.240.0");
        assert_eq!(json["dns"]["nameservers"][0], "203.0.113.3");
        assert_eq!(json["vendor_data"], "#cloud-config\ndisable_root: false\n");
    }

    #[test]
    fn without_a_vpc_there_is_no_private_interface() {
        let spec = MachineSpec { vpc: None, ..spec() };
        let json = v1_json(&spec, &GuestNet::default());
        assert!(json["interfaces"].get("private").is_none());
        let listed = lookup(&spec, &GuestNet::default(), "/metadata/v1/interfaces/");
        assert_eq!(listed, Answer::Text("public/".to_owned()));
    }

    #[test]
    fn the_tree_tells_the_same() {
        assert_eq!(get("/metadata/v1/id"), Answer::Text("520000001".to_owned()));
        assert_eq!(
            get("/metadata/v1/public-keys"),
            Answer::Text("ssh-ed25519 AAAA a\nssh-ed25519 BBBB b".to_owned())
        );
        assert_eq!(
            get("/metadata/v1/interfaces/public/0/ipv4/address"),
            Answer::Text("203.0.113.10".to_owned())
        );
        assert_eq!(get("/metadata/v1/interfaces/private/0/type"), Answer::Text("private".to_owned()));
        assert_eq!(get("/metadata/v1/tags/"), Answer::Text("tidegate:shop:production".to_owned()));
        let Answer::Text(index) = get("/metadata/v1/") else { panic!("no index") };
        assert!(index.lines().any(|line| line == "interfaces/"), "{index}");
    }

    #[test]
    fn an_index_without_its_slash_redirects_and_the_unknown_is_not_found() {
        assert_eq!(get("/metadata/v1"), Answer::Redirect("/metadata/v1/".to_owned()));
        assert_eq!(get("/metadata/v1/interfaces"), Answer::Redirect("/metadata/v1/interfaces/".to_owned()));
        for path in [
            "/",
            "/metadata/v2.json",
            "/metadata/v1x/id",
            "/metadata/v1/nothing",
            "/metadata/v1/id/",
            "/metadata/v1/id/x",
        ] {
            assert_eq!(get(path), Answer::NotFound, "{path}");
        }
    }

    #[test]
    fn hardware_addresses_differ() {
        assert_eq!(public_mac(520_000_001), "04:01:1e:fe:92:01");
        assert_ne!(public_mac(1), private_mac(1));
        assert_ne!(public_mac(1), public_mac(2));
    }
}
