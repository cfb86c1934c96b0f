use std::os::unix::fs::PermissionsExt as _;

use tidegate_proto::{
    alerts::digest,
    v1::{
        self, AlertCommand, AlertReceiver, AlertSeverity, SetAlertsRequest, SignedWebhook,
        alert_receiver::Kind,
    },
};

use super::*;

fn receiver(name: &str, kind: Kind) -> AlertReceiver {
    AlertReceiver { name: name.to_owned(), least: AlertSeverity::Warning.into(), kind: Some(kind) }
}

fn webhook(url: &str, secret: &str) -> Kind {
    Kind::Webhook(SignedWebhook { url: url.to_owned(), secret: secret.to_owned() })
}

fn sent() -> SetAlertsRequest {
    SetAlertsRequest {
        receivers: vec![
            receiver("mail", Kind::Email("ops@example.com".to_owned())),
            receiver("slack 1", Kind::Slack("https://hooks.example.com/hunter2".to_owned())),
            receiver("hook", webhook("https://example.com/hunter2", "whsec_aHVudGVyMg==")),
            receiver("pager", Kind::Command(AlertCommand { command: vec!["page".into(), "hunter2".into()] })),
        ],
        smtp: Some(v1::SmtpServer {
            host: "mail.example.com".to_owned(),
            port: 587,
            user: "shop".to_owned(),
            password: "hunter2".to_owned(),
            from: "tidegate@example.com".to_owned(),
            ..v1::SmtpServer::default()
        }),
        ping: "https://ping.example.com/hunter2".to_owned(),
        droplet: "shop-production-web-1".to_owned(),
        ..SetAlertsRequest::default()
    }
}

fn whose() -> Whose {
    Whose { fleet: "shop".into(), environment: "production".into(), enrolment: "e1".into() }
}

/// The field that is refused, and why.
fn refused(change: impl FnOnce(&mut SetAlertsRequest)) -> (&'static str, String) {
    let mut request = sent();
    change(&mut request);
    let error = AlertSettings::try_from(request).unwrap_err();
    let text = crate::release::chain(&error);
    assert!(!text.contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{text}");
    (error.field(), text)
}

#[test]
fn what_is_sent_becomes_settings_that_show_no_secret() {
    let settings = AlertSettings::try_from(sent()).unwrap();
    let words: Vec<_> = settings.receivers.iter().map(|one| one.kind.word()).collect();
    assert_eq!(words, ["email", "slack", "webhook", "command"]);
    assert_eq!(settings.repeat, Duration::from_hours(4));
    let server = settings.smtp.as_ref().unwrap();
    assert_eq!((server.tls, server.port), (MailTls::StartTls, 587));
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && shown.contains("slack 1"), "{shown}");
    assert_eq!(settings.digest, digest(&sent()));
    let mut other = sent();
    other.receivers.reverse();
    assert_ne!(digest(&other), digest(&sent()));
}

#[test]
fn what_cannot_be_meant_is_refused_by_its_field_without_a_secret() {
    let (field, why) = refused(|sent| sent.receivers = vec![sent.receivers[0].clone(); 33]);
    assert_eq!((field, why.as_str()), ("receivers", "there are more than 32 of them"));
    let (_, why) = refused(|sent| sent.receivers.push(sent.receivers[1].clone()));
    assert_eq!(why, "the receiver slack 1 is there twice");
    for name in ["", " x", "a\nb", "ping", &"x".repeat(121)] {
        let (field, why) = refused(|sent| sent.receivers[0].name = name.to_owned());
        assert_eq!(field, "receivers", "{why}");
    }
    let (_, why) = refused(|sent| sent.receivers[2].kind = None);
    assert!(why.starts_with("nothing says how the receiver hook is reached"), "{why}");
    for url in ["http://example.com/hunter2", "https://me:hunter2@example.com", "hunter2", "ftp://127.0.0.1"]
    {
        let (_, why) = refused(|sent| sent.receivers[1].kind = Some(Kind::Slack(url.to_owned())));
        assert!(why.starts_with("the URL of the receiver slack 1 has to be https://"), "{why}");
        assert_eq!(refused(|sent| url.clone_into(&mut sent.ping)).0, "ping");
    }
    for secret in ["", "whsec_", "whsec_hunter2!", &"x".repeat(1025)] {
        let (field, why) =
            refused(|sent| sent.receivers[2].kind = Some(webhook("https://example.com", secret)));
        assert!(field == "receivers" && why.contains("the secret of the receiver hook"), "{why}");
    }
    let (_, why) = refused(|sent| sent.receivers[0].kind = Some(Kind::Email("hunter2".to_owned())));
    assert!(why.starts_with("the address of the receiver mail is none of mail"), "{why}");
    let (_, why) = refused(|sent| sent.receivers[3].kind = Some(Kind::Command(AlertCommand::default())));
    assert_eq!(why, "the command of the receiver pager cannot be run: the command is empty");
    assert_eq!(refused(|sent| sent.smtp = None).0, "smtp");
    let smtp = |change: fn(&mut v1::SmtpServer)| refused(|sent| change(sent.smtp.as_mut().unwrap())).0;
    assert_eq!(smtp(|smtp| smtp.host = "mail example".to_owned()), "smtp.host");
    assert_eq!(smtp(|smtp| smtp.port = 0), "smtp.port");
    assert_eq!(smtp(|smtp| smtp.port = 70_000), "smtp.port");
    assert_eq!(smtp(|smtp| smtp.user.clear()), "smtp.user");
    assert_eq!(smtp(|smtp| smtp.from = "me".to_owned()), "smtp.from");
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    for wrong in [-1, 0, 299, 31 * 86_400] {
        assert_eq!(refused(|sent| sent.repeat = seconds(wrong)).0, "repeat", "{wrong}");
    }
    let hours =
        |from: &str| Some(v1::QuietHours { from: from.into(), to: "07:00".into(), zone: String::new() });
    assert_eq!(refused(|sent| sent.quiet = hours("22")).0, "quiet");
    assert_eq!(refused(|sent| sent.droplet.clear()).0, "droplet");
}

#[test]
fn the_file_gives_back_what_was_sent_and_is_root_s_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = SettingsFile::in_directory(folder.path());
    assert!(file.read().unwrap().is_none());
    file.write(&sent(), &whose()).unwrap();
    let kept = file.read().unwrap().unwrap();
    assert_eq!((kept.whose, kept.settings.digest), (whose(), digest(&sent())));
    let path = folder.path().join("alerts.json");
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// As the first version wrote it.
#[test]
fn a_file_of_version_1_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.json");
    let text = r#"{"version":1,"fleet":"shop","environment":"production","enrolment":"e1","request":"Ch8KBmhvb2sgMRABIhNodHRwczovL2V4YW1wbGUuY29tMgV3ZWItMQ=="}"#;
    fs_err::write(&path, text).unwrap();
    let kept = SettingsFile::in_directory(folder.path()).read().unwrap().unwrap();
    assert_eq!(kept.settings.receivers[0].name.as_str(), "hook 1");
    assert_eq!((kept.settings.droplet.as_str(), kept.whose), ("web-1", whose()));
}

#[test]
fn a_damaged_or_newer_file_is_told_without_what_stands_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = SettingsFile::in_directory(folder.path());
    let path = folder.path().join("alerts.json");
    for (text, told) in [
        ("{\"version\":1,\"request\":\"hunter2", "is damaged in line 1"),
        (
            "{\"version\":1,\"fleet\":\"a\",\"environment\":\"b\",\"enrolment\":\"c\",\"request\":\"hunter2\"}",
            "is damaged",
        ),
        ("{\"version\":2,\"request\":{\"hunter2\":1}}", "has version 2, this agent knows 1"),
        ("", "is damaged"),
    ] {
        fs_err::write(&path, text).unwrap();
        let error = file.read().unwrap_err();
        let said = format!("{error} {error:?} {}", crate::release::chain(&error));
        assert!(said.contains(told) && !said.contains("hunter2"), "{said}");
    }
}
