//! Caddy's configuration. Pure.
//!
//! One server on port 80, one on 443 when a host has a certificate. Both know the same sites in the same order (see
//! [`super::sites`]). What the ingress answers itself (a redirect, the maintenance page, an unknown host or path) stays out
//! of the access log, so that the log holds only what services answered or failed to.

mod handlers;
mod logging;
mod page;
mod tls;

use std::collections::BTreeSet;

pub(super) use logging::{ACCESS_FILE, TLS_FILE};
pub(super) use tls::{ACME_ROOT_FILE, OWN_FOLDER};

use serde_json::{Value, json};

use super::{
    Redirect, RouteTls,
    edge::{Edge, Position},
    sites::{Site, Sites},
};

/// Where Caddy's admin socket is in the container.
pub(super) const ADMIN_SOCKET: &str = "/run/tidegate/admin.sock";
/// Where Caddy keeps certificates in the container.
pub(super) const STORAGE: &str = "/data/caddy";
/// Where the folder `etc` of the ingress is in the container.
pub(super) const ETC: &str = "/etc/tidegate";
/// Where the folder `log` of the ingress is in the container.
pub(super) const LOG: &str = "/var/log/tidegate";

/// The most bytes that the head of a request may have.
const MAX_HEAD: u32 = 64 * 1024;

/// The configuration for these sites. `kept` names the users' own certificates that are there.
pub(super) fn render(sites: &Sites, edge: &Edge, kept: &BTreeSet<String>) -> Value {
    let sites = match edge.position {
        Position::Front => sites.clone(),
        Position::BehindBalancer => sites.clone().in_plain(),
    };
    let mut servers = serde_json::Map::new();
    servers.insert("web".into(), server(":80", &plain(&sites, edge)));
    let mut apps = serde_json::Map::new();
    if sites.encrypted().next().is_some() {
        let mut server = server(":443", &encrypted(&sites, edge));
        if let Some(object) = server.as_object_mut() {
            object.insert("tls_connection_policies".into(), json!([tls::connection_policy(&sites)]));
        }
        servers.insert("web_tls".into(), server);
        apps.insert("tls".into(), tls::app(&sites, edge, kept));
        // The container's own store of roots is read-only, and nobody in it looks at it.
        apps.insert(
            "pki".into(),
            json!({ "certificate_authorities": { "local": { "install_trust": false } } }),
        );
    }
    // Requests in flight survive a reload for so long.
    apps.insert("http".into(), json!({ "grace_period": "30s", "servers": servers }));
    json!({
        "admin": { "listen": format!("unix/{ADMIN_SOCKET}"), "config": { "persist": false } },
        "storage": { "module": "file_system", "root": STORAGE },
        "logging": logging::all(),
        "apps": apps,
    })
}

fn server(listen: &str, routes: &[Value]) -> Value {
    json!({
        "listen": [listen],
        // Certificates and redirects stand in here; HTTP/3 would need a port that is not published.
        "automatic_https": { "disable": true },
        "protocols": ["h1", "h2"],
        "read_header_timeout": "10s",
        "idle_timeout": "2m",
        "max_header_bytes": MAX_HEAD,
        "logs": { "default_logger_name": logging::ACCESS },
        "routes": routes,
        "errors": { "routes": [handlers::too_large()] },
    })
}

/// What port 80 does.
fn plain(sites: &Sites, edge: &Edge) -> Vec<Value> {
    let mut routes = Vec::new();
    let is_nameless = |site: &&Site| site.host.is_none();
    for site in sites.all.iter().filter(|site| !is_nameless(site)) {
        if site.tls != RouteTls::Off && site.redirect == Redirect::ToHttps {
            routes.push(handlers::redirect(site));
        } else {
            routes.extend(handlers::site(site, sites, edge));
        }
    }
    if edge.position == Position::BehindBalancer {
        routes.push(handlers::health(&edge.health_path));
    }
    for site in sites.all.iter().filter(is_nameless) {
        routes.extend(handlers::site(site, sites, edge));
    }
    routes.push(handlers::unknown_host());
    routes
}

/// What port 443 does.
fn encrypted(sites: &Sites, edge: &Edge) -> Vec<Value> {
    let mut routes: Vec<Value> =
        sites.encrypted().flat_map(|site| handlers::site(site, sites, edge)).collect();
    routes.push(handlers::unknown_host());
    routes
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
