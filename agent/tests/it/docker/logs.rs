//! Logs of containers.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tidegate_agent::{
    clock::SystemClock,
    docker_stream::{Channel, DockerStreams},
    logs::{Follow, Lines, LogLine, LogQuery, Logs, LogsError},
};
use tidegate_tests::docker::Docker;
use tokio::time::timeout;

use super::containers;

const PATIENCE: Duration = Duration::from_secs(20);

fn query() -> LogQuery {
    LogQuery {
        app: "shop".to_owned(),
        services: Vec::new(),
        follow: Follow::No,
        since: None,
        until: None,
        tail: None,
    }
}

async fn all(logs: &Logs, query: LogQuery) -> Vec<LogLine> {
    let lines = logs.read(query).await.unwrap();
    timeout(PATIENCE, lines.map(Result::unwrap).collect()).await.unwrap()
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| std::str::from_utf8(&line.text).unwrap()).collect()
}

async fn next(lines: &mut Lines) -> String {
    let line = timeout(PATIENCE, lines.next()).await.unwrap().unwrap().unwrap();
    format!("{} {}", line.container, String::from_utf8(line.text).unwrap())
}

#[tokio::test]
async fn logs_are_merged_bounded_and_followed() {
    let docker = Docker::start().await.unwrap();
    let streams = DockerStreams::new(docker.client().clone(), docker.socket());
    let logs = Logs::new(docker.client().clone(), streams, Arc::new(SystemClock));
    let script = "for i in 1 2 3 4; do echo $0$i; sleep 0.2; done; echo bad >&2; printf unfinished";
    containers::service(&docker, "shop", "web", 1, &script.replace("$0", "web")).await;
    containers::service(&docker, "shop", "job", 1, "head -c 100000 /dev/zero | tr '\\0' x; echo; echo after")
        .await;
    containers::ended(&docker, "shop-web-1").await;
    containers::ended(&docker, "shop-job-1").await;

    everything_by_time(&logs).await;
    bounds(&logs).await;
    what_is_not_there(&logs).await;
    following(&docker, &logs).await;
}

async fn everything_by_time(logs: &Logs) {
    let lines = all(logs, query()).await;
    assert!(lines.is_sorted_by_key(|line| line.at), "not by time");
    let web: Vec<_> = lines.iter().filter(|line| line.service == "web").cloned().collect();
    let mut expected = vec!["web1", "web2", "web3", "web4", "bad", "unfinished"];
    let mut found = texts(&web);
    // Output and error are two pipes; their order is known only in time.
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    let bad = web.iter().find(|line| line.text == b"bad").unwrap();
    assert_eq!((bad.channel, bad.container.as_str()), (Channel::Stderr, "shop-web-1"));
    // One line of 100,000 bytes, which Docker cut, in pieces of ours.
    let job: Vec<_> = lines.iter().filter(|line| line.service == "job").collect();
    let length: usize =
        job.iter().filter(|line| line.text.starts_with(b"x")).map(|line| line.text.len()).sum();
    assert_eq!((length, job.last().unwrap().text.as_slice()), (100_000, &b"after"[..]));
}

async fn bounds(logs: &Logs) {
    let web = |query: LogQuery| LogQuery { services: vec!["web".to_owned()], ..query };
    let tail = all(logs, web(LogQuery { tail: Some(1), ..query() })).await;
    assert_eq!(tail.len(), 1, "{tail:?}");
    let whole = all(logs, web(query())).await;
    let third = whole.iter().find(|line| line.text == b"web3").unwrap().at;
    let from = all(logs, web(LogQuery { since: Some(third), ..query() })).await;
    assert_eq!(texts(&from).first(), Some(&"web3"), "{from:?}");
    let before = all(logs, web(LogQuery { until: Some(third), ..query() })).await;
    assert_eq!(texts(&before), ["web1", "web2"]);
}

async fn what_is_not_there(logs: &Logs) {
    let error = logs.read(LogQuery { app: "other".to_owned(), ..query() }).await.err().unwrap();
    assert!(matches!(error, LogsError::NoApp { .. }), "{error:?}");
    let error = logs.read(LogQuery { services: vec!["wbe".to_owned()], ..query() }).await.err().unwrap();
    assert_eq!(error.to_string(), "app shop has no service wbe on this droplet; it has job, web");
}

async fn following(docker: &Docker, logs: &Logs) {
    let only_web =
        LogQuery { services: vec!["web".to_owned()], follow: Follow::Yes, tail: Some(0), ..query() };
    let mut lines = logs.read(only_web).await.unwrap();
    containers::service(docker, "shop", "web", 2, "echo from the new one; exec sleep 1000").await;
    assert_eq!(next(&mut lines).await, "shop-web-2 from the new one");
    containers::restart(docker, "shop-web-2").await;
    assert_eq!(next(&mut lines).await, "shop-web-2 from the new one");
}
