//! What the values in the history are called, and which there are of a look. Pure.

use std::{collections::BTreeMap, path::Path};

use super::observe::{AppSeen, Observation};

/// So many values are kept of a look at most: some hundred containers.
const MOST: usize = 1024;
/// Ids are told apart by so much of them, as Docker shows them.
const SHORT_ID: usize = 12;

/// Used bytes of a disk.
pub fn disk(path: &Path) -> String {
    format!("disk:{}", path.display())
}

/// How often Docker started a container again.
pub fn container(id: &str) -> String {
    format!("restarts:{}", id.chars().take(SHORT_ID).collect::<String>())
}

/// Whether it is the series of a disk's used bytes.
pub(super) fn is_disk(name: &str) -> bool {
    name.starts_with("disk:")
}

/// Whether it is the series of a container's restarts.
pub(super) fn is_container(name: &str) -> bool {
    name.starts_with("restarts:")
}

/// A count that was kept as a value.
pub(super) fn whole(value: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(value.round()).map_or(0, |seconds| seconds.as_secs())
}

/// The values of a look: `cpu` and `memory` in percent, `load`, `disk:<path>` in bytes, `inodes:<path>`, `restarts:<container>`,
/// and for a service `requests:<app>/<service>`, `errors:...` and `p95:...` in milliseconds.
pub(super) fn of(observation: &Observation) -> BTreeMap<String, f64> {
    let host = &observation.host;
    let mut values = BTreeMap::new();
    if let Ok(cpu) = &host.cpu {
        values.insert("cpu".to_owned(), cpu.busy * 100.0);
    }
    if let Ok(memory) = &host.memory {
        let left = float(memory.available) / float(memory.total.max(1));
        values.insert("memory".to_owned(), (1.0 - left) * 100.0);
        values.insert("load".to_owned(), memory.load);
    }
    for (path, disk) in &host.disks {
        let Ok(disk) = disk else { continue };
        values.insert(self::disk(path), float(disk.used));
        if let Some(files) = disk.files {
            values.insert(
                format!("inodes:{}", path.display()),
                float(files.saturating_sub(disk.files_available)),
            );
        }
    }
    for app in observation.apps.iter().flatten() {
        of_app(app, &mut values);
    }
    while values.len() > MOST {
        values.pop_last();
    }
    values
}

fn of_app(seen: &AppSeen, values: &mut BTreeMap<String, f64>) {
    for service in seen.services.iter().flatten() {
        for seen in &service.containers {
            values.insert(container(&seen.container.id), float(seen.container.restarts));
        }
    }
    for (service, answers) in seen.answers.iter().flatten() {
        let name = |kind: &str| format!("{kind}:{}/{service}", seen.app);
        values.insert(name("requests"), float(answers.total));
        values.insert(name("errors"), float(answers.server_errors));
        values.insert(name("p95"), answers.p95.as_secs_f64() * 1000.0);
    }
}

/// As near as a float comes, which is exact up to 2^53.
pub(crate) fn float(number: u64) -> f64 {
    let (high, low) = (number >> 32, number & u64::from(u32::MAX));
    let part = |part: u64| u32::try_from(part).map_or(0.0, f64::from);
    part(high) * 4_294_967_296.0 + part(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_not_lost() {
        assert!((float(10 << 40) - 10_995_116_277_760.0).abs() < 0.5);
        assert_eq!(container("0123456789abcdef"), "restarts:0123456789ab");
    }
}
