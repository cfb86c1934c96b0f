//! What an app has at the ingress, as values.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::apps::{AppName, ServiceName};

/// Which requests go to a service, and how they are taken.
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
    /// The rest; releases of older agents had none of it.
    #[serde(default, flatten)]
    pub options: RouteOptions,
}

/// How a route's requests are taken. Of one host all routes have the same `tls` and `redirect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteOptions {
    /// Where the host's certificate comes from.
    pub tls: RouteTls,
    /// What becomes of requests over plain HTTP when there is a certificate.
    pub redirect: Redirect,
    /// The most bytes that a request's body may have; none for no limit.
    pub max_body: Option<u64>,
}

/// Where a host's certificate comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTls {
    /// Nowhere: plain HTTP.
    #[default]
    Off,
    /// A public authority, by ACME.
    Acme,
    /// The ingress's own authority.
    Internal,
    /// Files of the project.
    Own(OwnCertificate),
}

/// A certificate of the user's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnCertificate {
    /// The certificate's file, relative to the project directory.
    pub certificate: String,
    /// The key's file.
    pub key: String,
    /// Under which name the ingress keeps both; none while they are not handed over.
    #[serde(default)]
    pub kept: Option<String>,
}

/// What becomes of requests over plain HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirect {
    /// They are sent to HTTPS.
    #[default]
    ToHttps,
    /// They are served too.
    None,
}

impl RouteTls {
    /// The word that users see.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Acme => "acme",
            Self::Internal => "internal",
            Self::Own(_) => "own",
        }
    }
}

/// All that the ingress serves for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRoutes {
    /// Its routes.
    pub routes: Vec<Route>,
    /// The addresses of each service.
    pub targets: BTreeMap<ServiceName, Vec<Ipv4Addr>>,
}

/// Whether an app's visitors are told to come back later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Maintenance {
    /// They are told so.
    On,
    /// They are served.
    #[default]
    Off,
}

/// Whether a call changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// It was so already.
    No,
}

impl Route {
    /// Whether both would take requests of the same hosts.
    pub fn same_host(&self, other: &Self) -> bool {
        let host = |route: &Self| route.host.as_ref().map(|host| host.to_ascii_lowercase());
        host(self) == host(other)
    }

    /// Whether both would take the same requests. Letters of a path count as they do for Caddy: large as small.
    pub fn same_place(&self, other: &Self) -> bool {
        let path = |route: &Self| route.path.trim_end_matches('/').to_ascii_lowercase();
        self.same_host(other) && path(self) == path(other)
    }

    /// The host, for a person.
    pub fn host_words(&self) -> String {
        match &self.host {
            Some(host) => format!("the host {host}"),
            None => "the hosts that nobody names".to_owned(),
        }
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
