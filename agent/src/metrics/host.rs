//! What is told of the droplet. What could not be looked at is left out. Pure.

use super::{Exposition, Kind, seconds};
use crate::health::{
    observe::{Disk, HostSeen},
    series::float,
};

pub(super) fn write(host: &HostSeen, to: &mut Exposition) {
    let cpu = host.cpu.as_ref().ok();
    to.gauge(
        "tidegate_host_cpu_busy_ratio",
        "The share of the time since the look before in which processors were busy.",
        cpu.map(|cpu| cpu.busy),
    );
    to.gauge(
        "tidegate_host_cpu_stolen_ratio",
        "The share that the hypervisor gave to others, which is part of busy.",
        cpu.map(|cpu| cpu.stolen),
    );
    let memory = host.memory.as_ref().ok();
    to.gauge("tidegate_host_cpus", "Processors.", memory.map(|memory| f64::from(memory.cpus)));
    to.gauge("tidegate_host_load1", "Load average over one minute.", memory.map(|memory| memory.load));
    to.gauge("tidegate_host_memory_bytes", "Memory.", memory.map(|memory| float(memory.total)));
    to.gauge(
        "tidegate_host_memory_available_bytes",
        "Memory that programs can have.",
        memory.map(|memory| float(memory.available)),
    );
    disks(host, to);
    others(host, to);
}

fn disks(host: &HostSeen, to: &mut Exposition) {
    let seen = || {
        host.disks.iter().filter_map(|(path, disk)| Some((path.display().to_string(), disk.as_ref().ok()?)))
    };
    let mut family = |name, help, value: &dyn Fn(&Disk) -> Option<u64>| {
        let mut family = to.family(name, Kind::Gauge, help);
        for (path, disk) in seen() {
            if let Some(value) = value(disk) {
                family.sample(&[("mountpoint", &path)], float(value));
            }
        }
    };
    family("tidegate_host_disk_used_bytes", "What files take.", &|disk| Some(disk.used));
    family("tidegate_host_disk_available_bytes", "What is free for ordinary users.", &|disk| {
        Some(disk.available)
    });
    family("tidegate_host_disk_inodes", "How many files there may be.", &|disk| disk.files);
    family("tidegate_host_disk_inodes_available", "How many more files there may be.", &|disk| {
        disk.files.map(|_| disk.files_available)
    });
}

fn others(host: &HostSeen, to: &mut Exposition) {
    let clock = host.clock.as_ref().ok();
    to.gauge(
        "tidegate_host_clock_synchronised",
        "Whether the clock is kept in time (1) or not (0).",
        clock.map(|clock| f64::from(clock.synchronised)),
    );
    to.gauge(
        "tidegate_host_clock_offset_seconds",
        "How far the clock was behind (below 0: ahead) when a server was asked last.",
        clock.and_then(|clock| clock.offset).map(|offset| offset.as_secs_f64()),
    );
    let failed = host.failed_units.as_ref().ok().and_then(|units| u64::try_from(units.len()).ok());
    to.gauge("tidegate_host_failed_units", "Units of systemd that failed.", failed.map(float));
    to.gauge(
        "tidegate_host_reboot_required",
        "Whether the droplet wants to be started again (1) or not (0).",
        host.reboot.as_ref().ok().map(|packages| f64::from(packages.is_some())),
    );
    to.gauge(
        "tidegate_docker_up",
        "Whether Docker answers (1) or not (0).",
        Some(f64::from(host.docker.is_ok())),
    );
    to.gauge(
        "tidegate_agent_certificate_expiry_timestamp_seconds",
        "Until when the agent's certificate holds, in seconds since 1970.",
        host.certificate.as_ref().ok().copied().map(seconds),
    );
}
