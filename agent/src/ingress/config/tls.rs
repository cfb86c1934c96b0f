//! Where certificates come from.

use std::{collections::BTreeSet, net::Ipv4Addr};

use serde_json::{Map, Value, json};

use super::ETC;
use crate::ingress::{
    RouteTls,
    edge::Edge,
    sites::{Site, Sites},
};

/// Folder of the users' own certificates, below `etc`.
pub(in crate::ingress) const OWN_FOLDER: &str = "certificates";
/// The roots by which the ACME authority's server is checked, below `etc`.
pub(in crate::ingress) const ACME_ROOT_FILE: &str = "acme-root.pem";

/// Caddy's app `tls`. An own certificate that is not there is left out: the host is without one, and all others are served.
pub(super) fn app(sites: &Sites, edge: &Edge, kept: &BTreeSet<String>) -> Value {
    let hosts = |wanted: &RouteTls| -> Vec<&str> {
        sites.encrypted().filter(|site| site.tls == *wanted).filter_map(|site| site.host.as_deref()).collect()
    };
    let (acme, internal) = (hosts(&RouteTls::Acme), hosts(&RouteTls::Internal));
    let mut policies = Vec::new();
    if !acme.is_empty() {
        policies.push(json!({ "subjects": acme, "issuers": [issuer(edge)] }));
    }
    if !internal.is_empty() {
        policies.push(json!({ "subjects": internal, "issuers": [{ "module": "internal" }] }));
    }
    let own: BTreeSet<&str> = sites.encrypted().filter_map(own).filter(|name| kept.contains(*name)).collect();
    let mut certificates = Map::new();
    if !policies.is_empty() {
        certificates.insert("automate".into(), json!([acme, internal].concat()));
    }
    if !own.is_empty() {
        let path = |name: &str, ending: &str| format!("{ETC}/{OWN_FOLDER}/{name}.{ending}");
        let pair = |name| json!({ "certificate": path(name, "pem"), "key": path(name, "key") });
        certificates.insert("load_files".into(), own.into_iter().map(pair).collect());
    }
    json!({ "certificates": certificates, "automation": { "policies": policies } })
}

fn own(site: &Site) -> Option<&str> {
    match &site.tls {
        RouteTls::Own(own) => own.kept.as_deref(),
        RouteTls::Off | RouteTls::Acme | RouteTls::Internal => None,
    }
}

fn issuer(edge: &Edge) -> Value {
    let mut issuer = Map::from_iter([("module".to_owned(), json!("acme"))]);
    if let Some(directory) = &edge.acme_directory {
        issuer.insert("ca".into(), json!(directory));
    }
    if let Some(email) = &edge.acme_email {
        issuer.insert("email".into(), json!(email));
    }
    if edge.acme_root.is_some() {
        issuer.insert("trusted_roots_pem_files".into(), json!([format!("{ETC}/{ACME_ROOT_FILE}")]));
    }
    Value::Object(issuer)
}

/// Clients that ask for an IP address name no host: they get the certificate of the first such host.
pub(super) fn connection_policy(sites: &Sites) -> Value {
    let mut hosts = sites.encrypted().filter_map(|site| site.host.as_deref());
    match hosts.find(|host| host.parse::<Ipv4Addr>().is_ok()) {
        Some(address) => json!({ "default_sni": address }),
        None => json!({}),
    }
}
