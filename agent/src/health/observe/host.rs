//! The droplet itself: processors, memory, disks, clock, units.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{ClockState, Cpu, Disk, HostSeen, Memory, PATIENCE, Seen, Sources, Unseen, unseen, within};
use crate::timers::HEALTH_SERVICE;

/// Processors are looked at twice where the look before is missing or long ago.
const MOMENT: Duration = Duration::from_millis(500);
/// Longer ago the look before says nothing about now.
const LONG: Duration = Duration::from_mins(10);
/// Names of packages that want a reboot.
const MOST_PACKAGES: usize = 20;

/// What processors did since the machine's start, in ticks of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
}

/// Ticks, and when they were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    ticks: Ticks,
    at: Instant,
}

pub(super) async fn look(sources: &Sources, before: &mut Option<Counters>) -> HostSeen {
    let Sources { systemd, certificate, deliveries, places, .. } = sources;
    let clock = async {
        let facts = within(systemd.clock()).await?;
        Ok(ClockState { synchronised: facts.is_synchronised, offset: facts.offset })
    };
    let units = async {
        let mut failed = within(systemd.failed_units()).await?;
        // It fails when the agent did not answer it, which it does now.
        failed.retain(|unit| unit != HEALTH_SERVICE);
        Ok(failed)
    };
    let undelivered = async {
        let waited = timeout(PATIENCE, deliveries.undelivered()).await;
        waited.unwrap_or_else(|_| Err(Unseen("the agent's database does not answer".to_owned())))
    };
    let files = places.clone();
    let memory = memory(&places.proc);
    let (cpu, clock, certificate, failed_units, undelivered, (disks, reboot)) = tokio::join!(
        cpu(&places.proc, before),
        clock,
        certificate.not_after(),
        units,
        undelivered,
        blocking(move || (disks(&files.disks), reboot(&files.run))),
    );
    // Whether Docker answers, the look at apps tells.
    HostSeen { cpu, memory, disks, clock, certificate, failed_units, reboot, docker: Ok(()), undelivered }
}

/// A file system may hang.
async fn blocking(
    look: impl FnOnce() -> (Vec<(PathBuf, Seen<Disk>)>, Seen<Option<Vec<String>>>) + Send + 'static,
) -> (Vec<(PathBuf, Seen<Disk>)>, Seen<Option<Vec<String>>>) {
    let hangs = || Unseen("a file system does not answer".to_owned());
    match timeout(PATIENCE, tokio::task::spawn_blocking(look)).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(_)) | Err(_) => (vec![(PathBuf::from("/"), Err(hangs()))], Err(hangs())),
    }
}

async fn cpu(proc: &Path, before: &mut Option<Counters>) -> Seen<Cpu> {
    let earlier = if let Some(before) = before.filter(|before| before.at.elapsed() < LONG) {
        before
    } else {
        let first = Counters { ticks: ticks(proc)?, at: Instant::now() };
        sleep(MOMENT).await;
        first
    };
    let now = Counters { ticks: ticks(proc)?, at: Instant::now() };
    *before = Some(now);
    busy(earlier.ticks, now.ticks, now.at.duration_since(earlier.at))
}

/// Two short files that are in the kernel's memory.
fn memory(proc: &Path) -> Seen<Memory> {
    let read = |name| fs_err::read_to_string(proc.join(name)).map_err(|error| unseen(&error));
    let (memory, load) = (read("meminfo")?, read("loadavg")?);
    let other = |file| Unseen(format!("/proc/{file} has another form than expected"));
    let bytes = |key| kibibytes(&memory, key).and_then(|kibibytes| kibibytes.checked_mul(1024));
    let load = load.split_whitespace().next().and_then(|load| load.parse().ok());
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    Ok(Memory {
        total: bytes("MemTotal:").ok_or_else(|| other("meminfo"))?,
        available: bytes("MemAvailable:").ok_or_else(|| other("meminfo"))?,
        load: load.ok_or_else(|| other("loadavg"))?,
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
    })
}

/// `MemAvailable:   20384764 kB`
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

/// One short line of a file that is in the kernel's memory.
fn ticks(proc: &Path) -> Seen<Ticks> {
    let text = fs_err::read_to_string(proc.join("stat")).map_err(|error| unseen(&error))?;
    read_ticks(&text).ok_or_else(|| Unseen("/proc/stat has another form than expected".to_owned()))
}

/// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; a guest's time is in user and nice already.
fn read_ticks(text: &str) -> Option<Ticks> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let all: Option<Vec<u64>> = line.split_whitespace().take(8).map(|number| number.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, stolen] = all?.try_into().ok()?;
    let idle = u64::saturating_add(idle, iowait);
    let busy = [user, nice, system, irq, softirq, stolen].into_iter().fold(0, u64::saturating_add);
    Some(Ticks { all: idle.saturating_add(busy), idle, stolen })
}

fn busy(before: Ticks, now: Ticks, over: Duration) -> Seen<Cpu> {
    let all = now.all.saturating_sub(before.all);
    // Time waited for disks may go backwards.
    let idle = now.idle.saturating_sub(before.idle).min(all);
    let stolen = now.stolen.saturating_sub(before.stolen);
    let part = |part: u64| {
        let number = |number| u32::try_from(number).map_or(f64::from(u32::MAX), f64::from);
        number(part) / number(all)
    };
    if all == 0 {
        return Err(Unseen("the kernel counted no time since the look before".to_owned()));
    }
    Ok(Cpu { busy: 1.0 - part(idle), stolen: part(stolen), over })
}

/// Disks by the path that is the first on it; paths that are not there have none.
fn disks(paths: &[PathBuf]) -> Vec<(PathBuf, Seen<Disk>)> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for path in paths {
        match fs_err::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => found.push((path.clone(), Err(unseen(&error)))),
            Ok(file) if known.insert(file.dev()) => found.push((path.clone(), disk(path))),
            Ok(_) => {}
        }
    }
    found
}

fn disk(path: &Path) -> Seen<Disk> {
    let told = rustix::fs::statvfs(path).map_err(|error| unseen(&error))?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Ok(Disk {
        used: bytes(told.f_blocks.saturating_sub(told.f_bfree)),
        available: bytes(told.f_bavail),
        files: (told.f_files > 0).then_some(told.f_files),
        files_available: told.f_favail,
    })
}

fn reboot(run: &Path) -> Seen<Option<Vec<String>>> {
    let wanted = fs_err::metadata(run.join("reboot-required"));
    match wanted {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unseen(&error)),
        Ok(_) => {}
    }
    let packages = fs_err::read_to_string(run.join("reboot-required.pkgs")).unwrap_or_default();
    let names: BTreeSet<String> = packages.lines().map(|line| line.trim().to_owned()).collect();
    Ok(Some(names.into_iter().filter(|name| !name.is_empty()).take(MOST_PACKAGES).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_what_is_not_idle() {
        let read = |text: &str| read_ticks(text).unwrap();
        let before = read("cpu  100 0 50 1000 50 0 0 10 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n");
        let now = read("cpu  160 0 70 1100 50 0 0 30 9 0\n");
        let cpu = busy(before, now, Duration::from_secs(2)).unwrap();
        assert!((cpu.busy - 0.5).abs() < 1e-9 && (cpu.stolen - 0.1).abs() < 1e-9, "{cpu:?}");
        assert!(busy(now, now, Duration::ZERO).is_err());
        assert_eq!(read_ticks("intr 5"), None);
        assert_eq!(read_ticks("cpu  1 2 3"), None);
    }

    #[tokio::test]
    async fn this_machine_has_processors_and_a_disk() {
        let mut before = None;
        for _ in 0..2 {
            let cpu = cpu(Path::new("/proc"), &mut before).await.unwrap();
            assert!((0.0..=1.0).contains(&cpu.busy), "{cpu:?}");
            sleep(Duration::from_millis(50)).await;
        }
        assert!(cpu(Path::new("/nowhere"), &mut before).await.is_err());
        let memory = memory(Path::new("/proc")).unwrap();
        assert!(memory.available > 0 && memory.available <= memory.total, "{memory:?}");
        assert!(memory.load >= 0.0 && memory.cpus > 0, "{memory:?}");
        assert!(super::memory(Path::new("/nowhere")).is_err());
        let paths = ["/", "/", "/nowhere"].map(PathBuf::from);
        let found = disks(&paths);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.as_ref().unwrap().available > 0);
    }

    #[test]
    fn packages_that_want_a_reboot_are_named_once() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(reboot(run.path()), Ok(None));
        fs_err::write(run.path().join("reboot-required"), "").unwrap();
        assert_eq!(reboot(run.path()), Ok(Some(Vec::new())));
        fs_err::write(run.path().join("reboot-required.pkgs"), "linux\nlibc6\nlinux\n").unwrap();
        assert_eq!(reboot(run.path()), Ok(Some(vec!["libc6".to_owned(), "linux".to_owned()])));
    }
}
