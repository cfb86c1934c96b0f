//! The other containers that a service names: namespaces that it shares and volumes that it takes over. Pure.

use std::collections::BTreeSet;

use tidegate_compose::Service;

/// The services of the project of which the service needs a container's id.
pub fn services(service: &Service) -> BTreeSet<String> {
    let modes = [&service.network_mode, &service.ipc, &service.pid];
    let shared = modes.into_iter().filter_map(|mode| mode.strip_prefix("service:"));
    let sources = service.volumes_from.iter().filter(|from| !from.starts_with(CONTAINER));
    let sources = sources.filter_map(|from| from.split(':').next());
    shared.chain(sources).map(str::to_owned).collect()
}

/// Containers that the service names by their own names, each with the attribute that does.
pub fn containers(service: &Service) -> Vec<(&'static str, &str)> {
    let modes = [("network_mode", &service.network_mode), ("ipc", &service.ipc), ("pid", &service.pid)];
    let shared =
        modes.into_iter().filter_map(|(attribute, mode)| Some((attribute, mode.strip_prefix(CONTAINER)?)));
    let sources = service.volumes_from.iter().filter_map(|from| from.strip_prefix(CONTAINER));
    let sources = sources.filter_map(|from| Some(("volumes_from", from.split(':').next()?)));
    shared.chain(sources).collect()
}

const CONTAINER: &str = "container:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_containers_are_told_apart() {
        let service = Service {
            network_mode: "service:vpn".into(),
            pid: "container:other-1".into(),
            volumes_from: vec!["db:ro".into(), "container:old:rw".into()],
            ..Service::default()
        };
        assert_eq!(services(&service), ["db", "vpn"].map(str::to_owned).into());
        assert_eq!(containers(&service), [("pid", "other-1"), ("volumes_from", "old")]);
    }
}
