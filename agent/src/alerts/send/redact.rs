//! Takes what opens a receiver out of what others say about it. Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Uri;
use secrecy::ExposeSecret as _;

use crate::alerts::settings::{Receiver, ReceiverKind, SecretUrl, SmtpServer};

/// What is told of another's words.
const LONGEST: usize = 200;
/// Shorter ones are words and numbers that would be cut out of everything.
const SHORTEST: usize = 4;

/// Knows what must not be shown of one receiver.
pub struct Redactor {
    /// Longest first, so that one within another leaves no rest.
    secrets: Vec<String>,
}

impl Redactor {
    /// Of a receiver, and of the server that takes its mail.
    pub fn new(receiver: &Receiver, smtp: Option<&SmtpServer>) -> Self {
        match &receiver.kind {
            ReceiverKind::Email(_) => {
                let login = smtp.and_then(|smtp| smtp.login.as_ref());
                Self::of(login.into_iter().flat_map(|(user, password)| {
                    let password = password.expose_secret();
                    // As a login sends them.
                    let plain = STANDARD.encode(format!("\0{user}\0{password}"));
                    [password.to_owned(), STANDARD.encode(password), plain]
                }))
            }
            ReceiverKind::Slack(url) => Self::of_url(url),
            ReceiverKind::Webhook { url, secret } => {
                Self::of(parts(url).into_iter().chain([secret.expose_secret().to_owned()]))
            }
            ReceiverKind::Command(argv) => Self::of(argv.iter().skip(1).cloned()),
        }
    }

    /// Of an address alone.
    pub fn of_url(url: &SecretUrl) -> Self {
        Self::of(parts(url))
    }

    fn of(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> =
            secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The first line of a text that says something, bounded and without secrets.
    pub fn first_line(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "[secret]");
        }
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        line.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
    }
}

/// The whole address, its path with what follows, and each long part of these.
fn parts(url: &SecretUrl) -> Vec<String> {
    let mut parts = vec![url.expose().to_owned()];
    if let Ok(uri) = url.expose().parse::<Uri>() {
        parts.extend(uri.path_and_query().map(ToString::to_string));
        let long = |part: &&str| part.len() >= 8;
        let pieces = uri.path().split('/').chain(uri.query().unwrap_or_default().split(['&', '=']));
        parts.extend(pieces.filter(long).map(str::to_owned));
    }
    parts
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::alerts::settings::{MailTls, ReceiverName, Severity};

    fn receiver(kind: ReceiverKind) -> Receiver {
        Receiver { name: ReceiverName::new("x").unwrap(), least: Severity::Warning, kind }
    }

    #[test]
    fn what_opens_a_receiver_is_cut_out_whoever_says_it() {
        let url =
            SecretUrl::new("https://hooks.example.com/services/T0001/B0002/XXsecretXX?key=hunter2hunter2")
                .unwrap();
        let secret = SecretString::from("whsec_aHVudGVyMg==");
        let redactor = Redactor::new(&receiver(ReceiverKind::Webhook { url, secret }), None);
        for said in [
            "no POST at https://hooks.example.com/services/T0001/B0002/XXsecretXX?key=hunter2hunter2",
            "\n\n  cannot find /services/T0001/B0002/XXsecretXX?key=hunter2hunter2 here\nmore",
            "unknown token XXsecretXX, key hunter2hunter2 for whsec_aHVudGVyMg==",
        ] {
            let told = redactor.first_line(said);
            assert!(told.contains("[secret]"), "{told}");
            for secret in ["XXsecretXX", "hunter2", "whsec_", "T0001", "more"] {
                assert!(!told.contains(secret), "{told}");
            }
        }
        assert_eq!(redactor.first_line(&"x".repeat(5000)).len(), 200);
    }

    #[test]
    fn a_password_is_cut_out_also_as_a_login_sends_it() {
        let smtp = SmtpServer {
            host: "mail.example.com".to_owned(),
            port: 587,
            tls: MailTls::StartTls,
            login: Some(("shop".to_owned(), SecretString::from("hunter2"))),
            from: "a@example.com".parse().unwrap(),
        };
        let redactor =
            Redactor::new(&receiver(ReceiverKind::Email("b@example.com".parse().unwrap())), Some(&smtp));
        let told = redactor.first_line("535 AHNob3AAaHVudGVyMg== is not aHVudGVyMg==, nor hunter2");
        assert_eq!(told, "535 [secret] is not [secret], nor [secret]");
    }
}
