//! What is told of apps at `/metrics`, read by a real Prometheus; and that everything that the dashboards of `deployment/monitoring`
//! ask has an answer. That of backups is asked where there are some, in `health::backups`.

use std::{net::Ipv4Addr, path::Path, time::Duration};

use bollard::query_parameters::StopContainerOptionsBuilder;
use tidegate_agent::{
    clock::{Clock as _, SystemClock},
    health::Level,
    metrics::{self, Metrics},
    release::ReleaseState,
};
use tidegate_proto::v1::SetAlertsRequest;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    health::site::Site,
    release::fixture::{App, Fixture, ended, get, input},
};
use crate::{
    alerts::site::{hook, request},
    support::{
        prometheus::{Programs, Prometheus, all_answer, monitoring},
        webhook::{Does, Webhook},
    },
};

const WEB: &str = "
services:
  web:
    image: probe:1
    init: true
    mem_limit: 64m
    command: [sh, -c, 'mkdir /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www']
    healthcheck: { test: [CMD, 'true'], interval: 1s }
    x-tidegate:
      ingress: { host: [a.de, secure.test], port: 8000, tls: internal, redirect: off }
      gate: { stable: 200ms, probes: [ { command: ['true'] } ] }
  gone:
    image: probe:1
    init: true
    command: [sh, -c, 'mkdir /tmp/www; exec httpd -f -p 8000 -h /tmp/www']
    x-tidegate: { ingress: { host: b.de, port: 8000, tls: off }, gate: { stable: 200ms } }
";

/// What the agent would serve of it.
pub async fn served(site: &Site, stop: &CancellationToken) -> std::net::SocketAddr {
    let metrics = Metrics {
        health: site.health.clone(),
        alerts: site.alerts.clone(),
        domain: "shop.test".parse().unwrap(),
        droplet: std::sync::Arc::new(|| Some("7".to_owned())),
        started: SystemClock.now(),
        cgroups: "/sys/fs/cgroup".into(),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(metrics::serve(metrics, (address, Some(listener)), stop.clone()));
    address
}

/// The app of monitoring itself: an agent that is allowed it would run it.
async fn monitoring_would_be_run(fixture: &Fixture) {
    let read = |file: &str| fs_err::read_to_string(monitoring(file)).unwrap();
    let mut app = App::new("monitoring", &read("compose.yaml"))
        .variable("REGISTRY", "127.0.0.1:5000")
        .variable("GRAFANA_PASSWORD", "a-secret-of-the-test");
    for folder in
        ["", "grafana/dashboards", "grafana/provisioning/datasources", "grafana/provisioning/dashboards"]
    {
        for file in fs_err::read_dir(monitoring(folder)).unwrap().map(Result::unwrap) {
            let name = Path::new(folder).join(file.file_name()).display().to_string();
            if file.file_type().unwrap().is_file() && name != "compose.yaml" {
                app = app.file(&name, &read(&name));
            }
        }
    }
    fixture.engine.plan(&input(&app)).await.expect_err("nobody allowed it the droplet's network");
    fs_err::write(fixture.state().join("policy.toml"), read("policy.toml")).unwrap();
    // Its images are those of others, and not here: nothing else is missing.
    let refused = fixture.refused(&app).await;
    assert!(
        refused.iter().all(|failure| failure.what.starts_with("the image 127.0.0.1:5000/")),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_answers_everything_that_the_dashboards_ask() {
    let Some(programs) = Programs::named() else { return };
    let fixture = Fixture::start().await;
    monitoring_would_be_run(&fixture).await;
    let web = App::new("web", WEB);
    assert_eq!(ended(&fixture.release(&web).await), ReleaseState::Released);
    let site = Site::new(&fixture, &[fixture.state()]).await;
    let (away, ping) = (Webhook::start().await, Webhook::start().await);
    away.does(Does::Answer(500, None, "no".to_owned()));
    let both = request(vec![hook("hook", &site.webhook), hook("away", &away)]);
    site.alerts.set(SetAlertsRequest { ping: ping.url(), ..both }).await.unwrap();
    // All is well, so the ping goes out; then something is not.
    site.look().await;
    ping.until(1).await;

    let stop = CancellationToken::new();
    let prometheus = Prometheus::start(&programs, served(&site, &stop).await);
    let now = StopContainerOptionsBuilder::default().t(0).build();
    fixture.docker.client().stop_container("web-gone-1", Some(now)).await.unwrap();
    site.fires("app.web.container.web-gone-1", Level::Critical).await;
    let docker = &fixture.docker;
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for (host, path) in [("a.de", "/"), ("a.de", "/nothing"), ("b.de", "/")] {
                scope.spawn(move || get(docker, host, path));
            }
        });
        site.look().await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
    tokio::task::block_in_place(|| {
        prometheus.until("sum(rate(tidegate_ingress_server_errors_total[5m])) > 0");
        let empty = [
            ("tidegate_host_clock_", "there is no systemd here to ask"),
            ("tidegate_host_failed_units", "there is no systemd here to ask"),
            ("ALERTS", "the rules wait for a minute at least"),
        ];
        all_answer(&prometheus, &["hosts", "apps", "alerts"], &empty);
        what_is_told_is_so(&prometheus);
    });
    stop.cancel();
}

fn what_is_told_is_so(prometheus: &Prometheus) {
    for so in [
        r#"tidegate_app_release{app="web"} == 1"#,
        r#"tidegate_app_releases_total{app="web",end="released"} == 1"#,
        r#"tidegate_ingress_requests_total{app="web",service="web"} == 6"#,
        r#"tidegate_ingress_server_errors_total{app="web",service="gone"} == 3"#,
        r#"tidegate_container_running{container="web-gone-1"} == 0"#,
        r#"tidegate_service_containers_wanted{service="gone"} == 1"#,
        r#"tidegate_container_memory_limit_bytes{container="web-web-1"} == 64 * 1024 * 1024"#,
        r#"tidegate_container_memory_working_set_bytes{container="web-web-1"} > 1e4"#,
        r#"tidegate_container_cpu_seconds_total{container="web-web-1"} > 0"#,
        r#"tidegate_alert_messages_waiting{receiver="away"} > 0"#,
        r#"tidegate_alert_receiver_failing{receiver="hook"} == 0"#,
        r#"tidegate_health_check_level{app="web",check="app.web.container.web-gone-1"} == 3"#,
    ] {
        let told = prometheus.query(so);
        assert!(told.as_ref().is_ok_and(|told| !told.is_empty()), "{so}: {told:?}");
    }
}
