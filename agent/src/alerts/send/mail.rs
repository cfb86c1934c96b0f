//! Mail: over TLS alone, with a login where one is given.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use secrecy::ExposeSecret as _;

use super::{Redactor, Roots};
use crate::alerts::{
    message::{AlertMessage, Mail},
    settings::{MailTls, SmtpServer},
};

/// Why no mail was sent. All texts are without secrets.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// No server is set.
    #[error("no server is set that takes mail")]
    NoServer,
    /// The server does not take it: what it said.
    #[error("the mail server refuses it: {0}")]
    Refused(String),
    /// Its certificate, or that it has none.
    #[error("no TLS with the mail server: {0}")]
    Tls(String),
    /// No connection.
    #[error("the mail server could not be asked: {0}")]
    Unreachable(String),
    /// The mail itself could not be put together.
    #[error("the mail could not be written: {0}")]
    Form(String),
}

pub(super) async fn send(
    (smtp, roots, patience): (&SmtpServer, &Roots, Duration),
    to: &Address,
    message: &AlertMessage,
    redactor: &Redactor,
) -> Result<(), MailError> {
    let mail = mail((&smtp.from, to), message)?;
    let told = |error: &lettre::transport::smtp::Error| told(error, redactor);
    let transport = transport(smtp, roots, patience).map_err(|error| told(&error))?;
    transport.send(mail).await.map(drop).map_err(|error| told(&error))
}

fn transport(
    smtp: &SmtpServer,
    roots: &Roots,
    patience: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
    let parameters = TlsParameters::builder(smtp.host.clone());
    let parameters = match roots {
        Roots::System => parameters,
        Roots::Only(pem) => parameters
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_pem(pem)?),
    };
    let parameters = parameters.build()?;
    let tls = match smtp.tls {
        MailTls::StartTls => Tls::Required(parameters),
        MailTls::Implicit => Tls::Wrapper(parameters),
    };
    // Its name says that it can do without TLS; the line below sees that it does not.
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.clone())
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(patience));
    Ok(match &smtp.login {
        None => builder.build(),
        Some((user, password)) => {
            builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned())).build()
        }
    })
}

fn mail((from, to): (&Address, &Address), message: &AlertMessage) -> Result<Message, MailError> {
    let Mail { subject, text } = Mail::from(message);
    let header = |name: &'static str, value: &str| {
        HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
    };
    Message::builder()
        .from(Mailbox::new(Some("tidegate".to_owned()), from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .subject(subject)
        .date(SystemTime::from(message.at))
        .message_id(Some(format!("<{}@{}>", message.id, from.domain())))
        // Nobody's absence is told to it.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(text)
        .map_err(|error| MailError::Form(error.to_string()))
}

fn told(error: &lettre::transport::smtp::Error, redactor: &Redactor) -> MailError {
    let text = redactor.first_line(&error.to_string());
    // What a certificate lacks stands deep in an error of connections.
    if error.is_tls() || text.contains("STARTTLS") || text.contains("certificate") {
        MailError::Tls(text)
    } else if error.is_permanent() || error.is_transient() || error.is_client() || error.is_response() {
        MailError::Refused(text)
    } else {
        MailError::Unreachable(text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::{
        alerts::message::{About, Item, News},
        health::Level,
    };

    #[test]
    fn a_mail_has_the_headers_that_it_should() {
        let at = Timestamp::from_second(1_795_000_000).unwrap();
        let about = About { droplet: "web-1".into(), fleet: "shop".into(), environment: "production".into() };
        let item = Item {
            id: "host.disk".to_owned(),
            level: Level::Critical,
            since: at,
            what: "disk /größe\r\nBcc: all@example.com".to_owned(),
            why: "97 % used\r\n.\r\nQUIT".to_owned(),
            hint: String::new(),
        };
        let news = News { firing: vec![item], ..News::default() };
        let message = AlertMessage::new((Uuid::from_u128(7), at), &about, news);
        let from = "tidegate@example.com".parse().unwrap();
        let mail = mail((&from, &"ops@example.org".parse().unwrap()), &message).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        assert!(!text.contains("\nBcc"), "{text}");
        insta::assert_snapshot!(text.replace('\r', ""));
    }
}
