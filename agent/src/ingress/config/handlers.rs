//! Routes of Caddy's servers.

use serde_json::{Map, Value, json};

use super::page;
use crate::{
    apps::AppName,
    ingress::{
        Route,
        edge::Edge,
        sites::{self, Site, Sites},
    },
};

/// Everything under one host, and the end of it.
pub(super) fn site(site: &Site, sites: &Sites, edge: &Edge) -> Vec<Value> {
    let mut routes: Vec<Value> = Vec::new();
    for (app, route) in &site.entries {
        if sites.maintained.contains(app) {
            routes.extend(page::routes(&matcher(site, route)));
        } else {
            routes.extend(declared_too_large(site, route));
            routes.push(terminal(&matcher(site, route), &proxy(app, route, edge)));
        }
    }
    if let Some(host) = &site.host {
        let answer = own(404, json!({}), "nothing is served under this path\n");
        routes.push(terminal(&Map::from_iter([("host".to_owned(), json!([host]))]), &answer));
    }
    routes
}

/// To the same place by HTTPS. 308: the method stays.
pub(super) fn redirect(site: &Site) -> Value {
    let matcher = site.host.iter().map(|host| ("host".to_owned(), json!([host]))).collect();
    let location = json!({ "Location": ["https://{http.request.host}{http.request.uri}"] });
    terminal(&matcher, &own(308, location, ""))
}

/// What a balancer asks by the droplet's address.
pub(super) fn health(path: &str) -> Value {
    terminal(
        &Map::from_iter([("path".to_owned(), json!([path]))]),
        &own(200, json!({}), "the ingress serves\n"),
    )
}

/// A body over a route's limit. Caddy's proxy calls it 502, which would count against the service.
pub(super) fn too_large() -> Value {
    let message = json!({ "{http.error.message}": { "pattern": "request body too large" } });
    let matcher = Map::from_iter([("vars_regexp".to_owned(), message)]);
    terminal(&matcher, &refused_body())
}

/// A request that says itself that its body is over the route's limit. The proxy's own limit is met only when it comes to
/// read so far: a service that answers without reading would have answered before.
fn declared_too_large(site: &Site, route: &Route) -> Option<Value> {
    let most = route.options.max_body?;
    let length = "{http.request.header.Content-Length}";
    let mut matcher = matcher(site, route);
    matcher.insert("expression".into(), json!(format!("{length} != \"\" && int({length}) > {most}")));
    Some(terminal(&matcher, &refused_body()))
}

fn refused_body() -> Vec<Value> {
    own(413, json!({}), "the body of the request is too large\n")
}

/// The end of a server.
pub(super) fn unknown_host() -> Value {
    json!({ "handle": own(421, json!({}), "no app serves this name\n") })
}

/// Which requests a route takes.
fn matcher(site: &Site, route: &Route) -> Map<String, Value> {
    let mut matcher = Map::new();
    if let Some(host) = &site.host {
        matcher.insert("host".into(), json!([host]));
    }
    let prefix = sites::prefix(route);
    if !prefix.is_empty() {
        matcher.insert("path".into(), json!([prefix, format!("{prefix}/*")]));
    }
    matcher
}

pub(super) fn terminal(matcher: &Map<String, Value>, handlers: &[Value]) -> Value {
    let mut route = json!({ "handle": handlers, "terminal": true });
    if let Some(object) = route.as_object_mut().filter(|_| !matcher.is_empty()) {
        object.insert("match".into(), json!([matcher]));
    }
    route
}

/// An answer of the ingress itself, which is not counted as a service's: see [`super`].
pub(super) fn own(status: u16, headers: Value, body: &str) -> Vec<Value> {
    let mut answer = json!({ "handler": "static_response", "status_code": status });
    if let Some(object) = answer.as_object_mut() {
        if headers.as_object().is_some_and(|headers| !headers.is_empty()) {
            object.insert("headers".into(), headers);
        }
        if !body.is_empty() {
            object.insert("body".into(), json!(body));
        }
    }
    // Caddy changed the name of this in 2.8.
    vec![json!({ "handler": "vars", "skip_log": true, "log_skip": true }), answer]
}

fn proxy(app: &AppName, route: &Route, edge: &Edge) -> Vec<Value> {
    let mut handlers = Vec::new();
    if let Some(bytes) = route.options.max_body {
        handlers.push(json!({ "handler": "request_body", "max_size": bytes }));
    }
    let mut proxy = json!({
        "handler": "reverse_proxy",
        "dynamic_upstreams": {
            "source": "a",
            "name": route.alias(app),
            "port": route.port.to_string(),
            "refresh": "500ms",
        },
        // A switch is bridged by trying again for longer than Go keeps the hosts file.
        "load_balancing": { "try_duration": "5s", "try_interval": "100ms" },
        // An idle connection is closed soon, so that an open one means a request: see the drain.
        "transport": { "protocol": "http", "keep_alive": { "idle_timeout": "3s" } },
    });
    // Without it nobody's forwarded headers are believed: the service gets the address that Caddy sees.
    if let Some(object) = proxy.as_object_mut().filter(|_| !edge.trusted_proxies.is_empty()) {
        object.insert("trusted_proxies".into(), json!(edge.trusted_proxies));
    }
    handlers.push(proxy);
    handlers
}
