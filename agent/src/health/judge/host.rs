//! The rules about the droplet. Pure.

use std::{path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    Condition, History, Reading,
    condition::Worse,
    trend,
    words::{bytes, count, short, time},
};
use crate::{
    config::{HealthConfig, Limit},
    health::{
        CheckId, Level,
        observe::{ClockState, Cpu, Disk, HostSeen, Memory, Seen, Undelivered},
        series::{self, float},
    },
};

/// How many names are told one by one.
const NAMED: usize = 5;
/// A receiver that is away for less is nobody's business: it is tried again.
const AWAY: Duration = Duration::from_mins(10);

pub(super) fn conditions(
    host: &HostSeen,
    (now, config): (Timestamp, &HealthConfig),
    history: &History,
) -> Vec<Condition> {
    let mut found = vec![
        seen("cpu", "processors", &host.cpu, |id, what, cpu| self::cpu(id, what, cpu, config)),
        seen("memory", "memory", &host.memory, |id, what, memory| self::memory(id, what, memory, config)),
        seen("load", "load", &host.memory, |id, what, memory| load(id, what, memory, config)),
        seen("clock", "clock", &host.clock, |id, what, clock| self::clock(id, what, clock, config)),
        seen("certificate", "the agent's certificate", &host.certificate, |id, what, until| {
            certificate((id, what), *until, (now, config.certificate_days, config))
                .hint("run any command of tidegate with a certificate that may sign (`tidegate status`): it renews the agent's")
        }),
        seen("units", "systemd units", &host.failed_units, |id, what, units| {
            self::units(id, what, units, config)
        }),
        seen("reboot", "reboot", &host.reboot, |id, what, reboot| self::reboot(id, what, reboot.as_deref())),
        docker(&host.docker, config),
        seen("alerts", "alerts", &host.undelivered, |id, what, all| alerts(id, what, all, now)),
    ];
    for (path, disk) in &host.disks {
        found.extend(disks(path, disk, (config, history)));
    }
    found
}

fn seen<T>(
    name: &str,
    what: &str,
    value: &Seen<T>,
    judge: impl FnOnce(CheckId, &str, &T) -> Condition,
) -> Condition {
    match value {
        Ok(value) => judge(CheckId::host(name), what, value),
        Err(unseen) => Condition::unseen(CheckId::host(name), what, unseen),
    }
}

fn limited(
    (id, what): (CheckId, &str),
    (value, limit, worse): (f64, Limit, Worse),
    (why, config): (String, &HealthConfig),
) -> Condition {
    Condition::new(id, what, Reading::of(value, (limit, worse)), why).held(limit.hold, config.ends_after)
}

fn cpu(id: CheckId, what: &str, cpu: &Cpu, config: &HealthConfig) -> Condition {
    let busy = cpu.busy * 100.0;
    let stolen = if cpu.stolen >= 0.01 {
        format!(", {:.0} % of it taken by the hypervisor", cpu.stolen * 100.0)
    } else {
        String::new()
    };
    let why = format!("{busy:.0} % busy over {}{stolen}", time(cpu.over));
    limited((id, what), (busy, config.cpu_percent, Worse::More), (why, config))
        .hint("see what it is: `tidegate exec --host -- top -b -n 1`; a larger size has more processors")
}

fn memory(id: CheckId, what: &str, memory: &Memory, config: &HealthConfig) -> Condition {
    let used = (1.0 - share(memory.available, memory.total)) * 100.0;
    let why = format!("{used:.0} % used, {} of {} left", bytes(memory.available), bytes(memory.total));
    limited((id, what), (used, config.memory_percent, Worse::More), (why, config))
        .hint("see whose it is: `tidegate exec --host -- docker stats --no-stream`; give services a `mem_limit`, or the droplet a larger size")
}

fn load(id: CheckId, what: &str, memory: &Memory, config: &HealthConfig) -> Condition {
    let per_cpu = memory.load / f64::from(memory.cpus.max(1));
    let why = format!("{:.2} on {}", memory.load, count(u64::from(memory.cpus), "processor"));
    limited((id, what), (per_cpu, config.load_per_cpu, Worse::More), (why, config))
        .hint("too much waits for processors or the disk: `tidegate exec --host -- vmstat 1 5` tells which")
}

fn clock(id: CheckId, what: &str, clock: &ClockState, config: &HealthConfig) -> Condition {
    let offset = clock.offset.map(SignedDuration::abs);
    let measured = offset.map(|offset| offset.as_secs_f64() * 1000.0);
    let limit = config.clock_offset_ms;
    let (reading, why) = match (clock.synchronised, measured) {
        (false, _) => (Reading::is(Level::Warning), "is not synchronised with a time server".to_owned()),
        (true, None) => (Reading::is(Level::Good), "synchronised".to_owned()),
        (true, Some(offset)) => {
            (Reading::of(offset, (limit, Worse::More)), format!("synchronised, was off by {offset:.0} ms"))
        }
    };
    Condition::new(id, what, reading, why)
        .held(limit.hold, config.ends_after)
        .hint("see `tidegate exec --host -- timedatectl timesync-status`; certificates and timers need the right time")
}

/// One that runs out.
pub(super) fn certificate(
    (id, what): (CheckId, &str),
    until: Timestamp,
    (now, limit, config): (Timestamp, Limit, &HealthConfig),
) -> Condition {
    let left = until.duration_since(now);
    let days = left.as_secs_f64() / 86_400.0;
    let why = match Duration::try_from(left) {
        Ok(left) => format!("holds for {} more", time(left)),
        Err(_) => format!("ran out at {}", seconds(until)),
    };
    limited((id, what), (days, limit, Worse::Less), (why, config))
}

/// Without fractions.
pub(super) fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn units(id: CheckId, what: &str, failed: &[String], config: &HealthConfig) -> Condition {
    let (reading, why) = match failed {
        [] => (Reading::is(Level::Good), "none failed".to_owned()),
        failed => (Reading::is(Level::Warning), format!("failed: {}", names(failed))),
    };
    Condition::new(id, what, reading, why)
        .held(config.bad_for, config.ends_after)
        .hint("see `tidegate exec --host -- systemctl --failed`, then `systemctl status UNIT`; `systemctl reset-failed UNIT` forgets one")
}

fn reboot(id: CheckId, what: &str, packages: Option<&[String]>) -> Condition {
    let (reading, why) = match packages {
        None => (Reading::is(Level::Good), "none is pending".to_owned()),
        Some([]) => (Reading::is(Level::Warning), "the droplet wants to be started again".to_owned()),
        Some(packages) => (
            Reading::is(Level::Warning),
            format!("the droplet wants to be started again for {}", names(packages)),
        ),
    };
    Condition::new(id, what, reading, why)
        .hint("when it suits: `tidegate exec --host -- systemctl reboot`; updates of the kernel hold only afterwards")
}

fn docker(docker: &Seen<()>, config: &HealthConfig) -> Condition {
    let (reading, why) = match docker {
        Ok(()) => (Reading::is(Level::Good), "answers".to_owned()),
        Err(unseen) => (Reading::is(Level::Critical), short(&unseen.0)),
    };
    Condition::new(CheckId::host("docker"), "Docker", reading, why)
        .held(config.bad_for, config.ends_after)
        .hint("see `tidegate exec --host -- systemctl status docker`; with live-restore, containers go on meanwhile")
}

/// Others hear of a receiver that cannot be reached; so it is never critical.
fn alerts(id: CheckId, what: &str, undelivered: &[Undelivered], now: Timestamp) -> Condition {
    let away =
        |one: &&Undelivered| Duration::try_from(now.duration_since(one.since)).is_ok_and(|away| away > AWAY);
    let away: Vec<&Undelivered> = undelivered.iter().filter(away).collect();
    let (reading, why) = match away.as_slice() {
        [] => (Reading::is(Level::Good), "nobody who is to be told is away".to_owned()),
        [first, ..] => {
            let told: Vec<String> = away.iter().map(|one| one.receiver.clone()).collect();
            let since = seconds(first.since);
            let why = format!(
                "not taken by {}; {} since {since}: {}",
                names(&told),
                first.receiver,
                short(&first.why)
            );
            (Reading::is(Level::Warning), why)
        }
    };
    Condition::new(id, what, reading, why)
        .hint("`tidegate alert test` tries all receivers and tells what is wrong; what waits is sent when they answer again")
}

/// A disk, its files, and when it is full.
fn disks(path: &Path, disk: &Seen<Disk>, (config, history): (&HealthConfig, &History)) -> Vec<Condition> {
    let at = path.display();
    let id = |name: &str| {
        let is_root = path == Path::new("/");
        CheckId::host(if is_root { name.to_owned() } else { format!("{name}:{at}") })
    };
    let what = format!("disk {at}");
    let disk = match disk {
        Ok(disk) => disk,
        Err(unseen) => return vec![Condition::unseen(id("disk"), what, unseen)],
    };
    // As df reckons: what only root may use belongs to neither.
    let total = disk.used.saturating_add(disk.available);
    let used = share(disk.used, total) * 100.0;
    let why = format!("{used:.0} % used, {} of {} left", bytes(disk.available), bytes(total));
    let mut found = vec![
        limited((id("disk"), &what), (used, config.disk_percent, Worse::More), (why, config))
            .hint("see `tidegate exec --host -- docker system df` and `df -h`; `docker image prune -a` removes images that nobody uses"),
    ];
    if let Some(files) = disk.files {
        let used = (1.0 - share(disk.files_available, files)) * 100.0;
        let why = format!("{used:.0} % of its {files} inodes used");
        let what = format!("files on {at}");
        found.push(
            limited((id("inodes"), &what), (used, config.inodes_percent, Worse::More), (why, config))
                .hint("many small files: `tidegate exec --host -- du --inodes -x -d 3 /var` tells where"),
        );
    }
    found.push(filling((id("filling"), &format!("room on {at}")), (path, disk), (config, history)));
    found
}

fn filling(
    (id, what): (CheckId, &str),
    (path, disk): (&Path, &Disk),
    (config, history): (&HealthConfig, &History),
) -> Condition {
    let limit = config.disk_full_hours;
    let points = history.disks.get(&series::disk(path)).map_or(&[][..], Vec::as_slice);
    let left = trend::growth(points).and_then(|growth| trend::used_up(float(disk.available), growth));
    let (reading, why) = match left {
        None => (Reading::is(Level::Good), "does not fill up".to_owned()),
        Some(left) => {
            let hours = left.as_secs_f64() / 3600.0;
            (Reading::of(hours, (limit, Worse::Less)), format!("full in {} at this rate", time(left)))
        }
    };
    Condition::new(id, what, reading, why)
        .held(limit.hold, config.ends_after)
        .hint("see what grows: `tidegate exec --host -- du -xh -d 2 /var | sort -h | tail`; logs and backups are usual")
}

/// Which part one number is of another; nothing of nothing is none of it.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}

fn names(all: &[String]) -> String {
    let named: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
    let rest = all.len().saturating_sub(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}
