//! Webhooks, commands and the ping: what arrives, what waits, and what is said of those who do not take it.

use std::time::Duration;

use serde_json::Value;
use tidegate_proto::v1::{AlertCommand, AlertSeverity, QuietHours, alert_receiver::Kind};

use super::site::{Critical, Good, PATIENCE, Site, Warning, has, hook, receiver, request};
use crate::support::webhook::{Does, Got, Webhook};

/// `firing host.disk`, of all messages.
fn said(got: &[Got]) -> Vec<String> {
    let of = |got: &Got| {
        let ids = |section: &str| {
            let items = got.body[section].as_array().unwrap().clone();
            items
                .into_iter()
                .map(|item| format!("{section} {}", item["id"].as_str().unwrap()))
                .collect::<Vec<_>>()
        };
        ["firing", "still", "resolved"].map(ids).concat().join(", ")
    };
    got.iter().map(of).collect()
}

#[tokio::test]
async fn a_finding_and_its_end_arrive_signed() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    running.look(1, &[("disk", Critical), ("cpu", Good)]).await;
    running.look(1, &[("disk", Good), ("cpu", Good)]).await;
    let got = webhook.until(2).await;
    assert_eq!(said(&got), ["firing host.disk", "resolved host.disk"]);
    assert!(got.iter().all(|got| got.is_signed && got.body["id"] == got.id.as_str()), "{got:#?}");
    let first = &got[0].body;
    assert_eq!((first["version"].as_u64(), first["lost"].as_u64()), (Some(1), Some(0)));
    assert_eq!(first["fleet"], "shop");
    assert_eq!(first["firing"][0]["why"], "is critical");
    let state = running.until("hook", |state| state.waiting == 0).await;
    assert!(state.delivered.is_some() && state.failing.is_none(), "{state:?}");
    running.stop().await;
}

#[tokio::test]
async fn what_nobody_takes_waits_on_disk_and_arrives_once_and_in_order() {
    let (site, mut webhook) = (Site::new(), Webhook::start().await);
    webhook.goes_away().await;
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    running.look(1, &[("disk", Warning)]).await;
    running.look(1, &[("disk", Critical)]).await;
    running.look(1, &[("disk", Critical), ("cpu", Warning)]).await;
    let failure = running.failure("hook").await;
    assert!(failure.starts_with("could not be asked: ") && !failure.contains("hunter2"), "{failure}");
    assert_eq!(running.state("hook").await.waiting, 3);
    running.stop().await;

    let running = site.start();
    running.look(1, &[("disk", Critical), ("cpu", Warning)]).await;
    webhook.comes_back().await;
    let got = webhook.until(3).await;
    assert_eq!(said(&got), ["firing host.disk", "firing host.disk", "firing host.cpu"]);
    running.look(1, &[("disk", Critical)]).await;
    assert_eq!(said(&webhook.until(4).await)[3..], ["resolved host.cpu"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(webhook.got().len(), 4, "each arrives once");
    assert_eq!(running.state("hook").await.failing, None);
    running.stop().await;
}

#[tokio::test]
async fn who_asks_for_time_gets_it_and_what_it_says_shows_no_secret() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    let text = format!("\nslow down: {} of {}\nmore", webhook.url(), webhook.settings().secret);
    webhook.does(Does::Answer(503, Some(1), text));
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    running.look(1, &[("disk", Warning)]).await;
    let failure = running.failure("hook").await;
    assert_eq!(failure, "answered 503 Service Unavailable: slow down: [secret] of [secret]");
    webhook.does(Does::Take);
    let got = webhook.until(1).await;
    let all = webhook.got();
    assert_eq!((all.len(), &all[0].id), (2, &got[0].id), "the same message, not before its time");
    assert!(all[1].at - all[0].at >= Duration::from_millis(950), "{all:#?}");
    running.stop().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_every_other_answer_is_tried_again() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    running.look(1, &[("disk", Warning)]).await;
    webhook.until(1).await;
    for (number, status) in [301, 400, 401, 403, 404, 410, 500].into_iter().enumerate() {
        let before = webhook.got().len();
        webhook.does(Does::Answer(status, None, String::new()));
        running.look(1, &[("disk", if number % 2 == 0 { Good } else { Warning })]).await;
        webhook.until_asked(before + 2).await;
        assert!(running.failure("hook").await.starts_with(&format!("answered {status} ")), "{status}");
        webhook.does(Does::Take);
        webhook.until(number + 2).await;
        running.until("hook", |state| state.waiting == 0).await;
    }
    assert!(webhook.got().iter().all(|got| got.method == "POST"), "a redirect was followed");
    running.stop().await;
}

#[tokio::test]
async fn who_hangs_is_given_up_and_holds_up_nobody_else() {
    let (site, slow, other) = (Site::new(), Webhook::start().await, Webhook::start().await);
    slow.does(Does::Hang);
    let running = site.start();
    running.alerts.set(request(vec![hook("slow", &slow), hook("other", &other)])).await.unwrap();
    let begun = std::time::Instant::now();
    running.look(1, &[("disk", Warning)]).await;
    other.until(1).await;
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(running.failure("slow").await, "no answer within 1 s");
    slow.does(Does::Take);
    slow.until(1).await;
    running.stop().await;
}

#[tokio::test]
async fn warnings_wait_for_the_end_of_quiet_hours() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    let running = site.start();
    // It is 11:06 in UTC, and an hour later in Berlin.
    let hours = QuietHours { from: "12:00".into(), to: "14:00".into(), zone: "Europe/Berlin".into() };
    let settings = request(vec![hook("hook", &webhook)]);
    running
        .alerts
        .set(tidegate_proto::v1::SetAlertsRequest { quiet: Some(hours), ..settings })
        .await
        .unwrap();
    running.look(0, &[("disk", Warning), ("cpu", Warning)]).await;
    running.look(1, &[("disk", Warning), ("load", Critical)]).await;
    running.look(120, &[("disk", Warning), ("load", Critical)]).await;
    assert_eq!(said(&webhook.until(2).await), ["firing host.load", "firing host.disk"]);
    running.stop().await;
}

#[tokio::test]
async fn a_queue_has_an_end_and_what_is_lost_is_said() {
    let (site, mut webhook) = (Site::new(), Webhook::start().await);
    webhook.goes_away().await;
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    for number in 0..205 {
        running.look(1, &[("disk", if number % 2 == 0 { Warning } else { Good })]).await;
    }
    let state = running.state("hook").await;
    assert_eq!((state.waiting, state.lost), (200, 5));
    webhook.comes_back().await;
    let got = webhook.until(200).await;
    let lost: Vec<_> = got.iter().map(|got| got.body["lost"].as_u64().unwrap()).collect();
    assert_eq!((lost[0], lost.iter().sum::<u64>()), (5, 5), "{lost:?}");
    assert_eq!(said(&got[199..]), ["firing host.disk"]);
    running.stop().await;
}

#[tokio::test]
async fn who_is_taken_out_of_the_settings_hears_nothing_more() {
    let (site, mut one, other) = (Site::new(), Webhook::start().await, Webhook::start().await);
    one.goes_away().await;
    let running = site.start();
    running.alerts.set(request(vec![hook("one", &one), hook("other", &other)])).await.unwrap();
    running.look(1, &[("disk", Warning)]).await;
    other.until(1).await;
    running.failure("one").await;
    let changed = running.alerts.set(request(vec![hook("other", &other)])).await.unwrap();
    assert_eq!(changed, tidegate_agent::alerts::Changed::Yes);
    let again = running.alerts.set(request(vec![hook("other", &other)])).await.unwrap();
    assert_eq!(again, tidegate_agent::alerts::Changed::No);
    one.comes_back().await;
    running.look(1, &[("disk", Good)]).await;
    assert_eq!(said(&other.until(2).await), ["firing host.disk", "resolved host.disk"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(one.got().is_empty(), "{:?}", one.got());
    // One that comes back is a new one: it hears what stands, and no end of what was before.
    running.alerts.set(request(vec![hook("one", &one), hook("other", &other)])).await.unwrap();
    running.look(1, &[("disk", Good), ("cpu", Critical)]).await;
    assert_eq!(said(&one.until(1).await), ["firing host.cpu"]);
    running.stop().await;
}

#[tokio::test]
async fn a_copy_of_the_droplet_tells_nobody_also_once_it_is_somebody_else() {
    let (mut site, mut webhook) = (Site::new(), Webhook::start().await);
    webhook.goes_away().await;
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    running.look(1, &[("disk", Warning)]).await;
    running.stop().await;
    site.enrolment = "e2".to_owned();
    webhook.comes_back().await;
    let running = site.start();
    let state = running.alerts.state().await.unwrap();
    assert_eq!(state, tidegate_agent::alerts::State::default());
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    running.look(1, &[("cpu", Warning)]).await;
    assert_eq!(said(&webhook.until(1).await), ["firing host.cpu"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(webhook.got().len(), 1, "what the other one had to say is gone");
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_queued_is_sent_all_the_same_and_not_again_and_again() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    let damaged = rusqlite::Connection::open(site.path("agent.db")).unwrap();
    damaged.execute_batch("ALTER TABLE alert_message RENAME TO away").unwrap();
    running.look(1, &[("database", Critical)]).await;
    running.look(1, &[("database", Critical)]).await;
    assert_eq!(said(&webhook.until(1).await), ["firing host.database"]);
    damaged.execute_batch("ALTER TABLE away RENAME TO alert_message").unwrap();
    running.look(1, &[("database", Good)]).await;
    assert_eq!(said(&webhook.until(2).await)[1..], ["resolved host.database"]);
    running.stop().await;
}

#[tokio::test]
async fn slack_and_commands_get_their_own_form_and_a_pager_what_is_critical() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    let file = site.path("told");
    let command = ["sh", "-c", &format!("cat >>{}", file.display())].map(str::to_owned).to_vec();
    let mut pager = receiver("pager", Kind::Command(AlertCommand { command }));
    pager.least = AlertSeverity::Critical.into();
    let running = site.start();
    let slack = receiver("slack 1", Kind::Slack(webhook.url()));
    running.alerts.set(request(vec![slack, pager])).await.unwrap();
    running.look(1, &[("disk", Warning)]).await;
    running.look(1, &[("disk", Critical)]).await;
    let got = webhook.until(2).await;
    let text = got[1].body["text"].as_str().unwrap();
    assert!(text.starts_with("*[shop/production] web-1: CRITICAL the disk*\n"), "{text}");
    running.until("pager", |state| state.delivered.is_some()).await;
    let told: Value = serde_json::from_str(&fs_err::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(told["firing"][0]["level"], "critical");
    running.stop().await;
}

#[tokio::test]
async fn a_test_asks_everybody_at_once_and_leaves_no_trace() {
    let (site, webhook, away) = (Site::new(), Webhook::start().await, Webhook::start().await);
    away.does(Does::Answer(404, None, "no such hook".to_owned()));
    let running = site.start();
    assert!(running.alerts.test().await.unwrap().is_empty());
    let fails = ["sh", "-c", "echo no >&2; exit 3"].map(str::to_owned).to_vec();
    let receivers = vec![
        hook("hook", &webhook),
        receiver("slack", Kind::Slack(away.url())),
        receiver("command", Kind::Command(AlertCommand { command: fails })),
    ];
    let settings = request(receivers);
    let ping = webhook.url();
    running.alerts.set(tidegate_proto::v1::SetAlertsRequest { ping, ..settings }).await.unwrap();
    let tested = running.alerts.test().await.unwrap();
    let tested: Vec<_> =
        tested.iter().map(|test| (test.receiver.as_str(), test.failure.as_deref())).collect();
    let expected = [
        ("hook", None),
        ("slack", Some("answered 404 Not Found: no such hook")),
        ("command", Some("the command ended with exit code 3: no")),
        ("ping", None),
    ];
    assert_eq!(tested, expected);
    let post = webhook.got().into_iter().find(|got| got.method == "POST").unwrap();
    assert!(post.is_signed && post.body["kind"] == "test", "{post:?}");
    assert_eq!(running.state("slack").await, tidegate_agent::alerts::ReceiverState::default());
    running.stop().await;
}

#[tokio::test]
async fn the_ping_is_asked_for_while_nothing_is_critical() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    let settings = request(Vec::new());
    let ping = webhook.url();
    let running = site.start();
    running.alerts.set(tidegate_proto::v1::SetAlertsRequest { ping, ..settings }).await.unwrap();
    running.look(1, &[("disk", Critical)]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(webhook.got().is_empty());
    running.look(1, &[("disk", Warning)]).await;
    assert_eq!(webhook.until(1).await[0].method, "GET");
    running.look(1, &[("disk", Warning)]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(webhook.got().len(), 1, "looks in one moment are one");
    assert!(running.alerts.state().await.unwrap().ping.answered.is_some());
    running.stop().await;
    // After a start it is asked again; what it says shows no address.
    webhook.does(Does::Answer(500, None, format!("what is {}?", webhook.url())));
    let running = site.start();
    running.look(1, &[("disk", Warning)]).await;
    webhook.until_asked(2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ping = running.alerts.state().await.unwrap().ping;
    assert_eq!(ping.failure.as_deref(), Some("answered 500 Internal Server Error: what is [secret]?"));
    assert!(ping.answered.is_some());
    running.stop().await;
}

#[tokio::test]
async fn secrets_stand_in_one_file_alone() {
    let (site, webhook) = (Site::new(), Webhook::start().await);
    webhook.does(Does::Answer(403, None, format!("{} {}", webhook.url(), webhook.settings().secret)));
    let running = site.start();
    running.alerts.set(request(vec![hook("hook", &webhook)])).await.unwrap();
    running.look(1, &[("disk", Warning)]).await;
    running.failure("hook").await;
    let shown = format!("{:?} {:?}", running.alerts, running.alerts.state().await);
    running.stop().await;
    for secret in [webhook.settings().secret, "hunter2".to_owned()] {
        assert!(!shown.contains(&secret), "{shown}");
        for file in ["agent.db", "agent.db-wal"] {
            assert!(!site.path(file).exists() || !has(&site.path(file), &secret), "{file}");
        }
    }
}
