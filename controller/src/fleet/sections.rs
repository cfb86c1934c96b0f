//! What each section of the file may hold. The keys here are the reference; README and `init` follow them.

use std::{collections::BTreeMap, num::NonZeroU32, ops::Range, str::FromStr, time::Duration};

use url::Url;

use super::{
    addresses::{Network, Source},
    model::{AgentSource, App, Firewall, Inbound, Located, Ports, Protocol, Role, Rollout, Ssh},
    reader::Table,
    time,
};
use crate::{names::Name, suggest::nearest};

/// The agent's port; some firewall of every role has to let it in.
pub(super) const AGENT_PORT: u16 = 7443;

pub(super) fn role(table: &Table<'_, '_, '_>) -> Option<Role> {
    table.only(
        &["size", "image", "count", "firewall"],
        &["backups", "volumes", "reserved_ip", "ipv6", "monitoring", "tags", "user_data"],
    );
    let size = table.required("size", "size = \"s-2vcpu-4gb\"");
    let image = table.required("image", "image = \"debian-13-x64\"");
    let count = table.count("count", 500).unwrap_or(1);
    let firewalls = table.parsed_list("firewall").into_iter().map(|(name, _)| name).collect();
    Some(Role { size: size?, image: image?, count, firewalls, place: table.notes().place(&table.span()) })
}

pub(super) fn firewall(table: &Table<'_, '_, '_>, groups: &BTreeMap<String, Vec<Network>>) -> Firewall {
    table.only(&["inbound"], &["outbound"]);
    let rules = table.tables("inbound", "an inbound rule");
    Firewall { inbound: rules.iter().filter_map(|rule| inbound(rule, groups)).collect() }
}

fn inbound(table: &Table<'_, '_, '_>, groups: &BTreeMap<String, Vec<Network>>) -> Option<Inbound> {
    table.only(&["ports", "from", "protocol"], &[]);
    let protocol = table.parsed::<Protocol>("protocol").unwrap_or(Protocol::Tcp);
    let ports = match table.string("ports") {
        Some(_) => table.parsed::<PortList>("ports")?.0,
        None if protocol == Protocol::Icmp => Vec::new(),
        None => {
            table.missing("ports", "ports = \"80,443\"");
            return None;
        }
    };
    let from = table.strings("from");
    if from.is_empty() {
        table.missing("from", "from = [\"anywhere\"]");
    }
    let from = from.into_iter().filter_map(|(text, span)| source(table, &text, span, groups)).collect();
    Some(Inbound { protocol, ports, from })
}

fn source(
    table: &Table<'_, '_, '_>,
    text: &str,
    span: Range<usize>,
    groups: &BTreeMap<String, Vec<Network>>,
) -> Option<Source> {
    if text == "anywhere" {
        return Some(Source::Anywhere);
    }
    if let Some(networks) = groups.get(text) {
        return Some(Source::Group(text.to_owned(), networks.clone()));
    }
    if let Ok(network) = text.parse() {
        return Some(Source::Network(network));
    }
    let known = groups.keys().map(String::as_str).chain(["anywhere"]);
    let hint = nearest(text, known).map(|near| format!("did you mean `{near}`?"));
    table.notes().add(
        span,
        format!("`{text}` is neither `anywhere`, nor a group of [addresses], nor an address or network"),
        hint,
    );
    None
}

pub(super) fn app(table: &Table<'_, '_, '_>) -> App {
    table.only(
        &["compose", "droplets", "env_file", "profiles", "rollout", "max_unavailable"],
        &["outputs", "domain", "alert", "policy"],
    );
    let located = |key: &str| {
        let strings = table.strings(key).into_iter();
        strings.map(|(value, span)| Located { value, place: table.notes().place(&span) }).collect::<Vec<_>>()
    };
    let mut compose = located("compose");
    if compose.is_empty() {
        compose.push(Located { value: "compose.yaml".to_owned(), place: table.notes().place(&table.span()) });
    }
    let droplets: Vec<Name> = table.parsed_list("droplets").into_iter().map(|(name, _)| name).collect();
    let profiles = table.strings("profiles").into_iter().map(|(text, _)| text).collect();
    App { compose, droplets, env_files: located("env_file"), profiles, rollout: rollout(table) }
}

/// More than a role may have.
const MOST_AT_ONCE: u32 = 500;

fn rollout(table: &Table<'_, '_, '_>) -> Rollout {
    let at_once = table.count("max_unavailable", MOST_AT_ONCE);
    let at = || table.place_of("max_unavailable");
    let kind = table.parsed::<RolloutKind>("rollout").unwrap_or(RolloutKind::Rolling);
    match (kind, at_once.map(NonZeroU32::new)) {
        (RolloutKind::Rolling, None) => Rollout::default(),
        (RolloutKind::Rolling, Some(Some(max_unavailable))) => Rollout::Rolling { max_unavailable },
        (RolloutKind::Rolling, Some(None)) => {
            let hint = "1 releases one droplet after the other".to_owned();
            table.notes().add(at(), "`max_unavailable` must be at least 1", Some(hint));
            Rollout::default()
        }
        (RolloutKind::Together, None) => Rollout::Together,
        (RolloutKind::Together, Some(_)) => {
            let message =
                "`max_unavailable` goes with rollout = \"rolling\": together, all droplets switch at once";
            table.notes().add(at(), message, Some("take it out of the file".to_owned()));
            Rollout::Together
        }
    }
}

#[derive(Clone, Copy)]
enum RolloutKind {
    Rolling,
    Together,
}

impl FromStr for RolloutKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rolling" => Ok(Self::Rolling),
            "together" => Ok(Self::Together),
            _ => Err(format!("`{text}` is not a rollout: rolling or together")),
        }
    }
}

pub(super) fn agent(table: &Table<'_, '_, '_>) -> (Option<AgentSource>, Option<Duration>) {
    table.only(&["url", "sha256", "enrol_within"], &["version", "channel"]);
    let within = table.parsed::<Minutes>("enrol_within").map(|minutes| minutes.0);
    let (url, sha256) = (table.parsed::<DownloadUrl>("url"), table.parsed::<Sha256>("sha256"));
    for (key, example) in
        [("url", "url = \"https://example.com/tidegate-agent\""), ("sha256", "sha256 = \"...64 hex digits\"")]
    {
        if !table.keys().iter().any(|own| own == key) {
            table.missing(key, example);
        }
    }
    (url.zip(sha256).map(|(url, sha256)| AgentSource { url: url.0, sha256: sha256.0 }), within)
}

pub(super) fn ssh(table: &Table<'_, '_, '_>) -> Ssh {
    table.only(&["authorized_keys"], &["port", "user"]);
    Ssh {
        authorized_keys: table
            .parsed_list::<PublicKey>("authorized_keys")
            .into_iter()
            .map(|(key, _)| key.0)
            .collect(),
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "icmp" => Ok(Self::Icmp),
            _ => Err(format!("`{text}` is not a protocol: tcp, udp or icmp")),
        }
    }
}

struct PortList(Vec<Ports>);

impl FromStr for PortList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(Vec::new()));
        }
        let wrong = |part: &str| {
            format!("`{part}` is not a port or range: write \"80,443\", \"8000-8010\" or \"all\"")
        };
        let one = |part: &str| {
            let part = part.trim();
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) if first > 0 && first <= last => Ok(Ports { first, last }),
                _ => Err(wrong(part)),
            }
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Self)
    }
}

struct Minutes(Duration);

impl FromStr for Minutes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("s", time::SECOND), ("m", time::MINUTE), ("h", time::HOUR)];
        let within = time::parse(text, &units, &(30..=time::DAY));
        within
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a time such as \"30m\" or \"90s\", from 30s to 24h"))
    }
}

struct DownloadUrl(Url);

impl FromStr for DownloadUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is not an address: {error}"))?;
        // Clear text is fine here: the digest is pinned. Anything a shell could mistake is not.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/:.-_~%?=&@+[]".contains(c);
        if matches!(url.scheme(), "https" | "http") && url.as_str().chars().all(plain) {
            Ok(Self(url))
        } else {
            Err(format!("`{text}` is not an http or https address"))
        }
    }
}

struct Sha256(String);

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("a SHA-256 has 64 hexadecimal digits: `sha256sum tidegate-agent` prints it".to_owned())
        }
    }
}

struct PublicKey(String);

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<ssh_key::PublicKey>() {
            Ok(_) if !text.contains(['\n', '"', '\\']) => Ok(Self(text.trim().to_owned())),
            _ => Err("this is not a public ssh key such as \"ssh-ed25519 AAAA... name\"".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn port_lists_never_panic_and_ranges_are_ordered(text in "[0-9,\\- a-z]{0,20}") {
            if let Ok(list) = text.parse::<PortList>() {
                prop_assert!(list.0.iter().all(|ports| ports.first > 0 && ports.first <= ports.last));
            }
        }

        #[test]
        fn times_stay_in_bounds(text in "\\PC{0,8}") {
            if let Ok(minutes) = text.parse::<Minutes>() {
                prop_assert!((30..=86_400).contains(&minutes.0.as_secs()));
            }
        }
    }
}
