//! `/v2/firewalls`. Names are unique; a firewall protects the droplets that carry one of its tags, from their first
//! second on. Replacing resets what is left out, so the whole firewall is always sent.

use serde::{Deserialize, Serialize};

use super::{
    client::{Client, Deleted},
    error::CloudError,
};

/// A firewall as the API tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Firewall {
    /// UUID.
    pub id: String,
    /// Its name and rules.
    #[serde(flatten)]
    pub spec: FirewallSpec,
}

/// What a firewall is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct FirewallSpec {
    /// Unique in the account.
    pub name: String,
    /// What may come in; all else may not.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub inbound_rules: Vec<InboundRule>,
    /// What may go out.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub outbound_rules: Vec<OutboundRule>,
    /// Droplets with one of these are protected.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub tags: Vec<String>,
    /// Droplets protected by id; we use none.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub droplet_ids: Vec<u64>,
}

/// One inbound rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct InboundRule {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: String,
    /// `80`, `8000-8010`; `0` is how the API gives back all.
    #[serde(default)]
    pub ports: String,
    /// From where.
    pub sources: Addresses,
}

/// One outbound rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct OutboundRule {
    /// `tcp`, `udp` or `icmp`.
    pub protocol: String,
    /// As for inbound rules.
    #[serde(default)]
    pub ports: String,
    /// To where.
    pub destinations: Addresses,
}

/// Ends of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Addresses {
    /// CIDRs.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Droplets by tag; the tag has to exist.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

fn null_is_empty<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(from).map(Option::unwrap_or_default)
}

impl FirewallSpec {
    /// All tags that it names; the API refuses one that does not exist.
    pub fn all_tags(&self) -> impl Iterator<Item = &String> {
        let inbound = self.inbound_rules.iter().flat_map(|rule| &rule.sources.tags);
        let outbound = self.outbound_rules.iter().flat_map(|rule| &rule.destinations.tags);
        self.tags.iter().chain(inbound).chain(outbound)
    }

    /// The same firewall in the one spelling that can be compared: the API folds, sorts and renames.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let mut spec = self.clone();
        let addresses = |ends: &mut Addresses| {
            ends.addresses.sort();
            ends.tags.iter_mut().for_each(|tag| *tag = tag.to_lowercase());
        };
        for rule in &mut spec.inbound_rules {
            rule.ports = canonical_ports(&rule.ports);
            addresses(&mut rule.sources);
        }
        for rule in &mut spec.outbound_rules {
            rule.ports = canonical_ports(&rule.ports);
            addresses(&mut rule.destinations);
        }
        spec.inbound_rules.sort_by_key(|rule| format!("{rule:?}"));
        spec.outbound_rules.sort_by_key(|rule| format!("{rule:?}"));
        spec.tags.iter_mut().for_each(|tag| *tag = tag.to_lowercase());
        spec.tags.sort();
        spec
    }
}

fn canonical_ports(ports: &str) -> String {
    if matches!(ports, "" | "all" | "0" | "1-65535") { "0".to_owned() } else { ports.to_owned() }
}

/// All firewalls.
///
/// # Errors
/// When they cannot be read.
pub async fn list(client: &Client) -> Result<Vec<Firewall>, CloudError> {
    client.list("/v2/firewalls", "firewalls", &[]).await
}

/// Makes one.
///
/// # Errors
/// When the API refuses, or `Ambiguous`.
pub async fn create(client: &Client, spec: &FirewallSpec) -> Result<Firewall, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        firewall: Firewall,
    }
    client.post::<_, Body>("/v2/firewalls", spec).await.map(|body| body.firewall)
}

/// Replaces one.
///
/// # Errors
/// When the API refuses.
pub async fn replace(client: &Client, id: &str, spec: &FirewallSpec) -> Result<(), CloudError> {
    client.put(&format!("/v2/firewalls/{id}"), spec).await
}

/// Deletes one.
///
/// # Errors
/// When the API refuses.
pub async fn delete(client: &Client, id: &str) -> Result<Deleted, CloudError> {
    client.delete(&format!("/v2/firewalls/{id}")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_respells_is_still_the_same() {
        let ours: FirewallSpec = serde_json::from_value(serde_json::json!({
            "name": "n", "tags": ["A:b"],
            "inbound_rules": [
                {"protocol": "tcp", "ports": "443", "sources": {"addresses": ["::/0", "0.0.0.0/0"]}},
                {"protocol": "tcp", "ports": "80", "sources": {"addresses": ["::/0", "0.0.0.0/0"]}}],
            "outbound_rules": [{"protocol": "icmp", "ports": "", "destinations": {"addresses": ["::/0"]}}],
        }))
        .unwrap();
        let theirs: FirewallSpec = serde_json::from_value(serde_json::json!({
            "name": "n", "tags": ["a:b"], "droplet_ids": null,
            "inbound_rules": [
                {"protocol": "tcp", "ports": "80", "sources": {"addresses": ["0.0.0.0/0", "::/0"], "tags": null}},
                {"protocol": "tcp", "ports": "443", "sources": {"addresses": ["0.0.0.0/0", "::/0"]}}],
            "outbound_rules": [{"protocol": "icmp", "ports": "0", "destinations": {"addresses": ["::/0"]}}],
        }))
        .unwrap();
        assert_ne!(ours, theirs);
        assert_eq!(ours.canonical(), theirs.canonical());
    }
}
