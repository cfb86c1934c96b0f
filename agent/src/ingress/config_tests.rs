//! Configurations as Caddy gets them.

use super::*;
use crate::{
    apps::{AppName, ServiceName},
    ingress::{OwnCertificate, Route, RouteOptions},
};

fn route(app: &str, host: Option<&str>, tls: RouteTls) -> (AppName, Route) {
    let route = Route {
        service: ServiceName::new("web"),
        host: host.map(Into::into),
        path: "/".into(),
        port: 8000,
        options: RouteOptions { tls, ..RouteOptions::default() },
    };
    (AppName::new(app).unwrap(), route)
}

fn rendered(routes: Vec<(AppName, Route)>, edge: &Edge) -> Value {
    render(&Sites::new(routes, BTreeSet::new()), edge, &BTreeSet::from(["0a1b".to_owned()]))
}

#[test]
fn one_plain_route_in_full() {
    insta::assert_json_snapshot!(rendered(
        vec![route("shop", Some("shop.test"), RouteTls::Off)],
        &Edge::default()
    ));
}

#[test]
fn certificates_of_every_kind() {
    let own = |kept: &str| {
        RouteTls::Own(OwnCertificate {
            certificate: "tls/a.pem".into(),
            key: "tls/a.key".into(),
            kept: Some(kept.into()),
        })
    };
    let mut both = route("blog", Some("blog.example.com"), RouteTls::Acme);
    both.1.options.redirect = Redirect::None;
    both.1.options.max_body = Some(1024);
    let config = rendered(
        vec![
            route("shop", Some("shop.example.com"), RouteTls::Acme),
            both,
            route("mine", Some("own.example.com"), own("0a1b")),
            route("mine", Some("gone.example.com"), own("ffff")),
            route("home", Some("192.0.2.7"), RouteTls::Internal),
            route("any", None, RouteTls::Off),
        ],
        &Edge {
            acme_directory: Some("https://acme.test/dir".into()),
            acme_email: Some("ops@example.com".into()),
            acme_root: Some("/etc/tidegate/acme.pem".into()),
            ..Edge::default()
        },
    );
    insta::assert_json_snapshot!("tls", config["apps"]["tls"]);
    let places = |server: &str| -> Vec<String> {
        let routes = config["apps"]["http"]["servers"][server]["routes"].as_array().unwrap();
        let shown = |route: &Value| {
            let last = route["handle"].as_array().unwrap().last().unwrap();
            let what = last["dynamic_upstreams"]["name"]
                .as_str()
                .map_or_else(|| last["status_code"].to_string(), str::to_owned);
            format!("{} {what}", route["match"][0]["host"][0].as_str().unwrap_or("*"))
        };
        routes.iter().map(shown).collect()
    };
    insta::assert_debug_snapshot!("places", (places("web"), places("web_tls")));
    assert_eq!(
        config["apps"]["http"]["servers"]["web_tls"]["tls_connection_policies"][0]["default_sni"],
        "192.0.2.7"
    );
}

#[test]
fn behind_a_balancer_there_are_neither_certificates_nor_redirects() {
    let edge = Edge {
        position: Position::BehindBalancer,
        trusted_proxies: vec!["10.0.0.0/8".into()],
        ..Edge::default()
    };
    let config =
        rendered(vec![route("shop", Some("a.de"), RouteTls::Acme), route("any", None, RouteTls::Off)], &edge);
    assert_eq!(config["apps"].get("tls"), None);
    insta::assert_json_snapshot!(config["apps"]["http"]["servers"]);
}

#[test]
fn under_maintenance_an_app_has_a_page_and_the_others_are_served() {
    let routes = vec![
        route("blog", Some("blog.test"), RouteTls::Off),
        route("shop", Some("shop.test"), RouteTls::Internal),
    ];
    let sites = Sites::new(routes, BTreeSet::from([AppName::new("shop").unwrap()]));
    let config = render(&sites, &Edge::default(), &BTreeSet::new());
    assert_eq!(
        config["apps"]["http"]["servers"]["web"]["routes"].to_string().matches("blog--web").count(),
        1
    );
    assert_eq!(config.to_string().matches("shop--web").count(), 0);
    insta::assert_json_snapshot!(config["apps"]["http"]["servers"]["web_tls"]["routes"]);
}
