//! Findings of a real Docker's containers and of a real disk: they begin, and they end.

pub mod site;

use std::collections::BTreeMap;

use bollard::query_parameters::{
    RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use site::Site;
use tidegate_agent::{health::Level, release::ReleaseState};

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
    let site = Site::new(&fixture, &[]);
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
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_errors_and_a_docker_that_is_away_are_told() {
    let mut fixture = Fixture::as_on_a_droplet(4000 * MB, &[]).await;
    let site = Site::new(&fixture, &[fixture.docker.data().to_owned()]);
    let web = "services:\n  web:\n    image: probe:1\n    init: true\n    command: [sh, -c, 'mkdir /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www']\n    x-tidegate: { ingress: { host: a.de, port: 8000, tls: off }, gate: { stable: 200ms } }\n";
    assert_eq!(ended(&fixture.release(&App::new("shop", web)).await), ReleaseState::Released);
    let disk = format!("host.disk:{}", fixture.docker.data().display());
    site.until(|told| told.get(&disk).is_some_and(|(level, _)| *level == Level::Good)).await;

    // Of a small disk: one in a hundred.
    fixture.docker.leave_on_disk(MB).unwrap();
    let told = site.until(|told| told[&disk].0 == Level::Critical).await;
    assert!(told[&disk].1.contains(" % used, "), "{told:?}");
    fixture.docker.resize_disk(4000 * MB).unwrap();
    site.until(|told| told[&disk].0 == Level::Good).await;

    // Nobody answers: Caddy says 502.
    let now = StopContainerOptionsBuilder::default().t(0).build();
    fixture.docker.client().stop_container("shop-web-1", Some(now)).await.unwrap();
    let told = site
        .until(|told| {
            // All at once: each waits some seconds for somebody to answer.
            std::thread::scope(|scope| {
                for _ in 0..10 {
                    scope.spawn(|| get(&fixture.docker, "a.de", "/"));
                }
            });
            told["app.shop.errors.web"].0 == Level::Critical
        })
        .await;
    assert!(told["app.shop.errors.web"].1.ends_with("requests failed"), "{told:?}");

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
    fixture.docker.start_daemon().await.unwrap();
    site.until(|told| told["host.docker"].0 == Level::Good && told["app.shop.release"].0 == Level::Good)
        .await;
}
