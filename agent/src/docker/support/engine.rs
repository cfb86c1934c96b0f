//! What an older engine does not know. It would drop it without a word, so it is refused before anything changes. Pure.

use tidegate_compose::{
    Project, Service,
    model::{ServiceNetwork, VolumeMount},
};

use crate::docker::body;

/// An attribute that the engine is too old for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooNew {
    /// Its path: `services.web.annotations`.
    pub path: String,
    /// The API that knows it, (major, minor).
    pub needs: (usize, usize),
    /// The first Docker with that API.
    pub release: &'static str,
}

/// Versions of the API, and the first Docker of each.
const V1_40: Version = ((1, 40), "19.03");
const V1_41: Version = ((1, 41), "20.10");
const V1_43: Version = ((1, 43), "24.0");
const V1_44: Version = ((1, 44), "25.0");
const V1_45: Version = ((1, 45), "26.0");
const V1_46: Version = ((1, 46), "27.0");
const V1_47: Version = ((1, 47), "27.2");
const V1_48: Version = ((1, 48), "28.0");
const V1_49: Version = ((1, 49), "28.1");

type Version = ((usize, usize), &'static str);

/// The driver's option for kernel parameters of one interface.
const INTERFACE_SYSCTLS: &str = "com.docker.network.endpoint.sysctls";

/// All attributes of a project that an engine with this API would not know, or would put in the wrong place.
pub fn too_new(project: &Project, api: (usize, usize)) -> Vec<TooNew> {
    let mut found = Vec::new();
    let mut check = |path: String, is_set: bool, (needs, release): Version| {
        if is_set && api < needs {
            found.push(TooNew { path, needs, release });
        }
    };
    for (name, service) in &project.services {
        let mut own = |attribute: &str, is_set: bool, version: Version| {
            check(format!("services.{name}.{attribute}"), is_set, version);
        };
        container(service, &mut own);
        for volume in &service.volumes {
            mount(volume, &mut own);
        }
        for (key, network) in &service.networks {
            let Some(network) = network else { continue };
            endpoint(network, &mut |attribute, is_set, version| {
                own(&format!("networks.{key}.{attribute}"), is_set, version);
            });
        }
    }
    for (key, network) in &project.networks {
        let is_set = network.enable_ipv4 == Some(false) && !network.external;
        check(format!("networks.{key}.enable_ipv4"), is_set, V1_47);
    }
    found
}

fn container(service: &Service, check: &mut impl FnMut(&str, bool, Version)) {
    let reserved = service.deploy.as_ref().and_then(|deploy| deploy.resources.reservations.as_ref());
    check("gpus", !service.gpus.is_empty(), V1_40);
    check("deploy.resources.reservations.devices", reserved.is_some_and(|r| !r.devices.is_empty()), V1_40);
    check("cgroup", !service.cgroup.is_empty(), V1_41);
    check("platform", !service.platform.is_empty(), V1_41);
    check("annotations", !service.annotations.is_empty(), V1_43);
    let interval = service.healthcheck.as_ref().is_some_and(|check| check.start_interval.is_some());
    check("healthcheck.start_interval", interval, V1_44);
}

fn mount(volume: &VolumeMount, check: &mut impl FnMut(&str, bool, Version)) {
    // `writable` is how older engines mount anyway.
    let recursive = volume.bind.as_ref().is_some_and(|bind| bind.recursive == "readonly");
    check("volumes.bind.recursive", recursive, V1_44);
    let subpath = volume.volume.as_ref().is_some_and(|options| !options.subpath.is_empty());
    check("volumes.volume.subpath", subpath, V1_45);
    check("volumes.type", volume.kind == "image", V1_48);
}

fn endpoint(network: &ServiceNetwork, check: &mut impl FnMut(&str, bool, Version)) {
    check("mac_address", !network.mac_address.is_empty(), V1_44);
    check("driver_opts", network.driver_opts.0.contains_key(INTERFACE_SYSCTLS), V1_46);
    check("gw_priority", network.gw_priority != 0, V1_48);
    let named = !network.interface_name.is_empty();
    check("interface_name", named, V1_49);
    check("driver_opts", !named && network.driver_opts.0.contains_key(body::INTERFACE_NAME), V1_49);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_compose::model::{GoDuration, HealthCheck, Network, VolumeOptions};

    fn project() -> Project {
        let network = ServiceNetwork {
            mac_address: "02:42:ac:11:00:02".into(),
            gw_priority: 1,
            interface_name: "eth7".into(),
            ..ServiceNetwork::default()
        };
        let volume = VolumeMount {
            kind: "volume".into(),
            volume: Some(VolumeOptions { subpath: "a".into(), ..VolumeOptions::default() }),
            ..VolumeMount::default()
        };
        let check = HealthCheck {
            start_interval: Some(GoDuration(1)),
            start_period: Some(GoDuration(1)),
            ..HealthCheck::default()
        };
        let service = Service {
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            cgroup: "private".into(),
            healthcheck: Some(check),
            networks: [("default".to_owned(), Some(network))].into(),
            volumes: vec![volume, VolumeMount { kind: "image".into(), ..VolumeMount::default() }],
            ..Service::default()
        };
        let default = Network { enable_ipv4: Some(false), ..Network::default() };
        Project {
            services: [("web".to_owned(), service)].into(),
            networks: [("default".to_owned(), default)].into(),
            ..Project::default()
        }
    }

    #[test]
    fn every_engine_is_told_what_it_does_not_know() {
        for (api, expected) in [
            (
                (1, 40),
                vec![
                    "services.web.cgroup 1.41",
                    "services.web.annotations 1.43",
                    "services.web.healthcheck.start_interval 1.44",
                    "services.web.volumes.volume.subpath 1.45",
                    "services.web.volumes.type 1.48",
                    "services.web.networks.default.mac_address 1.44",
                    "services.web.networks.default.gw_priority 1.48",
                    "services.web.networks.default.interface_name 1.49",
                    "networks.default.enable_ipv4 1.47",
                ],
            ),
            (
                (1, 47),
                vec![
                    "services.web.volumes.type 1.48",
                    "services.web.networks.default.gw_priority 1.48",
                    "services.web.networks.default.interface_name 1.49",
                ],
            ),
            ((1, 48), vec!["services.web.networks.default.interface_name 1.49"]),
            ((1, 49), vec![]),
        ] {
            let found: Vec<String> = too_new(&project(), api)
                .into_iter()
                .map(|found| format!("{} {}.{}", found.path, found.needs.0, found.needs.1))
                .collect();
            assert_eq!(found, expected, "{api:?}");
        }
    }

    #[test]
    fn an_ordinary_service_suits_old_engines() {
        let service = Service { image: "caddy:2".into(), ..Service::default() };
        let project = Project { services: [("web".to_owned(), service)].into(), ..Project::default() };
        assert_eq!(too_new(&project, (1, 40)), []);
    }
}
