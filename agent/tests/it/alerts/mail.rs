//! Mail through a real server.

use tidegate_agent::alerts::{Tested, send::Roots};
use tidegate_proto::v1::{self, SetAlertsRequest, alert_receiver::Kind};

use super::site::{Critical, Good, Site, has, receiver, request};
use crate::support::smtp::{Offers, PASSWORD, Smtp};

fn settings(smtp: v1::SmtpServer) -> SetAlertsRequest {
    let ops = receiver("email ops@example.org", Kind::Email("ops@example.org".to_owned()));
    SetAlertsRequest { smtp: Some(smtp), ..request(vec![ops]) }
}

fn site(roots: &[u8]) -> Site {
    Site { roots: Roots::Only(roots.to_vec()), ..Site::new() }
}

/// Why a mail was not taken.
async fn refused(smtp: v1::SmtpServer, roots: &[u8]) -> String {
    let site = site(roots);
    let running = site.start();
    running.alerts.set(settings(smtp)).await.unwrap();
    running.look(1, &[("disk", Critical)]).await;
    let failure = running.failure("email ops@example.org").await;
    let tested: Vec<Tested> = running.alerts.test().await.unwrap();
    assert_eq!(tested[0].failure.as_ref(), Some(&failure));
    running.stop().await;
    assert!(!failure.contains("hunter2"), "{failure}");
    assert!(!has(&site.path("agent.db"), PASSWORD));
    failure
}

#[tokio::test]
async fn mail_arrives_over_tls_with_a_login() {
    for offers in [Offers::StartTls, Offers::Implicit] {
        let Some(smtp) = Smtp::start(offers) else { return };
        let site = site(&smtp.ca);
        let running = site.start();
        running.alerts.set(settings(smtp.settings())).await.unwrap();
        running.look(1, &[("disk", Critical)]).await;
        running.look(1, &[("disk", Good)]).await;
        let mails = smtp.until(2).await;
        assert_eq!(mails[0]["authenticated"], true, "{offers:?}");
        assert_eq!(
            (mails[0]["from"].as_str(), &mails[0]["to"]),
            (Some("tidegate@example.com"), &serde_json::json!(["ops@example.org"]))
        );
        let text = |number: usize| mails[number]["text"].as_str().unwrap().to_owned();
        for line in [
            "Subject: [shop/production] web-1: CRITICAL the disk\r\n",
            "From: tidegate <tidegate@example.com>\r\n",
            "To: ops@example.org\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "@example.com>\r\n",
            "CRITICAL the disk\r\n  is critical\r\n  hint: look\r\n",
        ] {
            assert!(text(0).contains(line), "{line:?} is not in {}", text(0));
        }
        assert!(text(1).contains("Subject: [shop/production] web-1: RESOLVED the disk\r\n"), "{}", text(1));
        running.until("email ops@example.org", |state| state.waiting == 0).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let Some(smtp) = Smtp::start(Offers::StartTls) else { return };
    let password = "hunter2-wrong".to_owned();
    let failure = refused(v1::SmtpServer { password, ..smtp.settings() }, &smtp.ca).await;
    assert_eq!(
        failure,
        "the mail server refuses it: permanent error (535): 5.7.8 [secret] is no password of ours"
    );
    assert!(smtp.mails().is_empty());
}

#[tokio::test]
async fn a_server_of_another_authority_gets_nothing() {
    for offers in [Offers::StartTls, Offers::Implicit] {
        let Some(smtp) = Smtp::start(offers) else { return };
        let Some(other) = Smtp::start(Offers::NoTls) else { return };
        let failure = refused(smtp.settings(), &other.ca).await;
        assert!(
            failure.starts_with("no TLS with the mail server: ") && failure.contains("certificate"),
            "{failure}"
        );
        assert!(smtp.mails().is_empty());
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_neither_mail_nor_password() {
    let Some(smtp) = Smtp::start(Offers::NoTls) else { return };
    let failure = refused(smtp.settings(), &smtp.ca).await;
    assert!(
        failure.starts_with("no TLS with the mail server: ") && failure.contains("STARTTLS"),
        "{failure}"
    );
    assert!(smtp.mails().is_empty());
}
