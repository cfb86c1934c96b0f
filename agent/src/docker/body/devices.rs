//! Devices of the host in a container: mappings, requests for GPUs and CDI devices, limits of block I/O.

use std::collections::HashMap;

use bollard::models::{
    DeviceMapping as Mapped, DeviceRequest as Requested, HostConfig, ResourcesBlkioWeightDevice,
    ThrottleDevice as Throttled,
};
use tidegate_compose::{
    Service,
    model::{BlkioConfig, DeviceMapping, DeviceRequest, ThrottleDevice},
};

use super::list;

/// The part of the host configuration that is about devices; the rest is default.
pub(super) fn config(service: &Service) -> HostConfig {
    let blkio = service.blkio_config.clone().unwrap_or_default();
    let BlkioConfig {
        weight,
        weight_device,
        device_read_bps,
        device_read_iops,
        device_write_bps,
        device_write_iops,
        extensions: _,
    } = blkio;
    let weights = weight_device.into_iter().map(|device| ResourcesBlkioWeightDevice {
        path: Some(device.path),
        weight: Some(usize::from(device.weight)),
    });
    HostConfig {
        blkio_weight: Some(weight).filter(|weight| *weight != 0),
        blkio_weight_device: some(weights.collect()),
        blkio_device_read_bps: throttled(device_read_bps),
        blkio_device_read_iops: throttled(device_read_iops),
        blkio_device_write_bps: throttled(device_write_bps),
        blkio_device_write_iops: throttled(device_write_iops),
        devices: some(service.devices.iter().filter(|device| !is_cdi(device)).map(mapped).collect()),
        device_cgroup_rules: list(&service.device_cgroup_rules),
        device_requests: some(requests(service)),
        ..HostConfig::default()
    }
}

/// Whether the device is named by a CDI specification of the host, `vendor.com/class=name`, instead of by its path.
pub fn is_cdi(device: &DeviceMapping) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_word = |text: &str, first: fn(&char) -> bool, further: &[char]| {
        text.starts_with(|c: char| first(&c))
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| inner(c) || further.contains(&c))
    };
    let Some((kind, name)) = device.source.split_once('=') else { return false };
    let Some((vendor, class)) = kind.split_once('/') else { return false };
    device.source == device.target
        && is_word(vendor, char::is_ascii_alphabetic, &[])
        && is_word(class, char::is_ascii_alphabetic, &[])
        && is_word(name, char::is_ascii_alphanumeric, &[':'])
}

fn mapped(device: &DeviceMapping) -> Mapped {
    Mapped {
        path_on_host: Some(device.source.clone()),
        path_in_container: Some(device.target.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    }
}

/// Reserved devices first, then CDI devices, then `gpus`: docker compose's order.
fn requests(service: &Service) -> Vec<Requested> {
    let reserved = service.deploy.as_ref().and_then(|deploy| deploy.resources.reservations.as_ref());
    let mut requests: Vec<Requested> = reserved
        .into_iter()
        .flat_map(|reserved| &reserved.devices)
        .map(|device| request(device, device.capabilities.clone()))
        .collect();
    let named: Vec<String> =
        service.devices.iter().filter(|device| is_cdi(device)).map(|device| device.source.clone()).collect();
    if !named.is_empty() {
        requests.push(Requested {
            driver: Some("cdi".to_owned()),
            device_ids: Some(named),
            ..Requested::default()
        });
    }
    requests.extend(service.gpus.iter().map(|gpu| {
        let capabilities = gpu.capabilities.iter().cloned().chain(["gpu".to_owned()]);
        request(gpu, capabilities.collect())
    }));
    requests
}

fn request(device: &DeviceRequest, capabilities: Vec<String>) -> Requested {
    let options: HashMap<String, String> = device.options.clone().into_iter().collect();
    Requested {
        driver: Some(device.driver.clone()).filter(|driver| !driver.is_empty()),
        count: Some(device.count.0).filter(|count| *count != 0),
        device_ids: list(&device.device_ids),
        capabilities: Some(vec![capabilities]),
        options: if options.is_empty() { None } else { Some(options) },
    }
}

fn throttled(devices: Vec<ThrottleDevice>) -> Option<Vec<Throttled>> {
    let of = |device: ThrottleDevice| Throttled { path: Some(device.path), rate: Some(device.rate.0) };
    some(devices.into_iter().map(of).collect())
}

fn some<T>(values: Vec<T>) -> Option<Vec<T>> {
    if values.is_empty() { None } else { Some(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_by_name_and_by_path() {
        let device = |source: &str| DeviceMapping {
            source: source.to_owned(),
            target: source.to_owned(),
            ..DeviceMapping::default()
        };
        for (source, by_name) in [
            ("nvidia.com/gpu=all", true),
            ("vendor.com/class=1:0", true),
            ("/dev/fuse", false),
            ("/dev/x=y", false),
            ("vendor/class", false),
            ("vendor/class=", false),
            ("vendor/1class=a", false),
        ] {
            assert_eq!(is_cdi(&device(source)), by_name, "{source}");
        }
        let elsewhere = DeviceMapping { target: "/dev/gpu".to_owned(), ..device("nvidia.com/gpu=all") };
        assert!(!is_cdi(&elsewhere));
    }

    #[test]
    fn requests_come_in_the_order_of_docker_compose() {
        let service = Service {
            devices: vec![DeviceMapping {
                source: "vendor.com/class=a".into(),
                target: "vendor.com/class=a".into(),
                ..DeviceMapping::default()
            }],
            gpus: vec![DeviceRequest { capabilities: vec!["utility".into()], ..DeviceRequest::default() }],
            ..Service::default()
        };
        let made = requests(&service);
        assert_eq!(made[0].driver.as_deref(), Some("cdi"));
        assert_eq!(made[1].capabilities, Some(vec![vec!["utility".to_owned(), "gpu".to_owned()]]));
    }
}
