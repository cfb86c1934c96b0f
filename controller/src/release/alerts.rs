//! What `[alert]` of the fleet file comes to for one droplet, with its secrets, as its agent gets it.
//!
//! Owns the names of receivers, which hold no secret. Pure.

use std::fmt;

use tidegate_proto::v1::{
    AlertCommand, AlertReceiver, AlertSeverity, QuietHours, SetAlertsRequest, SignedWebhook, SmtpServer,
    SmtpTls, alert_receiver::Kind,
};

use crate::{
    environ::Environ,
    fleet::{self, Alert, FILE_NAME, Fleet, Located, ReceiverKind, SecretName, Severity, Smtp},
};

/// Alerts that cannot be sent to droplets: the variables that are not set, each with where it is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct AlertsError {
    unset: Vec<(String, String)>,
}

impl fmt::Display for AlertsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (place, variable)) in self.unset.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(
                f,
                "{line}{place}: {variable} is not set\n  write: {variable}=... into .env beside {FILE_NAME}, or set it in the environment"
            )?;
        }
        Ok(())
    }
}

/// The request for a droplet; without `[alert]` one that leaves nobody who is told.
///
/// # Errors
/// When variables are not set that the file names.
pub fn request(fleet: &Fleet, environ: &Environ, droplet: &str) -> Result<SetAlertsRequest, AlertsError> {
    let droplet = droplet.to_owned();
    let Some(alert) = &fleet.alert else {
        return Ok(SetAlertsRequest { droplet, ..SetAlertsRequest::default() });
    };
    let mut secrets = Secrets { fleet, environ, unset: Vec::new() };
    let request = SetAlertsRequest {
        receivers: secrets.receivers(alert),
        repeat: alert.repeat.and_then(|repeat| prost_types::Duration::try_from(repeat).ok()),
        quiet: alert.quiet.as_ref().map(|quiet| QuietHours {
            from: quiet.from.clone(),
            to: quiet.to.clone(),
            zone: quiet.zone.clone(),
        }),
        smtp: alert.smtp.as_ref().map(|smtp| secrets.smtp(smtp)),
        ping: alert.ping.as_ref().map(|ping| secrets.value(ping)).unwrap_or_default(),
        droplet,
    };
    if secrets.unset.is_empty() { Ok(request) } else { Err(AlertsError { unset: secrets.unset }) }
}

struct Secrets<'a> {
    fleet: &'a Fleet,
    environ: &'a Environ,
    unset: Vec<(String, String)>,
}

impl Secrets<'_> {
    fn value(&mut self, named: &Located<SecretName>) -> String {
        let variable = named.value.variable();
        let value = self.environ.get(variable);
        if value.is_none() {
            let unset = (self.fleet.at(named), variable.to_owned());
            if !self.unset.contains(&unset) {
                self.unset.push(unset);
            }
        }
        value.unwrap_or_default().to_owned()
    }

    fn receivers(&mut self, alert: &Alert) -> Vec<AlertReceiver> {
        let mut receivers: Vec<AlertReceiver> = Vec::new();
        for receiver in &alert.receivers {
            let (name, kind) = match &receiver.kind {
                ReceiverKind::Email(address) => (format!("email {address}"), Kind::Email(address.clone())),
                ReceiverKind::Slack(url) => {
                    (format!("slack {}", url.value.variable()), Kind::Slack(self.value(url)))
                }
                ReceiverKind::Webhook { url, secret } => {
                    let hook = SignedWebhook { url: self.value(url), secret: self.value(secret) };
                    (format!("webhook {}", url.value.variable()), Kind::Webhook(hook))
                }
                ReceiverKind::Command(command) => {
                    let program = command.first().map_or("", String::as_str);
                    let short = program.rsplit('/').next().unwrap_or(program);
                    (format!("command {short}"), Kind::Command(AlertCommand { command: command.clone() }))
                }
            };
            let least = match receiver.least {
                Severity::Warning => AlertSeverity::Warning,
                Severity::Critical => AlertSeverity::Critical,
            };
            // Who is told of warnings is told of what is critical too.
            if receivers.iter().all(|own| own.name != name) {
                receivers.push(AlertReceiver { name, least: least.into(), kind: Some(kind) });
            }
        }
        receivers
    }

    fn smtp(&mut self, smtp: &Smtp) -> SmtpServer {
        let tls = match smtp.tls {
            fleet::SmtpTls::Starttls => SmtpTls::Starttls,
            fleet::SmtpTls::Implicit => SmtpTls::Implicit,
        };
        let login = smtp.login.as_ref().map(|(user, password)| (self.value(user), self.value(password)));
        let (user, password) = login.unwrap_or_default();
        SmtpServer {
            host: smtp.host.clone(),
            port: u32::from(smtp.port),
            tls: tls.into(),
            user,
            password,
            from: smtp.from.clone(),
        }
    }
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
