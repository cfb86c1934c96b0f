//! `tidegate alert list`: who is told by the droplets, what waits, and what was told.

use futures::future::join_all;
use serde::Serialize;
use tidegate_proto::{
    alerts::digest,
    v1::{AlertReceiverState, AlertsRequest, AlertsResponse, ToldAlert},
};

use super::{
    super::{context::Context, reach::Reach},
    NOBODY, On,
};
use crate::{
    agents::{self, Target},
    failure::{Failure, Outcome, hints_of},
    output::Table,
    release::{alerts, times::timestamp},
};

/// What `--json` prints per droplet.
#[derive(Debug, Default, Serialize)]
struct View {
    droplet: String,
    receivers: Vec<ReceiverView>,
    /// The findings that receivers know of.
    told: Vec<ToldView>,
    /// When the ping was answered last.
    pinged: Option<String>,
    ping_failure: Option<String>,
    /// Whether it is what the fleet file says; unknown where a variable is not set here.
    as_in_file: Option<bool>,
    /// Why the agent could not be asked.
    error: Option<String>,
    #[serde(skip)]
    hints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ReceiverView {
    name: String,
    /// From which severity on: `warning`, `critical`.
    from: &'static str,
    /// The last message that arrived.
    delivered: Option<String>,
    /// How many messages wait.
    waiting: u32,
    /// When the oldest of them is tried again.
    next: Option<String>,
    /// Why the last try failed.
    failure: Option<String>,
    /// How many messages were given up, ever.
    lost: u64,
}

#[derive(Debug, Serialize)]
struct ToldView {
    id: String,
    state: &'static str,
    since: Option<String>,
    what: String,
    told: Option<String>,
}

pub(super) async fn run(context: &Context, on: &On) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let targets = agents::of_environment(&reach.fleet, &reach.inventory, on.selection())?;
    let views = join_all(targets.iter().map(|target| view(context, &reach, target))).await;
    context.printer.result(&views, text(&views));
    let silent: Vec<&View> = views.iter().filter(|view| view.error.is_some()).collect();
    if silent.is_empty() {
        return Ok(Outcome::Done);
    }
    let names: Vec<&str> = silent.iter().map(|view| view.droplet.as_str()).collect();
    let failure = Failure::failed(format!("{} could not be asked", names.join(", ")));
    Err(silent.iter().flat_map(|view| &view.hints).fold(failure, Failure::hint).into())
}

/// One droplet that does not answer hides none of the others.
async fn view(context: &Context, reach: &Reach, target: &Target) -> View {
    let droplet = target.short.clone();
    let asked = async {
        let agent = reach.connect(target).await?;
        let mut client = agent.client();
        anyhow::Ok(agent.call(client.alerts(AlertsRequest {})).await?)
    };
    let told = match asked.await {
        Ok(told) => told,
        Err(error) => {
            return View {
                droplet,
                error: Some(format!("{error:#}")),
                hints: hints_of(&error),
                ..View::default()
            };
        }
    };
    let wanted = alerts::request(&reach.fleet, &context.environ, &target.name).ok();
    let as_in_file = wanted.map(|wanted| match told.settings.as_str() {
        "" => wanted.receivers.is_empty() && wanted.ping.is_empty(),
        settings => settings == digest(&wanted),
    });
    shown(droplet, told, as_in_file)
}

fn shown(droplet: String, told: AlertsResponse, as_in_file: Option<bool>) -> View {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    View {
        droplet,
        receivers: told.receivers.into_iter().map(receiver).collect(),
        told: told.told.into_iter().map(finding).collect(),
        pinged: told.pinged.as_ref().and_then(timestamp),
        ping_failure: some(told.ping_failure),
        as_in_file,
        error: None,
        hints: Vec::new(),
    }
}

fn receiver(state: AlertReceiverState) -> ReceiverView {
    ReceiverView {
        from: state.least().word(),
        name: state.name,
        delivered: state.delivered.as_ref().and_then(timestamp),
        waiting: state.waiting,
        next: state.next.as_ref().and_then(timestamp),
        failure: Some(state.failure).filter(|failure| !failure.is_empty()),
        lost: state.lost,
    }
}

fn finding(told: ToldAlert) -> ToldView {
    ToldView {
        state: told.state().word(),
        since: told.since.as_ref().and_then(timestamp),
        told: told.told.as_ref().and_then(timestamp),
        id: told.id,
        what: told.what,
    }
}

fn text(views: &[View]) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut receivers =
        Table::new(["DROPLET", "RECEIVER", "FROM", "DELIVERED", "WAITING", "LOST", "TROUBLE"]);
    let mut findings = Table::new(["DROPLET", "TOLD", "STATE", "SINCE", "TOLD LAST"]);
    for view in views {
        for own in &view.receivers {
            receivers.row([
                view.droplet.clone(),
                own.name.clone(),
                own.from.to_owned(),
                or_none(&own.delivered),
                own.waiting.to_string(),
                own.lost.to_string(),
                or_none(&own.failure),
            ]);
        }
        for told in &view.told {
            findings.row([
                view.droplet.clone(),
                format!("{}: {}", told.id, told.what),
                told.state.to_owned(),
                or_none(&told.since),
                or_none(&told.told),
            ]);
        }
    }
    let mut text = String::new();
    if views.iter().any(|view| !view.receivers.is_empty()) {
        text.push_str(&format!("{receivers}\n"));
    }
    if views.iter().any(|view| !view.told.is_empty()) {
        text.push_str(&format!("\n{findings}\n"));
    }
    for view in views {
        text.push_str(&notes(view));
    }
    text
}

/// What of a droplet stands in no table.
fn notes(view: &View) -> String {
    let name = &view.droplet;
    if let Some(error) = &view.error {
        return format!("{name} cannot be asked: {error}\n");
    }
    let mut text = String::new();
    if view.receivers.is_empty() && view.as_in_file != Some(false) {
        text.push_str(&format!("{name} {NOBODY}\n"));
    }
    if view.as_in_file == Some(false) {
        text.push_str(&format!("{name} has other settings than tidegate.toml: `tidegate up` brings them\n"));
    }
    match (&view.pinged, &view.ping_failure) {
        (at, Some(failure)) => {
            let last = at.as_ref().map(|at| format!(", the last one was at {at}")).unwrap_or_default();
            text.push_str(&format!("{name}: its ping is not answered ({failure}){last}\n"));
        }
        (Some(at), None) => text.push_str(&format!("{name}: its ping was answered at {at}\n")),
        (None, None) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::{AlertSeverity, HealthState};

    use super::*;

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds: 1_795_000_000 + seconds, nanos: 0 }
    }

    #[test]
    fn what_waits_and_what_was_told_is_shown() {
        let state = |name: &str| AlertReceiverState {
            name: name.to_owned(),
            delivered: Some(at(0)),
            ..Default::default()
        };
        let told = AlertsResponse {
            receivers: vec![
                AlertReceiverState {
                    least: AlertSeverity::Critical.into(),
                    ..state("email ops@example.com")
                },
                AlertReceiverState {
                    waiting: 3,
                    next: Some(at(60)),
                    failure: "nobody answers at its address".to_owned(),
                    lost: 1,
                    ..state("slack SLACK_WEBHOOK")
                },
            ],
            told: vec![ToldAlert {
                id: "host.disk".to_owned(),
                state: HealthState::Warning.into(),
                since: Some(at(-600)),
                what: "disk /".to_owned(),
                told: Some(at(0)),
            }],
            pinged: Some(at(30)),
            ..Default::default()
        };
        let views = [
            shown("web-1".to_owned(), told, Some(false)),
            shown("web-2".to_owned(), AlertsResponse::default(), Some(true)),
            View { droplet: "web-3".to_owned(), error: Some("no answer".to_owned()), ..View::default() },
        ];
        insta::assert_snapshot!(text(&views));
    }
}
