//! `tidegate-agent health`: what the droplet's timer starts each minute. It asks the agent, which looks and remembers.
//!
//! # Exit codes
//! 0 all is good; 1 something is a warning or critical; 2 it cannot be told: something is unknown and nothing known is wrong, or
//! the agent does not answer.

use std::{io::Write, process::ExitCode};

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use tidegate_proto::v1::{HealthCheck, HealthRequest, HealthResponse, HealthState};

use super::{Local, local};

const FINDINGS: u8 = 1;
const CANNOT_TELL: u8 = 2;

/// Arguments of `health`.
#[derive(Debug, Args)]
pub struct HealthArguments {
    #[command(flatten)]
    local: Local,
    /// Only this app.
    app: Option<String>,
}

pub(super) fn run(arguments: &HealthArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut answer = None;
    let asked = local::block_on(async {
        answer = Some(ask(arguments).await?);
        Ok(())
    });
    let told = match (asked, answer) {
        (Ok(()), Some(told)) => told,
        (asked, _) => {
            let why = asked.err().map_or_else(String::new, |error| format!("{error:#}"));
            if arguments.local.json {
                writeln!(out, "{}", json!({ "cannot_tell": why }))?;
            } else {
                writeln!(out, "cannot tell: {why}")?;
            }
            return Ok(ExitCode::from(CANNOT_TELL));
        }
    };
    if arguments.local.json {
        let checks: Vec<_> = told.checks.iter().map(as_json).collect();
        writeln!(out, "{}", json!({ "at": time(told.at.as_ref()), "checks": checks }))?;
    } else {
        write!(out, "{}", text(&told.checks))?;
    }
    Ok(ExitCode::from(code(&told.checks)))
}

async fn ask(arguments: &HealthArguments) -> anyhow::Result<HealthResponse> {
    let mut client = local::connect(&arguments.local.socket).await?;
    let request = HealthRequest { app: arguments.app.clone().unwrap_or_default() };
    Ok(client.health(request).await.map_err(|status| local::explain(&status))?.into_inner())
}

fn code(checks: &[HealthCheck]) -> u8 {
    let any = |states: &[HealthState]| checks.iter().any(|check| states.contains(&check.state()));
    if any(&[HealthState::Warning, HealthState::Critical]) {
        FINDINGS
    } else if checks.is_empty() || any(&[HealthState::Unknown, HealthState::Unspecified]) {
        CANNOT_TELL
    } else {
        0
    }
}

fn word(state: HealthState) -> &'static str {
    match state {
        HealthState::Good => "good",
        HealthState::Warning => "warning",
        HealthState::Critical => "critical",
        HealthState::Unknown | HealthState::Unspecified => "unknown",
    }
}

fn text(checks: &[HealthCheck]) -> String {
    let mut text = String::new();
    for check in checks.iter().filter(|check| check.state() != HealthState::Good) {
        let since = time(check.since.as_ref()).map(|since| format!(" since {since}")).unwrap_or_default();
        text.push_str(&format!(
            "{} {}{since}: {}: {}\n",
            word(check.state()),
            check.id,
            check.what,
            check.why
        ));
        if !check.hint.is_empty() {
            text.push_str(&format!("  hint: {}\n", check.hint));
        }
    }
    let good = checks.iter().filter(|check| check.state() == HealthState::Good).count();
    text.push_str(&format!("{good} of {} checks are good\n", checks.len()));
    text
}

fn as_json(check: &HealthCheck) -> serde_json::Value {
    json!({
        "id": check.id,
        "app": check.app,
        "state": word(check.state()),
        "since": time(check.since.as_ref()),
        "what": check.what,
        "why": check.why,
        "hint": check.hint,
    })
}

fn time(at: Option<&prost_types::Timestamp>) -> Option<String> {
    Some(Timestamp::from_second(at?.seconds).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, state: HealthState) -> HealthCheck {
        let since = Some(prost_types::Timestamp { seconds: 1_795_000_000, nanos: 0 });
        HealthCheck {
            id: id.to_owned(),
            state: state.into(),
            since,
            what: "disk /".to_owned(),
            why: "93 % used".to_owned(),
            hint: "see df".to_owned(),
            ..HealthCheck::default()
        }
    }

    #[test]
    fn what_is_wrong_outweighs_what_is_not_known() {
        use HealthState::{Critical, Good, Unknown, Warning};
        let code = |states: &[HealthState]| {
            super::code(&states.iter().map(|state| check("host.disk", *state)).collect::<Vec<_>>())
        };
        assert_eq!(code(&[Good, Good]), 0);
        assert_eq!((code(&[Good, Warning]), code(&[Critical, Unknown])), (1, 1));
        assert_eq!((code(&[Good, Unknown]), code(&[])), (2, 2));
    }

    #[test]
    fn only_what_is_not_good_has_a_line() {
        let told = text(&[check("host.cpu", HealthState::Good), check("host.disk", HealthState::Warning)]);
        assert_eq!(
            told,
            "warning host.disk since 2026-11-18T11:06:40Z: disk /: 93 % used\n  hint: see df\n1 of 2 checks are good\n"
        );
    }

    #[test]
    fn a_dead_agent_is_told_as_that() {
        let local = Local { socket: "/nonexistent/agent.sock".into(), json: false };
        let mut out = Vec::new();
        run(&HealthArguments { local, app: None }, &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        assert!(
            told.starts_with("cannot tell: the agent does not answer on /nonexistent/agent.sock"),
            "{told}"
        );
    }
}
