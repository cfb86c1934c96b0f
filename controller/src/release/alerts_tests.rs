use tidegate_proto::alerts::digest;

use super::*;
use crate::fleet;

fn fleet_of(alert: &str) -> Fleet {
    let text = r#"
fleet  = "shop"
region = "fra1"
[droplet.web]
size  = "s-2vcpu-4gb"
image = "debian-13-x64"
firewall = ["public-web"]
[firewall.public-web]
inbound = [{ ports = "7443", from = ["anywhere"] }]
"#;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tidegate.toml");
    fs_err::write(&file, text.to_owned() + alert).unwrap();
    fleet::load(&file, &"production".parse().unwrap()).unwrap()
}

const ALERT: &str = r#"
[alert]
email = ["ops@example.com"]
slack = ["env:SLACK_WEBHOOK", "env:OTHER_WEBHOOK"]
command = ["/usr/local/bin/page", "now"]
repeat = "30m"
[alert.critical]
email = ["ops@example.com", "boss@example.com"]
[alert.smtp]
host = "smtp.example.com"
tls = "implicit"
user = "env:SMTP_USER"
password = "env:SMTP_PASSWORD"
from = "tidegate@example.com"
"#;

fn environ(names: &[&str]) -> Environ {
    let value = |name: &&str| ((*name).to_owned(), format!("value of {name}"));
    Environ::new(names.iter().map(value))
}

const ALL: &[&str] = &["SLACK_WEBHOOK", "OTHER_WEBHOOK", "SMTP_USER", "SMTP_PASSWORD"];

#[test]
fn receivers_are_named_without_secrets_and_each_stands_there_once() {
    let sent = request(&fleet_of(ALERT), &environ(ALL), "shop-production-web-1").unwrap();
    let names: Vec<_> = sent.receivers.iter().map(|one| (one.name.as_str(), one.least())).collect();
    let expected = [
        ("email ops@example.com", AlertSeverity::Warning),
        ("slack SLACK_WEBHOOK", AlertSeverity::Warning),
        ("slack OTHER_WEBHOOK", AlertSeverity::Warning),
        ("command page", AlertSeverity::Warning),
        ("email boss@example.com", AlertSeverity::Critical),
    ];
    assert_eq!(names, expected);
    assert_eq!(sent.receivers[1].kind, Some(Kind::Slack("value of SLACK_WEBHOOK".to_owned())));
    let smtp = sent.smtp.clone().unwrap();
    assert_eq!(
        (smtp.port, smtp.tls(), smtp.password.as_str()),
        (465, SmtpTls::Implicit, "value of SMTP_PASSWORD")
    );
    assert_eq!(sent.repeat.unwrap().seconds, 1800);
    let other = SetAlertsRequest { droplet: "shop-production-web-2".to_owned(), ..sent.clone() };
    assert_ne!(digest(&sent), digest(&other));
}

#[test]
fn what_is_not_set_is_told_at_once_with_its_place() {
    let told = request(&fleet_of(ALERT), &environ(&["SLACK_WEBHOOK"]), "").unwrap_err().to_string();
    let told: Vec<&str> =
        told.lines().filter_map(|line| line.split_once("tidegate.toml:")?.1.into()).collect();
    assert_eq!(
        told,
        ["13:31: OTHER_WEBHOOK is not set", "21:8: SMTP_USER is not set", "22:12: SMTP_PASSWORD is not set"]
    );
}

#[test]
fn without_a_section_nobody_is_told_any_more() {
    let sent = request(&fleet_of(""), &environ(&[]), "shop-production-web-1").unwrap();
    assert!(sent.receivers.is_empty() && sent.ping.is_empty());
}
