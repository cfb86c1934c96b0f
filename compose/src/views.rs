//! Lists of a project as `docker compose config` prints them with `--services`, `--images` and the like: one name a line.
//!
//! Where docker compose prints in a random order, these are sorted, so that the same project always prints the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::hash;
use crate::model::{Project, Service};
use crate::names::built_image;

/// The services, each behind those that it depends on.
pub fn services(project: &Project) -> Vec<String> {
    let mut order = Order { services: &project.services, seen: BTreeSet::new(), listed: Vec::new() };
    project.services.keys().for_each(|name| order.visit(name));
    order.listed
}

struct Order<'p> {
    services: &'p BTreeMap<String, Service>,
    seen: BTreeSet<&'p str>,
    listed: Vec<String>,
}

impl<'p> Order<'p> {
    /// Dependencies form no cycle in a project that was loaded.
    fn visit(&mut self, name: &'p str) {
        let Some(service) = self.services.get(name) else { return };
        if self.seen.insert(name) {
            service.depends_on.keys().for_each(|needed| self.visit(needed));
            self.listed.push(name.to_owned());
        }
    }
}

/// The image of each service, in the order of the services' names; a build without one is given the name it is built as.
pub fn images(project: &Project) -> Vec<String> {
    let image = |(name, service): (&String, &Service)| match service.image.as_str() {
        "" => built_image(&project.name, name),
        image => image.to_owned(),
    };
    project.services.iter().map(image).collect()
}

/// The volumes in use, by key.
pub fn volumes(project: &Project) -> Vec<String> {
    project.volumes.keys().cloned().collect()
}

/// The networks in use, by key.
pub fn networks(project: &Project) -> Vec<String> {
    project.networks.keys().cloned().collect()
}

/// The profiles that services name, enabled or not.
pub fn profiles(project: &Project) -> Vec<String> {
    let all = project.services.values().chain(project.disabled_services.values());
    let names: BTreeSet<&String> = all.flat_map(|service| &service.profiles).collect();
    names.into_iter().cloned().collect()
}

/// The variables that interpolation saw, as `NAME=value`.
pub fn environment(project: &Project) -> Vec<String> {
    let mut lines: Vec<String> =
        project.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.sort();
    lines
}

/// `name hash` of the named services, of all of them without a name.
///
/// # Errors
/// With a name that no enabled service has.
pub fn hashes(project: &Project, names: &[String]) -> Result<Vec<String>, String> {
    let sorted: BTreeSet<&String> =
        if names.is_empty() { project.services.keys().collect() } else { names.iter().collect() };
    let line = |name: &String| {
        let service = project.services.get(name).ok_or_else(|| name.clone())?;
        Ok(format!("{name} {}", hash::printed(service, project.compatibility)))
    };
    sorted.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dependency, Network, Volume};

    fn project() -> Project {
        let service = |image: &str, needs: &[&str], profiles: &[&str]| Service {
            image: image.to_owned(),
            depends_on: needs.iter().map(|need| ((*need).to_owned(), Dependency::default())).collect(),
            profiles: profiles.iter().map(|profile| (*profile).to_owned()).collect(),
            ..Service::default()
        };
        Project {
            name: "shop".to_owned(),
            services: [
                ("app".to_owned(), service("app:1", &["web", "gone"], &["b"])),
                ("db".to_owned(), service("", &[], &[])),
                ("web".to_owned(), service("web:1", &["db"], &["b"])),
            ]
            .into(),
            disabled_services: [("off".to_owned(), service("off:1", &[], &["a"]))].into(),
            networks: [("n".to_owned(), Network::default())].into(),
            volumes: [("v".to_owned(), Volume::default())].into(),
            environment: [("A1", "x"), ("A", "$y")].map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            ..Project::default()
        }
    }

    #[test]
    fn services_stand_behind_what_they_need() {
        assert_eq!(services(&project()), ["db", "web", "app"]);
    }

    #[test]
    fn names_are_sorted() {
        let project = project();
        assert_eq!(images(&project), ["app:1", "shop-db", "web:1"]);
        assert_eq!(volumes(&project), ["v"]);
        assert_eq!(networks(&project), ["n"]);
        assert_eq!(profiles(&project), ["a", "b"]);
        assert_eq!(environment(&project), ["A1=x", "A=$y"]);
    }

    #[test]
    fn hashes_are_of_all_or_of_those_named() {
        let project = project();
        let all = hashes(&project, &[]).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(hashes(&project, &["web".to_owned(), "db".to_owned()]).unwrap(), all[1..]);
        assert_eq!(hashes(&project, &["off".to_owned()]), Err("off".to_owned()));
    }
}
