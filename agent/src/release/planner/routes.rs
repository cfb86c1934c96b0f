//! Which hosts and paths the services have at the ingress. An app has its hosts for itself: services of one host share
//! cookies, and whoever has a path of another app's host can speak in its name.

use tidegate_compose::x_tidegate::{self, Ingress, Tls, host};

use super::Wanted;
use crate::{
    apps::ServiceName,
    ingress::{OwnCertificate, Redirect, Route, RouteOptions, RouteTls},
    release::{Failure, world::World},
};

pub(super) fn plan(wanted: Wanted<'_>, world: &World, refused: &mut Vec<Failure>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for name in wanted.project.services.keys() {
        let ingress = wanted.extension.services.get(name).and_then(|service| service.ingress.as_ref());
        for route in ingress.into_iter().flat_map(|ingress| of(name, ingress)) {
            let failure = taken(&route, (&routes, world)).or_else(|| other_settings(&route, &routes));
            refused.extend(failure.map(|failure| failure.at(format!("services.{name}.x-tidegate.ingress"))));
            routes.push(route);
        }
    }
    routes
}

/// A route for each host.
fn of(service: &str, ingress: &Ingress) -> Vec<Route> {
    let route = |host: Option<&String>| Route {
        service: ServiceName::new(service),
        host: host.cloned(),
        path: ingress.path.clone(),
        port: ingress.port,
        options: RouteOptions {
            tls: host.map_or(RouteTls::Off, |host| tls(&ingress.tls, host)),
            redirect: match ingress.redirect {
                x_tidegate::Redirect::ToHttps => Redirect::ToHttps,
                x_tidegate::Redirect::None => Redirect::None,
            },
            max_body: ingress.max_body,
        },
    };
    if ingress.hosts.is_empty() {
        vec![route(None)]
    } else {
        ingress.hosts.iter().map(Some).map(route).collect()
    }
}

fn tls(tls: &Tls, name: &str) -> RouteTls {
    match tls {
        Tls::Auto if host::is_public(name) => RouteTls::Acme,
        Tls::Auto | Tls::Internal => RouteTls::Internal,
        Tls::Off => RouteTls::Off,
        Tls::Files(files) => RouteTls::Own(OwnCertificate {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            kept: None,
        }),
    }
}

fn taken(route: &Route, (own, world): (&[Route], &World)) -> Option<Failure> {
    let what = format!("service {} cannot have {} at the ingress", route.service, route.place());
    if let Some(other) = own.iter().find(|other| other.same_place(route)) {
        let why = format!("service {} has it already", other.service);
        return Some(
            Failure::new(what, why).hint("give it a host of its own (`host: ...`), or another `path`"),
        );
    }
    let (app, _) = world.foreign_routes.iter().find(|(_, other)| other.same_host(route))?;
    let why = format!("app {app} has {}, and an app has its hosts for itself", route.host_words());
    Some(Failure::new(what, why).hint(format!(
        "give it a host of its own (`host: ...`), or make both services of one app; `tidegate remove` frees {app}'s"
    )))
}

/// A host has one certificate and one answer to plain HTTP.
fn other_settings(route: &Route, own: &[Route]) -> Option<Failure> {
    let told = |route: &Route| (route.options.tls.clone(), route.options.redirect);
    let other = own.iter().find(|other| other.same_host(route) && told(other) != told(route))?;
    let host = route.host.as_deref().unwrap_or_default();
    let what = format!("services {} and {} want {host} in two ways", other.service, route.service);
    let why = "`tls` and `redirect` are a host's, not a path's";
    Some(Failure::new(what, why).hint("write the same `tls` and `redirect` in both"))
}
