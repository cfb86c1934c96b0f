//! What the planner needs to know about the droplet, as a value.

use std::collections::BTreeMap;

use crate::{
    apps::AppName,
    docker::{Container, Drivers, HostListener, NetworkFacts, VolumeFacts},
    ingress::{AppRoutes, Route},
};

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The project's containers, one-offs included.
    pub containers: Vec<Container>,
    /// All networks of the droplet.
    pub networks: Vec<NetworkFacts>,
    /// All volumes of the droplet.
    pub volumes: Vec<VolumeFacts>,
    /// The project's images, by the name as it is written.
    pub images: BTreeMap<String, ImageState>,
    /// Host ports that containers of others hold, with the container's name.
    pub foreign_ports: Vec<(String, String)>,
    /// Where programs of the droplet listen; looked at only for projects that publish ports.
    pub listening: Vec<HostListener>,
    /// The engine's drivers; asked for only for projects that name other ones than Docker's own.
    pub drivers: Option<Drivers>,
    /// Digests of the files that containers were given, by the release that made them (`shop/42`) and their service.
    pub given: BTreeMap<(String, String), String>,
    /// What the ingress serves for the app now.
    pub own_routes: AppRoutes,
    /// Routes of other apps.
    pub foreign_routes: Vec<(AppName, Route)>,
}

/// What is known about an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageState {
    /// What the registry says it is now; none when the image lives on this droplet only.
    pub digest: Option<String>,
    /// The id of the image of that digest, when it is here.
    pub id: Option<String>,
    /// The id of the image that bears the name now.
    pub named: Option<String>,
}
