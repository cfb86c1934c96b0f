use std::path::Path;

use super::*;
use crate::fleet::{Fleet, FleetError, load::parse};

const FLEET: &str = r#"
fleet  = "shop"
region = "fra1"

[droplet.web]
size  = "s-2vcpu-4gb"
image = "debian-13-x64"
firewall = ["public-web"]

[firewall.public-web]
inbound = [{ ports = "7443", from = ["anywhere"] }]

[alert]
email = ["ops@example.com"]
slack = "env:SLACK_WEBHOOK"
webhook = [{ url = "env:HOOK_URL", secret = "env:HOOK_SECRET" }]
command = ["/usr/local/bin/page", "--team", "shop"]
ping = "env:PING_URL"
repeat = "4h"
quiet = { from = "22:00", to = "07:00", zone = "Europe/Berlin" }

[alert.critical]
email = "boss@example.com"

[alert.smtp]
host = "smtp.example.com"
user = "env:SMTP_USER"
password = "env:SMTP_PASSWORD"
from = "tidegate@example.com"

[environment.staging]
alert = { email = [], repeat = "1d" }
"#;

fn parsed(text: &str, environment: &str) -> Result<Fleet, FleetError> {
    parse(text, "tidegate.toml", Path::new("."), &environment.parse().unwrap())
}

fn alert(environment: &str) -> Alert {
    parsed(FLEET, environment).unwrap().alert.unwrap()
}

fn wrong(from: &str, to: &str) -> String {
    assert!(FLEET.contains(from), "{from}");
    parsed(&FLEET.replacen(from, to, 1), "production").unwrap_err().to_string()
}

#[test]
fn whom_to_tell_is_understood_and_an_environment_has_its_own() {
    let found = alert("production");
    let kinds: Vec<_> = found
        .receivers
        .iter()
        .map(|receiver| match &receiver.kind {
            ReceiverKind::Email(address) => (address.clone(), receiver.least),
            ReceiverKind::Slack(url) | ReceiverKind::Webhook { url, .. } => {
                (url.value.variable().to_owned(), receiver.least)
            }
            ReceiverKind::Command(command) => (command.join(" "), receiver.least),
        })
        .collect();
    let expected = [
        ("ops@example.com", Severity::Warning),
        ("SLACK_WEBHOOK", Severity::Warning),
        ("HOOK_URL", Severity::Warning),
        ("/usr/local/bin/page --team shop", Severity::Warning),
        ("boss@example.com", Severity::Critical),
    ];
    assert_eq!(kinds, expected.map(|(name, least)| (name.to_owned(), least)));
    let smtp = found.smtp.unwrap();
    assert_eq!((smtp.port, smtp.tls), (587, SmtpTls::Starttls));
    assert_eq!(smtp.login.unwrap().1.value.variable(), "SMTP_PASSWORD");
    assert_eq!(found.repeat, Some(Duration::from_hours(4)));
    let staging = alert("staging");
    assert_eq!((staging.repeat, staging.receivers.len()), (Some(Duration::from_hours(24)), 4));
    let (without, _) = FLEET.split_once("[alert]").unwrap();
    assert_eq!(parsed(without, "production").unwrap().alert, None);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_cure() {
    let all = [
        wrong("email = [\"ops@example.com\"]", "email = [\"ops\"]"),
        wrong("\"env:SLACK_WEBHOOK\"", "\"https://hooks.example.com/T0/B0/secret\""),
        wrong(", secret = \"env:HOOK_SECRET\"", ""),
        wrong("\"/usr/local/bin/page\"", "\"page\""),
        wrong("\"env:PING_URL\"", "\"env:DIGITALOCEAN_TOKEN\""),
        wrong("repeat = \"4h\"", "repeat = \"4 hours\""),
        wrong("repeat = \"4h\"", "repeat = \"4m\""),
        wrong("\"22:00\"", "\"24:00\""),
        wrong("\"07:00\"", "\"22:00\""),
        wrong("Europe/Berlin", "Europe/Bonn"),
        wrong("host = \"smtp.example.com\"", "port = 70000"),
        wrong("from = \"tidegate@example.com\"", "from = \"tidegate@example.com\"\ntls = \"none\""),
        wrong("password = \"env:SMTP_PASSWORD\"\n", ""),
        wrong("slack =", "slak ="),
    ];
    let shown = all.join("\n---\n");
    assert!(!shown.contains("hooks.example.com"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn mail_needs_somebody_who_sends_it() {
    let (before, rest) = FLEET.split_once("[alert.smtp]").unwrap();
    let (_, after) = rest.split_once("[environment").unwrap();
    let told = parsed(&format!("{before}[environment{after}"), "production").unwrap_err().to_string();
    assert!(told.contains("nothing says who sends the mail") && told.contains("add [alert.smtp]"), "{told}");
}
