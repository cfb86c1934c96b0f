//! `tidegate-agent health`: what the droplet's timer starts each minute. It asks the agent, which looks and remembers.
//!
//! With `--tell`, as the timer has it, it tells the receivers of alerts when the agent does not answer for the third time in a
//! row, and when it answers again: a dead agent cannot. What could not be sent is written where the rest is, for the journal.
//!
//! # Exit codes
//! 0 all is good; 1 something is a warning or critical; 2 it cannot be told: something is unknown and nothing known is wrong, or
//! the agent does not answer.

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use serde_json::json;
use tidegate_proto::{
    status::RichError,
    v1::{HealthCheck, HealthRequest, HealthResponse, HealthState},
};

use super::{Local, local};
use crate::{
    alerts::{
        Silence,
        send::{ChildCommands, Deadlines, Roots, Transports},
    },
    clock::{Clock as _, SystemClock},
    release::chain,
};

const FINDINGS: u8 = 1;
const CANNOT_TELL: u8 = 2;

/// Arguments of `health`.
#[derive(Debug, Args)]
pub struct HealthArguments {
    #[command(flatten)]
    local: Local,
    /// Only this app.
    app: Option<String>,
    /// Tell the receivers of alerts when the agent does not answer three times in a row: the timer does this.
    #[arg(long, hide = true)]
    tell: bool,
    /// What the agent keeps.
    #[arg(long, hide = true, default_value = "/var/lib/tidegate")]
    state_dir: PathBuf,
    /// The machine's serial number, which on a droplet is its id.
    #[arg(long, hide = true, default_value = "/sys/class/dmi/id/product_serial")]
    dmi_serial: PathBuf,
}

/// What came of asking.
enum Asked {
    /// An answer.
    Told(HealthResponse),
    /// The agent refused: it is alive.
    Refused(anyhow::Error),
    /// Nobody answered.
    Silent(anyhow::Error),
}

pub(super) fn run(arguments: &HealthArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (mut asked, mut notes) = (None, Vec::new());
    local::block_on(async {
        let came = ask(arguments).await;
        if arguments.tell {
            notes = tell(arguments, &came).await;
        }
        asked = Some(came);
        Ok(())
    })?;
    let why = match asked {
        Some(Asked::Told(told)) => {
            if arguments.local.json {
                let checks: Vec<_> = told.checks.iter().map(as_json).collect();
                let at = local::time(told.at.as_ref());
                writeln!(out, "{}", json!({ "at": at, "checks": checks, "notes": notes }))?;
            } else {
                write!(out, "{}{}", text(&told.checks), lines(&notes))?;
            }
            return Ok(ExitCode::from(code(&told.checks)));
        }
        Some(Asked::Refused(error) | Asked::Silent(error)) => format!("{error:#}"),
        None => String::new(),
    };
    if arguments.local.json {
        writeln!(out, "{}", json!({ "cannot_tell": why, "notes": notes }))?;
    } else {
        write!(out, "cannot tell: {why}\n{}", lines(&notes))?;
    }
    Ok(ExitCode::from(CANNOT_TELL))
}

async fn ask(arguments: &HealthArguments) -> Asked {
    let mut client = match local::connect(&arguments.local.socket).await {
        Ok(client) => client,
        Err(error) => return Asked::Silent(error),
    };
    let request = HealthRequest { app: arguments.app.clone().unwrap_or_default() };
    match client.health(request).await {
        Ok(answer) => Asked::Told(answer.into_inner()),
        // What the agent refuses has a reason; what breaks on the way has none.
        Err(status) if RichError::from_status(&status).reason.is_empty() => {
            Asked::Silent(local::explain(&status))
        }
        Err(status) => Asked::Refused(local::explain(&status)),
    }
}

/// Tells receivers; what could not be done.
async fn tell(arguments: &HealthArguments, asked: &Asked) -> Vec<String> {
    let clock = Arc::new(SystemClock);
    let serial = fs_err::read_to_string(&arguments.dmi_serial).ok();
    let roots = (Roots::System, Deadlines::default());
    let silence = Silence {
        state: arguments.state_dir.clone(),
        serial: serial.and_then(|serial| serial.trim().parse().ok()),
        transports: Transports::new(roots, Arc::new(ChildCommands), clock.clone()),
        ids: Arc::new(uuid::Uuid::new_v4),
    };
    let told = match asked {
        Asked::Silent(_) => silence.not_answered(clock.now()).await,
        Asked::Told(_) | Asked::Refused(_) => silence.answered(clock.now()).await,
    };
    told.unwrap_or_else(|error| vec![chain(&error)])
}

fn lines(notes: &[String]) -> String {
    notes.iter().flat_map(|note| ["note: ", note, "\n"]).collect()
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

fn text(checks: &[HealthCheck]) -> String {
    let mut text = String::new();
    for check in checks.iter().filter(|check| check.state() != HealthState::Good) {
        let since =
            local::time(check.since.as_ref()).map(|since| format!(" since {since}")).unwrap_or_default();
        text.push_str(&format!(
            "{} {}{since}: {}: {}\n",
            check.state().word(),
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
        "state": check.state().word(),
        "since": local::time(check.since.as_ref()),
        "what": check.what,
        "why": check.why,
        "hint": check.hint,
    })
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
        let nowhere = || PathBuf::from("/nonexistent");
        let (state_dir, dmi_serial) = (nowhere(), nowhere());
        run(&HealthArguments { local, app: None, tell: false, state_dir, dmi_serial }, &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        assert!(
            told.starts_with("cannot tell: the agent does not answer on /nonexistent/agent.sock"),
            "{told}"
        );
    }
}
