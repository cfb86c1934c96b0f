//! Findings of a real Docker's containers and of a real disk: they begin, and they end.

mod backups;
pub mod site;
mod units;

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use bollard::query_parameters::{
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use jiff::tz::TimeZone;
use site::Site;
use tidegate_agent::{
    clock::{Clock as _, SystemClock},
    health::Level,
    release::ReleaseState,
};

use super::release::fixture::{App, Fixture, ended, get};

const MB: u64 = 1_000_000;

/// Each service can be made ill in a way of its own.
fn app() -> App {
    let service = |name: &str, script: &str, more: &str| {
        format!(
            "  {name}:\n    image: probe:1\n    init: true\n    restart: unless-stopped\n    command: [sh, -c, '{script}; exec sleep 1000']\n{more}\n"
        )
    };
    let gate = "    x-tidegate: { gate: { stable: 200ms, timeout: 30s } }";
    let healthcheck =
        "    healthcheck: { test: [CMD, sh, -c, \"test ! -f /tmp/bad\"], interval: 1s, retries: 1 }";
    let probed = "    x-tidegate: { gate: { stable: 200ms, probes: [ { command: [sh, -c, \"echo not here; test ! -f /tmp/bad\"] } ] } }";
    let services = [
        service("stopped", "true", gate),
        service("removed", "true", gate),
        // One process too many for its memory, which is not the first one.
        service(
            "hungry",
            "while ! [ -f /tmp/bad ]; do sleep 0.1; done; rm /tmp/bad; dd if=/dev/zero of=/dev/null bs=300M count=1",
            &format!("    mem_limit: 32m\n{gate}"),
        ),
        // Ends four times.
        service(
            "loops",
            "while ! [ -f /tmp/bad ]; do sleep 0.1; done; echo x >>/tmp/bad; test $$(wc -l </tmp/bad) -ge 5 || exit 5",
            gate,
        ),
        service("ill", "true", &format!("{healthcheck}\n{gate}")),
        service("silent", "true", probed),
    ];
    App::new("sick", &format!("services:\n{}", services.concat()))
}

const ILL: [(&str, &str); 6] = [
    ("app.sick.container.sick-ill-1", "unhealthy: "),
    ("app.sick.container.sick-stopped-1", "ended with exit code "),
    ("app.sick.memory.sick-hungry-1", "for want of memory"),
    ("app.sick.probes.sick-silent-1", "not here"),
    ("app.sick.restarts.sick-loops-1", "started again by Docker "),
    ("app.sick.service.removed", "0 of 1 containers are there"),
];

#[tokio::test(flavor = "multi_thread")]
async fn findings_of_containers_begin_and_end() {
    let fixture = Fixture::start().await;
    let site = Site::new(&fixture, &[]).await;
    assert_eq!(ended(&fixture.release(&app()).await), ReleaseState::Released);
    let well = site.until(|told| told.values().all(|(level, _)| *level == Level::Good)).await;
    assert!(well.len() >= 6 * 4, "{well:?}");

    let client = fixture.docker.client();
    let now = StopContainerOptionsBuilder::default().t(0).build();
    client.stop_container("sick-stopped-1", Some(now)).await.unwrap();
    let force = RemoveContainerOptionsBuilder::default().force(true).build();
    client.remove_container("sick-removed-1", Some(force)).await.unwrap();
    for service in ["hungry", "loops", "ill", "silent"] {
        let (code, told) = fixture.exec(&format!("sick-{service}-1"), &["touch", "/tmp/bad"]).await;
        assert_eq!(code, 0, "{told}");
    }
    // Some end by themselves, before the others begin.
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    site.until(|told| {
        for (id, (level, why)) in told {
            if *level > Level::Unknown {
                seen.entry(id.clone()).or_insert_with(|| why.clone());
            }
        }
        ILL.iter().all(|(id, _)| seen.contains_key(*id))
    })
    .await;
    for (id, why) in ILL {
        assert!(seen[id].contains(why), "{id}: {}", seen[id]);
        let told = site.fires(id, site.worst(id).await).await;
        assert!(
            told["what"].is_string() && told["hint"].as_str().is_some_and(|hint| !hint.is_empty()),
            "{told}"
        );
    }

    // What is stopped is started; what is missing a deploy makes, as the hint says.
    client.start_container("sick-stopped-1", None::<StartContainerOptions>).await.unwrap();
    for service in ["ill", "silent"] {
        fixture.exec(&format!("sick-{service}-1"), &["rm", "/tmp/bad"]).await;
    }
    // A release would not pass the gate of what is not well again.
    let is_missing = |id: &str| id.starts_with("app.sick.service.removed");
    site.until(|told| told.iter().all(|(id, (level, _))| *level == Level::Good || is_missing(id))).await;
    assert_eq!(ended(&fixture.release(&app()).await), ReleaseState::Released);
    site.until(|told| told.values().all(|(level, _)| *level == Level::Good)).await;
    let changes = site.changes().await;
    for (id, _) in ILL {
        let of = |level| changes.iter().filter(|(changed, to)| changed == id && *to == level).count();
        assert!(of(Level::Good) >= 1, "{id}: {changes:?}");
        assert!(of(Level::Critical) + of(Level::Warning) <= 2, "{id} is told once: {changes:?}");
        site.resolves(id).await;
    }

    // A release that takes its time is told, and its containers are not.
    let slow = "services:\n  web:\n    image: probe:1\n    init: true\n    command: [sleep, '1000']\n    x-tidegate: { gate: { stable: 6s, timeout: 30s } }\n";
    let slow = App::new("slow", slow);
    let (events, told) = tokio::join!(fixture.release(&slow), site.fires("app.slow.release", Level::Warning));
    assert_eq!(ended(&events), ReleaseState::Released);
    assert!(told["why"].as_str().unwrap().starts_with("r1 is under way for "), "{told}");
    site.resolves("app.slow.release").await;
}

/// A file system of this test's own, of 200 files and 64 MB.
struct Small(PathBuf);

impl Small {
    fn mounted(place: PathBuf) -> Self {
        fs_err::create_dir(&place).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64m,nr_inodes=200", "tmpfs"]).arg(&place);
        assert!(mount.status().unwrap().success());
        Self(place)
    }

    fn write(&self, name: &str, bytes: usize) {
        fs_err::write(self.0.join(name), vec![1; bytes]).unwrap();
    }

    fn empty(&self) {
        for file in fs_err::read_dir(&self.0).unwrap() {
            fs_err::remove_file(file.unwrap().path()).unwrap();
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

/// Its files are used up; then it fills, hour by hour, of which the clock knows alone.
async fn inodes_and_a_disk_that_fills(site: &Site, small: &Small) {
    let id = |name: &str| format!("host.{name}:{}", small.0.display());
    for file in 0..195 {
        small.write(&file.to_string(), 1);
    }
    let told = site.fires(&id("inodes"), Level::Critical).await;
    assert_eq!(told["why"], "98 % of its 200 inodes used");
    small.empty();
    site.resolves(&id("inodes")).await;

    let ago = |minutes: i64| site.clock.by(jiff::SignedDuration::from_mins(minutes));
    for step in 0..14 {
        ago(240 - 5 * step);
        small.write(&step.to_string(), 2_000_000);
        site.look().await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // 24 MB an hour, and 36 MB left.
    let told = site.fires(&id("filling"), Level::Critical).await;
    assert!(told["why"].as_str().unwrap().starts_with("full in "), "{told}");
    small.empty();
    ago(60);
    site.resolves(&id("filling")).await;
    ago(0);
}

/// Where the agent's database cannot be written, that is told without it.
async fn a_database_that_cannot_be_written(fixture: &Fixture, site: &Site) {
    let is_told = |item: &serde_json::Value| item["level"] == "critical";
    while !site.webhook.items("firing", "host.database").iter().any(is_told) {
        fixture.docker.leave_on_disk(0).unwrap();
        site.look().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    fixture.docker.resize_disk(4000 * MB).unwrap();
    site.resolves("host.database").await;
}

/// So many requests at once, until the receiver was told.
async fn asked_until(fixture: &Fixture, site: &Site, (path, id): (&str, &str)) {
    let is_told = |item: &serde_json::Value| item["level"] != "unknown";
    let told = || site.webhook.items("firing", id).iter().any(is_told);
    for _ in 0..30 {
        // All at once: each waits some seconds for somebody to answer.
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| get(&fixture.docker, "a.de", path));
            }
        });
        site.look().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if told() {
            return;
        }
    }
    panic!("nobody was told of {id}: {:?}", site.look().await);
}

/// A page, one that takes its time, and a certificate that holds for so many days.
fn shop(days: i64) -> App {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut certificate = rcgen::CertificateParams::new(vec!["own.example.com".to_owned()]).unwrap();
    let until =
        SystemClock.now().to_zoned(TimeZone::UTC).date().checked_add(jiff::Span::new().days(days)).unwrap();
    let [month, day] = [until.month(), until.day()].map(|number| u8::try_from(number).unwrap());
    certificate.not_after = rcgen::date_time_ymd(until.year().into(), month, day);
    let certificate = certificate.self_signed(&key).unwrap();
    let compose = r#"
services:
  web:
    image: probe:1
    init: true
    command:
      - sh
      - -c
      - |
        mkdir -p /tmp/www/cgi-bin; echo hello >/tmp/www/index.html
        printf '#!/bin/sh\nsleep 1\necho "Content-Type: text/plain"\necho\necho slow\n' >/tmp/www/cgi-bin/slow
        chmod 755 /tmp/www/cgi-bin/slow
        exec httpd -f -p 8000 -h /tmp/www
    x-tidegate: { ingress: { host: a.de, port: 8000, tls: off }, gate: { stable: 200ms } }
  own:
    image: probe:1
    init: true
    command: [sh, -c, 'mkdir /tmp/www; exec httpd -f -p 8000 -h /tmp/www']
    x-tidegate: { ingress: { host: own.example.com, port: 8000, tls: { certificate: ./own.pem, key: ./own.key } }, gate: { stable: 200ms } }
"#;
    App::new("shop", compose).file("own.pem", &certificate.pem()).file("own.key", &key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_errors_and_a_docker_that_is_away_are_told() {
    let mut fixture = Fixture::as_on_a_droplet(4000 * MB, &[]).await;
    let small = Small::mounted(fixture.state().join("small"));
    let site = Site::new(&fixture, &[fixture.docker.data().to_owned(), small.0.clone()]).await;
    assert_eq!(ended(&fixture.release(&shop(5)).await), ReleaseState::Released);
    // At the end of the day before.
    let told = site.fires("app.shop.certificate.own.example.com", Level::Warning).await;
    assert!(told["why"].as_str().unwrap().starts_with("holds for 4 days"), "{told}");
    assert_eq!(ended(&fixture.release(&shop(100)).await), ReleaseState::Released);
    site.resolves("app.shop.certificate.own.example.com").await;
    inodes_and_a_disk_that_fills(&site, &small).await;
    let disk = format!("host.disk:{}", fixture.docker.data().display());
    site.until(|told| told.get(&disk).is_some_and(|(level, _)| *level == Level::Good)).await;

    // Of a small disk: one in a hundred.
    fixture.docker.leave_on_disk(MB).unwrap();
    let told = site.until(|told| told[&disk].0 == Level::Critical).await;
    assert!(told[&disk].1.contains(" % used, "), "{told:?}");
    site.fires(&disk, Level::Critical).await;
    a_database_that_cannot_be_written(&fixture, &site).await;
    site.resolves(&disk).await;
    site.until(|told| told[&disk].0 == Level::Good).await;

    asked_until(&fixture, &site, ("/cgi-bin/slow", "app.shop.times.web")).await;
    site.resolves("app.shop.times.web").await;
    // Nobody answers: Caddy says 502.
    let now = StopContainerOptionsBuilder::default().t(0).build();
    fixture.docker.client().stop_container("shop-web-1", Some(now)).await.unwrap();
    asked_until(&fixture, &site, ("/", "app.shop.errors.web")).await;
    let told = site.webhook.items("firing", "app.shop.errors.web");
    assert!(told[0]["why"].as_str().unwrap().ends_with("requests failed"), "{told:?}");
    fixture.docker.client().start_container("shop-web-1", None::<StartContainerOptions>).await.unwrap();
    site.resolves("app.shop.errors.web").await;

    fixture.docker.kill_daemon().unwrap();
    let told = site
        .until(|told| {
            told["host.docker"].0 == Level::Critical && told["app.shop.release"].0 == Level::Unknown
        })
        .await;
    let of_app = told.iter().filter(|(id, _)| id.starts_with("app."));
    assert!(
        of_app.clone().count() >= 5 && of_app.clone().all(|(_, (level, _))| *level != Level::Good),
        "{told:?}"
    );
    site.fires("host.docker", Level::Critical).await;
    // What nobody can see is a warning, until it is seen again.
    site.fires("app.shop.release", Level::Unknown).await;
    fixture.docker.start_daemon().await.unwrap();
    site.resolves("host.docker").await;
    site.resolves("app.shop.release").await;
    site.until(|told| told["host.docker"].0 == Level::Good && told["app.shop.release"].0 == Level::Good)
        .await;
}
