//! What is told of a droplet, by example; and that nothing else is.

use std::path::PathBuf;

use jiff::SignedDuration;

use super::*;
use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    docker::{ContainerHealth, ContainerState},
    health::{
        AppFigures, Check, CheckId, ContainerFigures, Level, Report, ServiceFigures, Unseen,
        observe::{BackupSeen, BackupSize, ClockState, Cpu, Disk, HostSeen, Memory},
    },
    ingress::ResponseCounts,
    release::{Failure, ReleaseEnds},
};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);
const SECRET: &str = "hunter2-hunter2";

fn host() -> HostSeen {
    let disk = Disk { used: 10_000, available: 30_000, files: Some(1000), files_available: 900 };
    HostSeen {
        cpu: Ok(Cpu { busy: 0.125, stolen: 0.0, over: Duration::from_mins(1) }),
        memory: Ok(Memory { total: 4000, available: 3000, load: 0.5, cpus: 2 }),
        disks: vec![
            (PathBuf::from("/"), Ok(disk)),
            (PathBuf::from("/mnt/gone"), Err(Unseen(SECRET.to_owned()))),
        ],
        clock: Ok(ClockState { synchronised: true, offset: Some(SignedDuration::from_millis(-3)) }),
        certificate: Ok(NOW),
        failed_units: Ok(vec![SECRET.to_owned()]),
        reboot: Ok(Some(vec![SECRET.to_owned()])),
        docker: Ok(()),
        undelivered: Ok(Vec::new()),
    }
}

fn container(name: &str, state: ContainerState) -> ContainerFigures {
    ContainerFigures {
        id: format!("id of {name}"),
        name: name.to_owned(),
        state,
        health: ContainerHealth::Unhealthy,
        restarts: 3,
        memory_limit: if state == ContainerState::Running { 64_000 } else { 0 },
        probed: (state == ContainerState::Running).then_some(true),
    }
}

fn backup() -> BackupSeen {
    BackupSeen {
        service: ServiceName::new("web"),
        every: Ok(Some(Duration::from_hours(24))),
        verified_every: Err(Unseen(SECRET.to_owned())),
        since: NOW,
        newest: Some(NOW),
        size: Some(BackupSize { plain: 5000, stored: 900, took: Duration::from_millis(2500) }),
        verified: None,
        verify_took: None,
        failure: Some(Failure::new(SECRET, SECRET)),
        verify_failure: None,
    }
}

fn shop() -> AppFigures {
    let web = ServiceName::new("web");
    let containers = vec![
        container("shop-web-1", ContainerState::Running),
        container("shop-web-2", ContainerState::Exited),
    ];
    AppFigures {
        app: AppName::new("shop").unwrap(),
        serving: Some(ReleaseNumber::new(7)),
        ends: ReleaseEnds { released: 6, undone: 1 },
        under_way: None,
        in_maintenance: false,
        services: vec![ServiceFigures { name: web.clone(), wanted: 2, containers }],
        certificates: vec![("shop.example.com".to_owned(), NOW)],
        answered: BTreeMap::from([(web.clone(), ResponseCounts { total: 120, server_errors: 3 })]),
        p95: BTreeMap::from([(web, Duration::from_millis(80))]),
        backups: vec![backup()],
    }
}

fn check(id: CheckId, level: Level) -> Check {
    let secret = || SECRET.to_owned();
    Check { id, level, since: NOW, what: secret(), why: secret(), hint: secret() }
}

fn facts() -> Facts {
    let shop_name = AppName::new("shop").unwrap();
    let checks = vec![
        check(CheckId::app(&shop_name, "container.shop-web-2"), Level::Critical),
        check(CheckId::host("cpu"), Level::Good),
    ];
    let now = Instant::now();
    let figures = Figures {
        report: Arc::new(Report { at: NOW, checks }),
        ended: now.checked_sub(Duration::from_secs(20)).unwrap(),
        took: Duration::from_millis(1500),
        looks: 9,
        host: host(),
        apps: Ok(vec![shop()]),
    };
    let usage = Usage { memory: Some(30_000), cpu: Some(Duration::from_millis(12_250)) };
    let receiver = alerts::ReceiverState {
        delivered: Some(NOW),
        waiting: 2,
        failing: Some((NOW, SECRET.to_owned())),
        lost: 1,
        ..alerts::ReceiverState::default()
    };
    let name = alerts::settings::ReceiverName::new("slack \"ops\"").unwrap();
    Facts {
        info: [
            ("version", "1.2.3".to_owned()),
            ("fleet", "shop".to_owned()),
            ("environment", "production".to_owned()),
            ("droplet", "7".to_owned()),
        ],
        is_enrolled: true,
        started: NOW,
        process: Process { resident: Some(20_000_000), cpu: Duration::from_millis(1250), files: Some(30) },
        figures: Some(Arc::new(figures)),
        now,
        alerts: Some(alerts::State {
            receivers: vec![(name, alerts::settings::Severity::Warning, receiver)],
            ..alerts::State::default()
        }),
        usage: BTreeMap::from([("id of shop-web-1".to_owned(), usage)]),
    }
}

#[test]
fn a_droplet_is_told_in_figures() {
    insta::assert_snapshot!(write(&facts(), Format::OpenMetrics));
}

#[test]
fn what_others_said_is_not_told() {
    for format in [Format::OpenMetrics, Format::Plain] {
        let text = write(&facts(), format);
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn before_the_first_look_the_agent_tells_of_itself() {
    let text = write(&Facts { figures: None, alerts: None, ..facts() }, Format::OpenMetrics);
    assert!(
        text.contains("tidegate_agent_info{version=\"1.2.3\"") && !text.contains("tidegate_host_"),
        "{text}"
    );
}

/// Names, units and suffixes as the format wants them, and each family once.
#[test]
fn families_are_named_as_the_format_wants_it() {
    let text = write(&facts(), Format::OpenMetrics);
    let families: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let mut names: Vec<&str> = families.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), families.len(), "a family stands there twice");
    for (name, kind) in families {
        assert!(name.starts_with("tidegate_") || name.starts_with("process_"), "{name}");
        assert!(
            !["_total", "_info", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)),
            "{name}"
        );
        assert!(
            !["_ms", "_percent", "_kb", "_minutes", "_days"].iter().any(|end| name.contains(end)),
            "{name}"
        );
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let sample = format!("{name}{suffix}");
        let of_family = samples.filter(|line| line.split(['{', ' ']).next() == Some(&sample)).count();
        assert!(of_family > 0, "{name} has no sample");
    }
}
