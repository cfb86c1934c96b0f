//! `SetAlerts`, `Alerts` and `TestAlerts`.
//!
//! Owns the conversion and the audit entries, which have counts and no addresses. Must not judge settings: they judge themselves.

use std::collections::BTreeMap;

use tidegate_proto::v1::{
    AlertReceiverState, AlertSeverity, AlertTest, AlertsResponse, SetAlertsRequest, SetAlertsResponse,
    TestAlertsResponse, ToldAlert, alert_receiver::Kind,
};
use tonic::Status;

use super::{Context, caller::Caller, convert, deed, errors};
use crate::{
    alerts::{
        Changed, ReceiverState, State, ToldCheck,
        settings::{ReceiverName, Severity},
    },
    audit::Deed,
    health::CheckId,
};

const SUBJECT: &str = "droplet";

pub(super) async fn set(
    context: &Context,
    caller: &Caller,
    request: SetAlertsRequest,
) -> Result<SetAlertsResponse, Status> {
    let mut deed = Deed::new(caller.actor(), "set-alerts", SUBJECT);
    for (kind, count) in counts(&request) {
        deed = deed.with(kind, &count);
    }
    deed = deed.with("ping", if request.ping.is_empty() { "no" } else { "yes" });
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let alerts = context.alerts.clone();
    let work = async move { alerts.set(request).await.map_err(|error| errors::alerts(&error)) };
    let changed = deed::done(begun, work).await?;
    Ok(SetAlertsResponse { changed: changed == Changed::Yes })
}

pub(super) async fn state(context: &Context) -> Result<AlertsResponse, Status> {
    let State { receivers, told, ping, settings } =
        context.alerts.state().await.map_err(|error| errors::alerts(&error))?;
    Ok(AlertsResponse {
        receivers: receivers.into_iter().map(receiver).collect(),
        told: told.into_iter().map(finding).collect(),
        pinged: ping.answered.map(convert::timestamp),
        ping_failure: ping.failure.unwrap_or_default(),
        settings,
    })
}

pub(super) async fn test(context: &Context, caller: &Caller) -> Result<TestAlertsResponse, Status> {
    let deed = Deed::new(caller.actor(), "test-alerts", SUBJECT);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let alerts = context.alerts.clone();
    let work = async move { alerts.test().await.map_err(|error| errors::alerts(&error)) };
    let tests = deed::done(begun, work)
        .await?
        .into_iter()
        .map(|tested| AlertTest { receiver: tested.receiver, failure: tested.failure.unwrap_or_default() });
    Ok(TestAlertsResponse { tests: tests.collect() })
}

/// How many receivers of which kind.
fn counts(request: &SetAlertsRequest) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from([("receivers", request.receivers.len())]);
    for kind in request.receivers.iter().filter_map(|receiver| receiver.kind.as_ref()) {
        let word = match kind {
            Kind::Email(_) => "email",
            Kind::Slack(_) => "slack",
            Kind::Webhook(_) => "webhook",
            Kind::Command(_) => "command",
        };
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

fn receiver((name, least, state): (ReceiverName, Severity, ReceiverState)) -> AlertReceiverState {
    let least = match least {
        Severity::Warning => AlertSeverity::Warning,
        Severity::Critical => AlertSeverity::Critical,
    };
    AlertReceiverState {
        name: name.to_string(),
        least: least.into(),
        delivered: state.delivered.map(convert::timestamp),
        waiting: state.waiting,
        next: state.next.map(convert::timestamp),
        failure: state.failing.map(|(_, why)| why).unwrap_or_default(),
        lost: state.lost,
    }
}

fn finding((id, told): (CheckId, ToldCheck)) -> ToldAlert {
    ToldAlert {
        id: id.to_string(),
        state: convert::health_state(told.level).into(),
        since: Some(convert::timestamp(told.since)),
        what: told.what,
        told: Some(convert::timestamp(told.at)),
    }
}
