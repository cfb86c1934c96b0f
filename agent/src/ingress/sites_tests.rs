//! The order of routes, beside what Caddy makes of the configuration.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    apps::ServiceName,
    ingress::{RouteOptions, config, edge::Edge},
};

fn route(app: &str, host: Option<&str>, (path, service): (&str, &str)) -> (AppName, Route) {
    let route = Route {
        service: ServiceName::new(service),
        host: host.map(Into::into),
        path: path.into(),
        port: 8000,
        options: RouteOptions::default(),
    };
    (AppName::new(app).unwrap(), route)
}

fn sites(routes: Vec<(AppName, Route)>) -> Sites {
    Sites::new(routes, BTreeSet::new())
}

#[test]
fn a_host_is_one_apps_whole() {
    let sites = sites(vec![
        route("any", None, ("/", "web")),
        route("shop", Some("Shop.example.com"), ("/api", "api")),
        route("shop", Some("shop.example.com"), ("/api/v2/", "next")),
    ]);
    let found = |host: &str, path: &str| sites.find(host, path).map(|(_, route)| route.service.to_string());
    assert_eq!(found("shop.example.com", "/api/v1").as_deref(), Some("api"));
    assert_eq!(found("SHOP.example.com:80", "/api/v2?x=/").as_deref(), Some("next"));
    // Caddy's matcher: letters, escapes and dots.
    assert_eq!(found("shop.example.com", "//x/..//%41PI/V2/").as_deref(), Some("next"));
    // Not another app's, though that one has all hosts.
    assert_eq!(found("shop.example.com", "/"), None);
    assert_eq!(found("shop.example.com", "/apis"), None);
    assert_eq!(found("other.example.com", "/").as_deref(), Some("web"));
}

/// What Caddy does with its routes: the first whose host and path match takes the request.
fn caddy(config: &Value, host: &str, path: &str) -> Option<String> {
    let routes = config["apps"]["http"]["servers"]["web"]["routes"].as_array().unwrap();
    let path = path.to_lowercase();
    let fits = |pattern: &Value| match pattern.as_str().unwrap().strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern.as_str().unwrap(),
    };
    let takes = |route: &&Value| match &route["match"][0] {
        Value::Null => true,
        matcher => {
            let hosts = matcher["host"].as_array();
            let paths = matcher["path"].as_array();
            hosts.is_none_or(|hosts| hosts.iter().any(|own| own == &host.to_lowercase()))
                && paths.is_none_or(|paths| paths.iter().any(fits))
        }
    };
    let handlers = routes.iter().find(takes).unwrap()["handle"].as_array().unwrap();
    let name = handlers.last().unwrap()["dynamic_upstreams"]["name"].as_str();
    name.map(str::to_owned)
}

fn some_host() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("a.de"), Some("b.de"), Some("A.de"), Some("c.de")])
}

fn some_path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["/", "/a", "/a/", "/A/b", "/a/b/c", "/ab", "/b", "/a/bc", "/x"])
}

proptest! {
    #[test]
    fn the_log_is_read_in_the_order_of_the_configuration(
        wanted in prop::collection::vec((some_host(), some_path(), 0..3_u8), 0..8),
        host in some_host(), path in some_path(),
    ) {
        let routes = wanted.iter().enumerate().map(|(number, (host, path, app))| {
            route(&format!("app{app}"), *host, (*path, format!("s{number}").as_str()))
        });
        let sites = sites(routes.collect());
        let config = config::render(&sites, &Edge::default(), &BTreeSet::new());
        let host = host.unwrap_or("unknown.de");
        let found = sites.find(host, path).map(|(app, route)| route.alias(app));
        prop_assert_eq!(found, caddy(&config, host, path));
    }
}
