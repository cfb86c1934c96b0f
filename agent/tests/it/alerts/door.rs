//! Alerts at the agent's door: who may set them, what is written about it, and what is told.

use tidegate_agent::clock::Clock as _;
use tidegate_proto::{
    grants::Role,
    v1::{
        AlertsRequest, AuditEntry, AuditLogRequest, HealthRequest, SetAlertsRequest, TestAlertsRequest,
        alert_receiver::Kind,
    },
};
use tonic::Code;

use super::site::{hook, receiver, request};
use crate::support::{command, enrolled, fleet::Fleet, reason, webhook::Webhook};

#[tokio::test]
async fn an_admin_sets_alerts_and_what_health_finds_is_told() {
    let fleet = Fleet::new("production");
    let (droplet, agent) = enrolled(&fleet).await;
    let webhook = Webhook::start().await;
    let settings = request(vec![hook("hook", &webhook)]);
    let mut admin = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;
    assert!(admin.alerts(AlertsRequest {}).await.unwrap().into_inner().settings.is_empty());
    assert!(admin.set_alerts(settings.clone()).await.unwrap().into_inner().changed);
    assert!(!admin.set_alerts(settings.clone()).await.unwrap().into_inner().changed);

    // Docker is away, which is told after a while.
    admin.health(HealthRequest::default()).await.unwrap();
    let later = droplet.clock.now().checked_add(jiff::Span::new().minutes(2)).unwrap();
    agent.stop().await;
    droplet.set_time(later);
    let agent = droplet.start().await;
    let mut admin = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;
    let health = admin.health(HealthRequest::default()).await.unwrap().into_inner();
    let docker = health.checks.iter().find(|check| check.id == "host.docker").unwrap();
    let told = loop {
        let got = webhook.until(1).await;
        let items = got.iter().flat_map(|got| got.body["firing"].as_array().unwrap().clone());
        if let Some(item) = items.into_iter().find(|item| item["id"] == "host.docker") {
            break item;
        }
        webhook.until(got.len() + 1).await;
    };
    assert_eq!((told["level"].as_str(), told["why"].as_str()), (Some("critical"), Some(docker.why.as_str())));
    let state = admin.alerts(AlertsRequest {}).await.unwrap().into_inner();
    assert_eq!(state.settings, tidegate_proto::alerts::digest(&settings));
    assert!(state.told.iter().any(|told| told.id == "host.docker" && told.told.is_some()), "{state:?}");

    let socket = droplet.socket();
    let (text, tested) = tokio::task::spawn_blocking(move || {
        (command(&socket, &["alerts"]).unwrap(), command(&socket, &["alerts", "--test", "--json"]).unwrap())
    })
    .await
    .unwrap();
    assert!(text.contains("hook  from warning on") && text.contains("told: critical host.docker"), "{text}");
    assert_eq!(tested, "{\"tests\":[{\"receiver\":\"hook\",\"failure\":\"\"}]}\n");
    agent.stop().await;
}

#[tokio::test]
async fn what_is_not_allowed_or_not_meant_is_refused_and_no_secret_is_written_down() {
    let fleet = Fleet::new("production");
    let (_droplet, agent) = enrolled(&fleet).await;
    let webhook = Webhook::start().await;
    let mut viewer = fleet.dial(agent.address, &fleet.user(Role::Viewer)).await;
    let mut operator = fleet.dial(agent.address, &fleet.user(Role::Operator)).await;
    let mut admin = fleet.dial(agent.address, &fleet.user(Role::Admin)).await;
    let settings = request(vec![hook("hook", &webhook), receiver("slack 1", Kind::Slack(webhook.url()))]);
    let denied =
        |status: tonic::Status| assert_eq!(reason(&status), (Code::PermissionDenied, "NOT_GRANTED".into()));
    denied(operator.set_alerts(settings.clone()).await.unwrap_err());
    denied(viewer.test_alerts(TestAlertsRequest {}).await.unwrap_err());
    viewer.alerts(AlertsRequest {}).await.unwrap();
    let wrong = receiver("wrong", Kind::Slack("http://example.com/hunter2".to_owned()));
    let status = admin.set_alerts(request(vec![wrong])).await.unwrap_err();
    let told = tidegate_proto::status::RichError::from_status(&status);
    assert_eq!((told.code, told.place.as_str()), (Code::InvalidArgument, "receivers"));
    assert!(!format!("{status:?}").contains("hunter2"), "{status:?}");
    admin.set_alerts(SetAlertsRequest { ping: webhook.url(), ..settings }).await.unwrap();
    operator.test_alerts(TestAlertsRequest {}).await.unwrap();

    let mut log = admin.audit_log(AuditLogRequest::default()).await.unwrap().into_inner();
    let mut entries: Vec<AuditEntry> = Vec::new();
    while let Some(entry) = log.message().await.unwrap() {
        entries.push(entry);
    }
    assert!(!format!("{entries:?}").contains("hunter2"), "{entries:?}");
    let of = |action: &str| {
        let found = entries.iter().filter(|entry| entry.action == action);
        found.map(|entry| entry.outcome.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("set-alerts"), ["started", "failed: BAD_FIELD", "started", "succeeded"]);
    assert_eq!(of("test-alerts"), ["started", "succeeded"]);
    let set = entries.iter().rfind(|entry| entry.action == "set-alerts").unwrap();
    let field = |name: &str| set.fields.get(name).map(String::as_str);
    assert_eq!(
        (field("receivers"), field("slack"), field("webhook"), field("ping")),
        (Some("2"), Some("1"), Some("1"), Some("yes"))
    );
    agent.stop().await;
}
