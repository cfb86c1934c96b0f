//! The ingress: one Caddy container, outside every release, that stands before the apps' web services.
//!
//! Owns that container, a network per app with fixed addresses, the hosts file that decides which container a service's
//! name leads to, and Caddy's configuration. Must not know releases: it is told which routes an app has and which
//! addresses serve them. A switch is one rewrite of the hosts file; Caddy's configuration is reloaded only when routes
//! change, because a reload closes idle connections of every app.
//!
//! # Format
//! Below `/var/lib/tidegate/ingress/`: `etc/caddy.json` is Caddy's configuration, replaced atomically; `etc/hosts` is mounted
//! as the container's `/etc/hosts` and therefore rewritten in place (see [`hosts`]); `run/admin.sock` is Caddy's admin API;
//! `data/` is Caddy's own; `etc/certificates/` has the users' own certificates and keys; `log/` what Caddy writes down, rolled
//! and bounded. In the database, `ingress_route`, `ingress_target` and `ingress_maintenance` have what these files are made from.

mod admin;
pub mod certificates;
mod config;
mod container;
pub mod edge;
mod error;
pub mod hosts;
pub mod responses;
mod routes;
mod service;
mod sites;
mod store;
pub mod subnet;

use std::ops::RangeInclusive;

pub use admin::AdminError;
pub use certificates::HostCertificate;
pub use edge::Edge;
pub use error::IngressError;
pub use responses::{Answered, Counts, Mark, ResponseCounts};
pub use routes::{AppRoutes, Changed, Maintenance, OwnCertificate, Redirect, Route, RouteOptions, RouteTls};
pub(crate) use service::fixed_endpoint;
pub use service::{Ingress, IngressSettings};
pub use store::MIGRATIONS;

use crate::apps::AppName;

/// Name of the container.
pub const CONTAINER: &str = "tidegate-ingress";
/// Name of the network on which it is reached from outside.
pub const NETWORK: &str = "tidegate-ingress";
/// Marks what belongs to the ingress; on an app's network its value is the app.
pub const LABEL: &str = "tidegate.ingress";
/// The ingress's own place on each app's network: the last byte of its address.
pub const OWN_SLOT: u8 = 2;
/// Places for services.
pub const SERVICE_SLOTS: RangeInclusive<u8> = 10..=250;
/// How long after a switch Caddy may still send requests to the old address: Go keeps the hosts file for five seconds.
pub const SWITCH_SEEN_AFTER: std::time::Duration = std::time::Duration::from_secs(6);

/// Name of the network that an app shares with the ingress.
pub fn network_name(app: &AppName) -> String {
    format!("tidegate-ingress-{app}")
}
