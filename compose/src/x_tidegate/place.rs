//! On which droplets a service runs, and a project without the services that run on others.
//!
//! Owns what is left of a project there, and which services cannot be without one that is elsewhere. Must not know which
//! droplets there are.

use std::collections::{BTreeMap, BTreeSet};

use super::Extension;
use crate::model::{Project, Service};

/// On which droplets of its app a service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On every one.
    All,
    /// On exactly one.
    One,
    /// On those of a role.
    Role(String),
}

impl Place {
    /// As it is written.
    pub fn parse(text: String) -> Self {
        match text.as_str() {
            "all" => Self::All,
            "one" => Self::One,
            _ => Self::Role(text),
        }
    }
}

/// A service that has to be on the same machine as another one, which is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// The service.
    pub service: String,
    /// The one that it needs.
    pub needs: String,
    /// What says so: `depends_on.db`, `network_mode`.
    pub attribute: String,
}

/// The services that cannot be here while those of `elsewhere` are not.
pub fn apart(project: &Project, elsewhere: &BTreeSet<String>) -> Vec<Apart> {
    let here = project.services.iter().filter(|(name, _)| !elsewhere.contains(*name));
    here.flat_map(|(name, service)| {
        let missing = needed(service).into_iter().filter(|(needs, _)| elsewhere.contains(needs));
        missing.map(|(needs, attribute)| Apart { service: name.clone(), needs, attribute })
    })
    .collect()
}

/// The services that a service needs on its own machine, each with the attribute that says so.
fn needed(service: &Service) -> BTreeMap<String, String> {
    let required = service.depends_on.iter().filter(|(_, dependency)| dependency.required);
    let mut found: BTreeMap<String, String> =
        required.map(|(needs, _)| (needs.clone(), format!("depends_on.{needs}"))).collect();
    // These imply a dependency that nobody wrote, so they are what is named.
    for link in &service.links {
        let needs = link.split(':').next().unwrap_or_default();
        found.insert(needs.to_owned(), "links".to_owned());
    }
    for from in service.volumes_from.iter().filter(|from| !from.starts_with("container:")) {
        let needs = from.split(':').next().unwrap_or_default();
        found.insert(needs.to_owned(), "volumes_from".to_owned());
    }
    let modes = [("network_mode", &service.network_mode), ("ipc", &service.ipc), ("pid", &service.pid)];
    for (attribute, mode) in modes {
        if let Some(needs) = mode.strip_prefix("service:") {
            found.insert(needs.to_owned(), attribute.to_owned());
        }
    }
    found
}

/// Takes the services of `elsewhere` out, with what only they use, and with optional dependencies on them. The hashes of
/// the others stay what they are.
pub fn leave_out(project: &mut Project, extension: &mut Extension, elsewhere: &BTreeSet<String>) {
    if elsewhere.is_empty() {
        return;
    }
    for services in [&mut project.services, &mut project.disabled_services] {
        services.retain(|name, _| !elsewhere.contains(name));
        for service in services.values_mut() {
            service.depends_on.retain(|name, _| !elsewhere.contains(name));
        }
    }
    extension.services.retain(|name, _| !elsewhere.contains(name));
    crate::load::drop_unused(project);
}
