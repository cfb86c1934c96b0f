//! What the planner needs to know about the droplet, as a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    apps::AppName,
    docker::{Container, Drivers, HostListener, NetworkFacts, Platform, VolumeFacts},
    ingress::{AppRoutes, Maintenance, Route},
    timers,
};

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The project's containers, one-offs included.
    pub containers: Vec<Container>,
    /// Names of those of its containers that ran until somebody stopped the app.
    pub stopped: BTreeSet<String>,
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
    /// Whether the app's visitors are told to come back later.
    pub maintenance: Maintenance,
    /// Routes of other apps.
    pub foreign_routes: Vec<(AppName, Route)>,
    /// The timers of all apps.
    pub timers: timers::Present,
    /// The machine; none where nothing is known of it.
    pub machine: Option<Machine>,
}

/// What the machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// What it runs by itself, where Docker tells.
    pub platform: Option<Platform>,
    /// Its memory in bytes; 0 where nobody tells.
    pub memory: u64,
    /// Docker's disk, where it can be measured; looked at only when something may be pulled.
    pub disk: Option<DiskSpace>,
}

/// What is free on Docker's disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskSpace {
    /// Where Docker keeps images.
    pub path: PathBuf,
    /// In bytes.
    pub available: u64,
    /// How many more files there may be; none where there is no such bound.
    pub files: Option<u64>,
    /// What the images of old releases may free at most, in bytes; looked at only when it is short.
    pub reclaimable: u64,
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
    /// What it is made for; empty where nobody tells.
    pub platforms: Vec<Platform>,
}
