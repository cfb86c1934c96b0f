//! `/metrics` at its door: what is answered, to whom, and what a caller may take. There is no Docker here; what is told of apps is
//! in `docker::metrics`.

use std::{net::SocketAddr, time::Duration};

use tidegate_proto::{grants::Role, v1::HealthRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{
    agent::{Agent, Droplet},
    fleet::Fleet,
    prometheus::{Programs, Prometheus, all_answer, monitoring},
};

const METRICS: &str = "[metrics]\nlisten = '127.0.0.1:0'\n[health]\nsample = '1s'\n";
const PATIENCE: Duration = Duration::from_secs(30);

async fn exchange(address: SocketAddr, request: &str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Whoever is cut off before the request was read whole may see a reset.
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8(answer).unwrap()
    };
    timeout(PATIENCE, exchange).await.unwrap()
}

/// Head and body.
async fn get(address: SocketAddr, path: &str, accept: &str) -> (String, String) {
    let answer =
        exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

async fn agent() -> (Fleet, Droplet, Agent) {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await.with_settings(METRICS);
    let agent = droplet.enrolled(&fleet).await;
    (fleet, droplet, agent)
}

async fn look(fleet: &Fleet, agent: &Agent) {
    let mut client = fleet.dial(agent.address, &fleet.user(Role::Viewer)).await;
    client.health(HealthRequest::default()).await.unwrap();
}

#[tokio::test]
async fn what_the_agent_knows_is_read_in_both_formats() {
    let (fleet, _droplet, agent) = agent().await;
    let address = agent.metrics.unwrap();
    let (head, before) = get(address, "/metrics", "*/*").await;
    assert!(
        head.starts_with("http/1.1 200 ") && head.contains("application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    assert!(before.contains("droplet=\"7\"") && before.contains("fleet=\"shop\""), "{before}");
    // Nobody has looked yet, and asking for metrics is no look.
    assert!(!before.contains("tidegate_host_") && before.ends_with("\n# EOF\n"), "{before}");

    look(&fleet, &agent).await;
    let (_, open) =
        get(address, "/metrics?a=b", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    for told in [
        "tidegate_health_looks_total 1\n",
        "tidegate_host_memory_available_bytes ",
        "tidegate_docker_up 0\n",
        "tidegate_health_check_level{app=\"\",check=\"host.memory\"} 0\n",
        "tidegate_agent_certificate_expiry_timestamp_seconds ",
        "# UNIT process_resident_memory_bytes bytes\n",
    ] {
        assert!(open.contains(told), "{told} in {open}");
    }
    let (head, plain) = get(address, "/metrics", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1").await;
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(
        plain.contains("# TYPE tidegate_health_looks_total counter\n") && !plain.contains("# EOF"),
        "{plain}"
    );

    if let Some(programs) = Programs::named() {
        let checked = programs.promtool(&["check", "metrics"], &plain);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success() && said.is_empty(), "{said}");
    }
    agent.stop().await;
}

#[tokio::test]
async fn nothing_else_is_there_and_nobody_holds_it_for_long() {
    let (_fleet, _droplet, agent) = agent().await;
    let address = agent.metrics.unwrap();
    assert!(get(address, "/", "*/*").await.0.starts_with("http/1.1 404 "));
    for (request, status) in [
        ("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".to_owned(), "HTTP/1.1 405 "),
        ("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HTTP/1.1 200 "),
        (
            format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000)),
            "HTTP/1.1 431 ",
        ),
        ("hello\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
    ] {
        let answer = exchange(address, &request).await;
        // What is too long may be cut off before the answer was read.
        assert!(
            answer.starts_with(status) || answer.is_empty() && status.contains("431"),
            "{status}: {answer}"
        );
        assert!(!status.contains("200") || answer.ends_with("\r\n\r\n"), "a body for HEAD: {answer}");
    }
    // As many as there are places say nothing; who comes then waits for them to be cut off, and is answered.
    let begun = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(get(address, "/metrics", "*/*").await.0.starts_with("http/1.1 200 "));
    let waited = begun.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&waited), "{waited:?}");
    agent.stop().await;
    TcpStream::connect(address).await.expect_err("it is still there after the agent's end");
}

#[tokio::test]
async fn an_agent_without_metrics_or_without_their_address_runs_all_the_same() {
    let fleet = Fleet::new("production");
    let droplet = Droplet::new(&fleet).await;
    let agent = droplet.enrolled(&fleet).await;
    assert_eq!(agent.metrics, None);
    agent.stop().await;

    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("[metrics]\nlisten = '{}'\n", other.local_addr().unwrap());
    let droplet = droplet.with_settings(&taken);
    let agent = droplet.start().await;
    assert_eq!(agent.metrics, None);
    look(&fleet, &agent).await;
    agent.stop().await;
}

#[tokio::test]
async fn configuration_and_rules_are_what_prometheus_wants() {
    let Some(programs) = Programs::named() else { return };
    for (what, file) in [("config", "prometheus.yml"), ("rules", "rules.yml")] {
        let checked = programs.promtool(&["check", what, monitoring(file).to_str().unwrap()], "");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_that_collects_from_an_agent_answers_what_is_asked_of_droplets() {
    let Some(programs) = Programs::named() else { return };
    let (fleet, _droplet, agent) = agent().await;
    look(&fleet, &agent).await;
    let prometheus = Prometheus::start(&programs, agent.metrics.unwrap());
    tokio::task::block_in_place(|| {
        prometheus.until("count_over_time(tidegate_health_look_age_seconds[1m]) >= 3");
        all_answer(
            &prometheus,
            &["hosts"],
            &[
                ("tidegate_host_clock_", "there is no systemd here to ask"),
                ("tidegate_host_failed_units", "there is no systemd here to ask"),
            ],
        );
    });
    agent.stop().await;
}
