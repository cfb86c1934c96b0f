//! What an app has at the ingress, as values.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::apps::{AppName, ServiceName};

/// Which requests go to a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The service.
    pub service: ServiceName,
    /// The host name; none for every name that no other route has.
    pub host: Option<String>,
    /// The path prefix.
    pub path: String,
    /// The port in the container.
    pub port: u16,
}

/// All that the ingress serves for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRoutes {
    /// Its routes.
    pub routes: Vec<Route>,
    /// The addresses of each service.
    pub targets: BTreeMap<ServiceName, Vec<Ipv4Addr>>,
}

impl Route {
    /// Whether both would take the same requests.
    pub fn same_place(&self, other: &Self) -> bool {
        let host = |route: &Self| route.host.as_ref().map(|host| host.to_ascii_lowercase());
        host(self) == host(other) && self.path == other.path
    }

    /// What it takes, for a person.
    pub fn place(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}{}", self.path),
            None => format!("any host, path {}", self.path),
        }
    }

    /// The name under which the ingress finds the service.
    pub fn alias(&self, app: &AppName) -> String {
        alias(app, &self.service)
    }
}

/// `<app>--<service>`: no app's name holds two hyphens and a service's name of another app.
pub fn alias(app: &AppName, service: &ServiceName) -> String {
    format!("{app}--{service}").to_ascii_lowercase()
}
