//! `tidegate-agent alerts`: who is told, and whether it arrives; `--test` sends a message to all of them.
//!
//! # Exit codes
//! 0 all is delivered, or with `--test` was taken; 1 something was not; 2 it cannot be told.

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::json;
use tidegate_proto::v1::{
    AlertReceiverState, AlertTest, AlertsRequest, AlertsResponse, TestAlertsRequest, ToldAlert,
};

use super::{Local, local};

const UNDELIVERED: u8 = 1;
const CANNOT_TELL: u8 = 2;

/// Arguments of `alerts`.
#[derive(Debug, Args)]
pub struct AlertsArguments {
    #[command(flatten)]
    local: Local,
    /// Send a message to all receivers now, and tell who took it.
    #[arg(long)]
    test: bool,
}

/// What was asked for.
enum Told {
    State(AlertsResponse),
    Tests(Vec<AlertTest>),
}

pub(super) fn run(arguments: &AlertsArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut told = None;
    local::block_on(async {
        told = Some(ask(arguments).await?);
        Ok(())
    })?;
    let (text, json, is_well) = match told {
        Some(Told::State(state)) => {
            let is_well = state.receivers.iter().all(|receiver| receiver.failure.is_empty());
            (text(&state), as_json(&state), is_well)
        }
        Some(Told::Tests(tests)) => {
            let is_well = tests.iter().all(|test| test.failure.is_empty());
            (text_of_tests(&tests), json_of_tests(&tests), is_well)
        }
        None => return Ok(ExitCode::from(CANNOT_TELL)),
    };
    if arguments.local.json {
        writeln!(out, "{json}")?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(UNDELIVERED) })
}

async fn ask(arguments: &AlertsArguments) -> anyhow::Result<Told> {
    let mut client = local::connect(&arguments.local.socket).await?;
    if arguments.test {
        let tested = client.test_alerts(TestAlertsRequest {}).await;
        return Ok(Told::Tests(tested.map_err(|status| local::explain(&status))?.into_inner().tests));
    }
    let state = client.alerts(AlertsRequest {}).await.map_err(|status| local::explain(&status))?;
    Ok(Told::State(state.into_inner()))
}

fn text(state: &AlertsResponse) -> String {
    if state.settings.is_empty() {
        return "no alerts are set: nobody is told\n".to_owned();
    }
    let mut text = String::new();
    for receiver in &state.receivers {
        let AlertReceiverState { name, waiting, lost, failure, .. } = receiver;
        let delivered = local::time(receiver.delivered.as_ref());
        let delivered =
            delivered.map_or_else(|| "nothing sent yet".to_owned(), |at| format!("last delivered {at}"));
        text.push_str(&format!("{name}  from {} on  {delivered}", receiver.least().word()));
        if *waiting > 0 {
            text.push_str(&format!("  {waiting} waiting"));
        }
        if *lost > 0 {
            text.push_str(&format!("  {lost} lost"));
        }
        text.push('\n');
        if !failure.is_empty() {
            let next =
                local::time(receiver.next.as_ref()).map(|at| format!("; next try {at}")).unwrap_or_default();
            text.push_str(&format!("  failed: {failure}{next}\n"));
        }
    }
    for told in &state.told {
        let since = local::time(told.since.as_ref()).unwrap_or_default();
        text.push_str(&format!("told: {} {} since {since}: {}\n", told.state().word(), told.id, told.what));
    }
    if let Some(at) = local::time(state.pinged.as_ref()) {
        text.push_str(&format!("ping answered {at}\n"));
    }
    if !state.ping_failure.is_empty() {
        text.push_str(&format!("ping failed: {}\n", state.ping_failure));
    }
    text
}

fn text_of_tests(tests: &[AlertTest]) -> String {
    if tests.is_empty() {
        return "no alerts are set: there is nobody to test\n".to_owned();
    }
    let line = |test: &AlertTest| match test.failure.as_str() {
        "" => format!("{}  taken\n", test.receiver),
        failure => format!("{}  failed: {failure}\n", test.receiver),
    };
    tests.iter().map(line).collect()
}

fn as_json(state: &AlertsResponse) -> serde_json::Value {
    let receiver = |receiver: &AlertReceiverState| {
        json!({
            "name": receiver.name,
            "least": receiver.least().word(),
            "delivered": local::time(receiver.delivered.as_ref()),
            "waiting": receiver.waiting,
            "next": local::time(receiver.next.as_ref()),
            "failure": receiver.failure,
            "lost": receiver.lost,
        })
    };
    let told = |told: &ToldAlert| {
        json!({
            "id": told.id,
            "state": told.state().word(),
            "since": local::time(told.since.as_ref()),
            "what": told.what,
            "told": local::time(told.told.as_ref()),
        })
    };
    json!({
        "settings": state.settings,
        "receivers": state.receivers.iter().map(receiver).collect::<Vec<_>>(),
        "told": state.told.iter().map(told).collect::<Vec<_>>(),
        "pinged": local::time(state.pinged.as_ref()),
        "ping_failure": state.ping_failure,
    })
}

fn json_of_tests(tests: &[AlertTest]) -> serde_json::Value {
    let test = |test: &AlertTest| json!({ "receiver": test.receiver, "failure": test.failure });
    json!({ "tests": tests.iter().map(test).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::{AlertSeverity, HealthState};

    use super::*;

    #[test]
    fn the_text_says_who_is_told_and_who_is_not_reached() {
        let at = |seconds: i64| Some(prost_types::Timestamp { seconds: 1_795_000_000 + seconds, nanos: 0 });
        let state = AlertsResponse {
            receivers: vec![
                AlertReceiverState {
                    name: "slack 1".into(),
                    delivered: at(0),
                    ..AlertReceiverState::default()
                },
                AlertReceiverState {
                    name: "pager".into(),
                    least: AlertSeverity::Critical.into(),
                    waiting: 2,
                    next: at(60),
                    failure: "answered 404 Not Found".into(),
                    lost: 1,
                    ..AlertReceiverState::default()
                },
            ],
            told: vec![ToldAlert {
                id: "host.disk".into(),
                state: HealthState::Critical.into(),
                since: at(0),
                what: "disk /".into(),
                told: at(0),
            }],
            pinged: at(0),
            ping_failure: "no answer within 10 s".into(),
            settings: "ab".into(),
        };
        insta::assert_snapshot!(text(&state));
        assert_eq!(text(&AlertsResponse::default()), "no alerts are set: nobody is told\n");
    }
}
