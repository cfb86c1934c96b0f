//! The rules by example: what was seen, and what is told of it.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use jiff::SignedDuration;

use super::*;
use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    docker::{Container, ContainerHealth, ContainerState},
    health::{
        observe::{
            Answers, AppSeen, BackupSeen, ClockState, ContainerSeen, Cpu, Disk, HostSeen, Memory,
            ServiceSeen, Stands, Undelivered, UnderWay,
        },
        series,
    },
    ingress::{HostCertificate, RouteTls},
    release::{Failure, ReleaseEnds, plan::Ends},
};

const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);
const GIB: u64 = 1 << 30;

fn at(seconds: i64) -> Timestamp {
    NOW.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn days(days: i64) -> Timestamp {
    at(days * 86_400)
}

fn host() -> HostSeen {
    let disk = Disk { used: 10 * GIB, available: 10 * GIB, files: Some(1000), files_available: 900 };
    HostSeen {
        cpu: Ok(Cpu { busy: 0.1, stolen: 0.0, over: Duration::from_mins(1) }),
        memory: Ok(Memory { total: 4 * GIB, available: 3 * GIB, load: 0.5, cpus: 2 }),
        disks: vec![(PathBuf::from("/"), Ok(disk))],
        clock: Ok(ClockState { synchronised: true, offset: Some(SignedDuration::from_millis(-3)) }),
        certificate: Ok(days(700)),
        failed_units: Ok(Vec::new()),
        reboot: Ok(None),
        docker: Ok(()),
        undelivered: Ok(Vec::new()),
    }
}

#[test]
fn a_receiver_that_is_away_for_long_is_a_warning_to_the_others() {
    let away = |seconds: i64, receiver: &str| Undelivered {
        receiver: receiver.to_owned(),
        since: at(-seconds),
        why: "answered 404 Not Found".to_owned(),
    };
    let told = |undelivered| {
        let observation = observation(HostSeen { undelivered, ..host() }, Vec::new());
        let judged = judge(&observation, (&HealthConfig::default(), &History::default()), &BTreeMap::new());
        let check = judged.checks.into_iter().find(|check| check.id == CheckId::host("alerts")).unwrap();
        (check.level, check.why)
    };
    assert_eq!(told(Ok(vec![away(600, "slack 1")])).0, Level::Good);
    let (level, why) = told(Ok(vec![away(601, "slack 1"), away(5, "pager"), away(90_000, "ops")]));
    assert_eq!(level, Level::Warning);
    assert!(
        why.starts_with("not taken by slack 1, ops; slack 1 since 2026-11-18T10:56:39Z: answered 404"),
        "{why}"
    );
    assert_eq!(told(Err(Unseen("no".to_owned()))).0, Level::Unknown);
}

fn container(state: ContainerState) -> ContainerSeen {
    let container = Container {
        id: "0123456789abcdef".to_owned(),
        name: "shop-web-1".to_owned(),
        state,
        ..Container::default()
    };
    ContainerSeen { container, ran_out_of_memory: false, probed: None }
}

fn app(containers: Vec<ContainerSeen>) -> AppSeen {
    let web = ServiceName::new("web");
    AppSeen {
        app: AppName::new("shop").unwrap(),
        serving: Some(ReleaseNumber::new(7)),
        ends: ReleaseEnds::default(),
        under_way: None,
        in_maintenance: false,
        services: Ok(vec![ServiceSeen { name: web.clone(), wanted: 1, ends: Ends::Never, containers }]),
        hosts: Vec::new(),
        routed: BTreeSet::from([web]),
        answers: Ok(BTreeMap::new()),
        answered: BTreeMap::new(),
        backups: Ok(Vec::new()),
    }
}

fn well() -> AppSeen {
    app(vec![container(ContainerState::Running)])
}

fn observation(host: HostSeen, apps: Vec<AppSeen>) -> Observation {
    Observation { at: NOW, host, apps: Ok(apps) }
}

/// All limits told at once.
fn at_once() -> HealthConfig {
    let mut config = HealthConfig { bad_for: Duration::ZERO, ..HealthConfig::default() };
    for limit in [
        &mut config.cpu_percent,
        &mut config.memory_percent,
        &mut config.disk_percent,
        &mut config.inodes_percent,
        &mut config.disk_full_hours,
        &mut config.load_per_cpu,
        &mut config.clock_offset_ms,
        &mut config.errors_percent,
        &mut config.p95_ms,
    ] {
        limit.hold = Duration::ZERO;
    }
    config
}

/// What is not good, as `level id: why`.
fn findings(observation: &Observation) -> Vec<String> {
    findings_after(observation, &History::default())
}

fn findings_after(observation: &Observation, history: &History) -> Vec<String> {
    let judged = judge(observation, (&at_once(), history), &BTreeMap::new());
    let bad = judged.checks.into_iter().filter(|check| check.level != Level::Good);
    bad.map(|check| format!("{} {}: {}", check.level.word(), check.id, check.why)).collect()
}

fn tracks(judged: &Judged) -> BTreeMap<CheckId, Track> {
    judged.tracks.iter().map(|track| (track.id.clone(), track.clone())).collect()
}

#[test]
fn what_is_well_is_good_and_has_figures() {
    let judged =
        judge(&observation(host(), vec![well()]), (&at_once(), &History::default()), &BTreeMap::new());
    let told: Vec<String> =
        judged.checks.iter().map(|check| format!("{}: {}: {}", check.id, check.what, check.why)).collect();
    insta::assert_snapshot!(told.join("\n"));
    assert!(judged.checks.iter().all(|check| check.level == Level::Good && check.hint.is_empty()));
    assert_eq!(judged.changes, []);
}

#[test]
fn a_droplet_in_trouble_says_what_and_how_much() {
    let disk = Disk { used: 95 * GIB, available: 5 * GIB, files: Some(1000), files_available: 10 };
    let bad = HostSeen {
        undelivered: Ok(vec![Undelivered {
            receiver: "slack 1".to_owned(),
            since: at(-3600),
            why: "answered 404 Not Found".to_owned(),
        }]),
        cpu: Ok(Cpu { busy: 0.93, stolen: 0.2, over: Duration::from_secs(61) }),
        memory: Ok(Memory { total: 4 * GIB, available: GIB / 10, load: 40.0, cpus: 2 }),
        disks: vec![
            (PathBuf::from("/"), Ok(disk)),
            (PathBuf::from("/mnt/data"), Err(Unseen("it hangs".to_owned()))),
        ],
        clock: Ok(ClockState { synchronised: false, offset: None }),
        certificate: Ok(days(-1)),
        failed_units: Ok((1..8).map(|n| format!("u{n}.service")).collect()),
        reboot: Ok(Some(vec!["linux-image".to_owned()])),
        docker: Err(Unseen("no answer within 20 s".to_owned())),
    };
    insta::assert_snapshot!(findings(&observation(bad, Vec::new())).join("\n"));
    let clock = HostSeen {
        clock: Ok(ClockState { synchronised: true, offset: Some(SignedDuration::from_secs(-7)) }),
        certificate: Ok(days(20)),
        ..host()
    };
    assert_eq!(
        findings(&observation(clock, Vec::new())),
        [
            "warning host.certificate: holds for 20 days more",
            "critical host.clock: synchronised, was off by 7000 ms"
        ]
    );
}

#[test]
fn a_disk_that_fills_up_is_told_before_it_is_full() {
    let filled = |per_minute: u64| {
        let first = 10 * GIB - per_minute * 120;
        let points = (0..120_i64).zip(0_u64..).map(|(minute, n)| {
            (at((minute - 120) * 60), crate::health::series::float(first + per_minute * n))
        });
        let disks = BTreeMap::from([(series::disk(&PathBuf::from("/")), points.collect())]);
        findings_after(&observation(host(), Vec::new()), &History { disks, ..History::default() })
    };
    // 10 GiB are left.
    assert_eq!(filled(GIB / 240), ["warning host.filling: full in 40 hours at this rate"]);
    assert_eq!(filled(GIB / 24), ["critical host.filling: full in 4 hours at this rate"]);
    assert!(filled(GIB / 1024).is_empty(), "in a week");
}

#[test]
fn containers_that_are_not_as_they_should_be() {
    let told = |seen: Vec<ContainerSeen>| findings(&observation(host(), vec![app(seen)]));
    assert_eq!(told(Vec::new()), ["critical app.shop.service.web: 0 of 1 containers are there"]);
    let with = |change: &dyn Fn(&mut ContainerSeen)| {
        let mut seen = container(ContainerState::Running);
        change(&mut seen);
        told(vec![seen])
    };
    let id = "app.shop.container.shop-web-1";
    assert_eq!(
        with(&|seen| {
            seen.container.state = ContainerState::Exited;
            seen.container.exit_code = 3;
        }),
        [format!("critical {id}: ended with exit code 3")]
    );
    assert_eq!(
        with(&|seen| {
            seen.container.health = ContainerHealth::Unhealthy;
            seen.container.last_probe = "connection\n refused".to_owned();
        }),
        [format!("critical {id}: unhealthy: connection refused")]
    );
    assert_eq!(
        with(&|seen| seen.probed = Some(Err("GET :8000/ answered 503".to_owned()))),
        ["critical app.shop.probes.shop-web-1: GET :8000/ answered 503"]
    );
    assert_eq!(
        with(&|seen| seen.ran_out_of_memory = true),
        ["warning app.shop.memory.shop-web-1: the kernel ended a process in it for want of memory"]
    );
    for state in
        [ContainerState::Paused, ContainerState::Created, ContainerState::Dead, ContainerState::Restarting]
    {
        assert_eq!(told(vec![container(state)]).len(), 1, "{state:?}");
    }
}

#[test]
fn one_that_may_end_has_to_end_well() {
    let told = |ends, exit_code| {
        let mut seen = container(ContainerState::Exited);
        seen.container.exit_code = exit_code;
        let mut app = app(vec![seen]);
        app.services.as_mut().unwrap()[0].ends = ends;
        findings(&observation(host(), vec![app])).len()
    };
    assert_eq!(
        (told(Ends::Maybe, 0), told(Ends::Always, 0), told(Ends::Never, 0), told(Ends::Maybe, 1)),
        (0, 0, 1, 1)
    );
}

#[test]
fn restarts_count_from_what_there_was() {
    let told = |restarts, before: Option<u64>| {
        let mut seen = container(ContainerState::Running);
        seen.container.restarts = restarts;
        let restarts =
            before.map(|before| (series::container(&seen.container.id), before)).into_iter().collect();
        let history = History { restarts, ..History::default() };
        findings_after(&observation(host(), vec![app(vec![seen])]), &history)
    };
    assert!(told(40, None).is_empty(), "long ago");
    assert_eq!(
        told(42, Some(40)),
        ["warning app.shop.restarts.shop-web-1: started again by Docker 2 times within 10 min"]
    );
    assert_eq!(told(50, Some(40)).len(), 1);
    assert!(told(1, Some(40)).is_empty(), "somebody started it anew");
}

#[test]
fn while_a_release_is_under_way_containers_come_and_go() {
    let release = |since, stands| {
        let mut app = app(Vec::new());
        app.under_way = Some(UnderWay { release: ReleaseNumber::new(8), since, stands });
        findings(&observation(host(), vec![app]))
    };
    assert!(release(at(-60), Stands::Running).is_empty());
    assert_eq!(
        release(at(-7300), Stands::Running),
        ["warning app.shop.release: r8 is under way for 2 hours"]
    );
    let failure = Failure::new("r8 is stuck", "Docker refused");
    assert_eq!(
        release(at(-60), Stands::Stuck(Some(failure.clone()))).len(),
        2,
        "the container is missing for good"
    );
    assert!(
        release(at(-60), Stands::InDoubt(failure))[0]
            .starts_with("critical app.shop.release: r8 is in doubt")
    );
}

#[test]
fn answers_are_judged_where_there_are_enough() {
    let told = |total, server_errors, p95| {
        let mut app = well();
        let answers = Answers { total, server_errors, p95: Duration::from_millis(p95) };
        app.answers = Ok(BTreeMap::from([(ServiceName::new("web"), answers)]));
        findings(&observation(host(), vec![app]))
    };
    assert!(told(100, 4, 900).is_empty());
    assert_eq!(told(100, 6, 900), ["warning app.shop.errors.web: 6 of 100 requests failed"]);
    assert_eq!(told(100, 0, 2500), ["warning app.shop.times.web: 95 of 100 of 100 requests within 2 s"]);
    assert!(told(19, 19, 60_000).is_empty(), "too few");
    let mut maintained = well();
    let answers = Answers { total: 100, server_errors: 100, p95: Duration::ZERO };
    maintained.answers = Ok(BTreeMap::from([(ServiceName::new("web"), answers)]));
    maintained.in_maintenance = true;
    assert!(findings(&observation(host(), vec![maintained])).is_empty());
}

#[test]
fn backups_that_do_not_come_or_are_no_good() {
    const DAY: Duration = Duration::from_hours(24);
    let seen = BackupSeen {
        service: ServiceName::new("db"),
        every: Ok(Some(DAY)),
        verified_every: Ok(Some(7 * DAY)),
        since: days(-100),
        newest: Some(at(-3600)),
        size: None,
        verified: Some(days(-2)),
        verify_took: None,
        failure: None,
        verify_failure: None,
    };
    let told = |seen: BackupSeen| {
        let mut app = well();
        app.backups = Ok(vec![seen]);
        findings(&observation(host(), vec![app]))
    };
    assert!(told(seen.clone()).is_empty());
    let late = BackupSeen { newest: Some(at(-27 * 3600)), ..seen.clone() };
    assert_eq!(
        told(late),
        ["warning app.shop.backup.db: the last good one is 27 hours old, and one was due since"]
    );
    let never = BackupSeen { newest: None, verified: None, ..seen.clone() };
    assert_eq!(told(never).len(), 2);
    let young = BackupSeen { newest: None, verified: None, since: at(-60), ..seen.clone() };
    assert!(told(young).is_empty());
    let failed =
        BackupSeen { failure: Some(Failure::new("no backup of db", "the disk is full")), ..seen.clone() };
    assert_eq!(
        told(failed),
        [
            "warning app.shop.backup.db: the latest failed: no backup of db: the disk is full; the last good one is 60 min old"
        ]
    );
    let damaged = BackupSeen {
        verify_failure: Some(Failure::new("damaged", "a part")),
        verified: None,
        ..seen.clone()
    };
    assert!(told(damaged)[0].starts_with("critical app.shop.verification.db"));
    let by_hand = BackupSeen { every: Ok(None), verified_every: Ok(None), newest: None, ..seen };
    assert!(told(by_hand).is_empty());
}

#[test]
fn certificates_of_hosts() {
    let told = |tls, not_after| {
        let mut app = well();
        app.hosts = vec![HostCertificate { host: "a.de".to_owned(), tls, not_after, trouble: None }];
        findings(&observation(host(), vec![app]))
    };
    assert!(told(RouteTls::Acme, Some(days(30))).is_empty());
    assert_eq!(
        told(RouteTls::Acme, Some(days(10))),
        ["warning app.shop.certificate.a.de: holds for 10 days more"]
    );
    assert!(told(RouteTls::Internal, Some(at(3600))).is_empty(), "renewed each few hours");
    assert!(told(RouteTls::Internal, Some(at(-3600)))[0].starts_with("critical"));
    assert!(told(RouteTls::Off, None).is_empty());
}

#[test]
fn what_cannot_be_seen_is_unknown_and_what_is_gone_has_ended() {
    let config = at_once();
    let history = History::default();
    let bad = observation(host(), vec![app(vec![container(ContainerState::Paused)])]);
    let first = judge(&bad, (&config, &history), &BTreeMap::new());
    assert_eq!(first.changes.len(), 1);
    // Docker is away: long enough, and nothing of an app is called good.
    let mut before = tracks(&first);
    for minute in 1..=5 {
        let away = Observation {
            at: at(minute * 60),
            apps: Err(Unseen("Docker does not answer".to_owned())),
            ..observation(host(), Vec::new())
        };
        let judged = judge(&away, (&config, &history), &before);
        let of_apps = judged.checks.iter().filter(|check| check.id.whose().is_some());
        for check in of_apps {
            assert_eq!(check.level == Level::Unknown, minute >= 4, "{check:?}");
        }
        assert_eq!(judged.checks.len(), first.checks.len());
        before = tracks(&judged);
    }
    // Back, and a release has taken the container's place.
    let mut other = container(ContainerState::Running);
    other.container.name = "shop-web-2".to_owned();
    let judged = judge(
        &Observation { at: at(360), ..observation(host(), vec![app(vec![other])]) },
        (&config, &history),
        &before,
    );
    let ended: Vec<_> = judged.changes.iter().filter(|change| change.check.level == Level::Good).collect();
    assert!(
        ended.iter().any(|change| change.check.id.to_string() == "app.shop.container.shop-web-1"),
        "{ended:?}"
    );
}
