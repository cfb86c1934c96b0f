//! `tidegate-agent health --after-reboot`: what came back after the droplet's last start.
//!
//! # Exit codes
//! 0 all is back that nobody had stopped; 1 something is not, or not yet; 2 it cannot be told.

use std::{io::Write, process::ExitCode};

use jiff::Timestamp;
use serde_json::json;
use tidegate_proto::v1::{AfterBootRequest, AfterBootResponse, AppBack, BackState, BroughtBy, ContainerBack};

use super::{Local, local};

const NOT_ALL: u8 = 1;
const CANNOT_TELL: u8 = 2;

pub(super) fn run(local: &Local, app: Option<&str>, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut told = None;
    let asked = local::block_on(async {
        let mut client = local::connect(&local.socket).await?;
        let request = AfterBootRequest { app: app.unwrap_or_default().to_owned() };
        let answer = client.after_boot(request).await.map_err(|status| local::explain(&status))?;
        told = Some(answer.into_inner());
        Ok(())
    });
    let Some(told) = told else {
        let why = asked.err().map(|error| format!("{error:#}")).unwrap_or_default();
        if local.json {
            writeln!(out, "{}", json!({ "cannot_tell": why }))?;
        } else {
            writeln!(out, "cannot tell: {why}")?;
        }
        return Ok(ExitCode::from(CANNOT_TELL));
    };
    if local.json {
        writeln!(out, "{}", as_json(&told))?;
    } else {
        write!(out, "{}", text(&told))?;
    }
    Ok(ExitCode::from(code(&told)))
}

fn code(told: &AfterBootResponse) -> u8 {
    let is_back = |app: &AppBack| matches!(app.state(), BackState::Back | BackState::Stopped);
    if told.apps.iter().all(is_back) { 0 } else { NOT_ALL }
}

fn text(told: &AfterBootResponse) -> String {
    let booted = seconds(told.booted_at.as_ref());
    let agent = match (booted, seconds(told.agent_at.as_ref())) {
        (Some(booted), Some(agent)) => format!("the agent began after {} s", agent.saturating_sub(booted)),
        _ => "the agent is about to look".to_owned(),
    };
    let at = time(told.booted_at.as_ref()).unwrap_or_else(|| "at a time that is not known".to_owned());
    let mut text = format!("started {at} (boot {}), {agent}\n", told.boot_id);
    for app in &told.apps {
        text.push_str(&format!("{} r{}: {}\n", app.app, app.release, app_words(app, booted)));
        for container in &app.containers {
            text.push_str(&format!("  {}: {}\n", container.container, words(container, booted)));
        }
    }
    if told.apps.is_empty() {
        text.push_str("no app serves here\n");
    }
    text
}

fn app_words(app: &AppBack, booted: Option<i64>) -> String {
    let why = if app.why.is_empty() { String::new() } else { format!(": {}", app.why) };
    match app.state() {
        BackState::Back => format!("back{}", after(seconds(app.back_at.as_ref()), booted)),
        BackState::Coming => format!("not back yet{why}"),
        BackState::Stopped => "stands still, as somebody left it".to_owned(),
        BackState::NotBack | BackState::Ended | BackState::Unspecified => format!("not back{why}"),
    }
}

fn words(container: &ContainerBack, booted: Option<i64>) -> String {
    let by = match container.by() {
        BroughtBy::AgentStarted => ", started by the agent",
        BroughtBy::AgentMade => ", had vanished and was made again",
        BroughtBy::Docker | BroughtBy::Unspecified => "",
    };
    let why = &container.why;
    match container.state() {
        BackState::Back => format!("back{}{by}", after(seconds(container.well_since.as_ref()), booted)),
        BackState::Ended => "ended, as it may".to_owned(),
        BackState::Stopped => format!("not started: {why}"),
        BackState::Coming => format!("not back yet: {why}{by}"),
        BackState::NotBack | BackState::Unspecified => format!("not back: {why}{by}"),
    }
}

fn after(at: Option<i64>, booted: Option<i64>) -> String {
    match (at, booted) {
        (Some(at), Some(booted)) => format!(" after {} s", at.saturating_sub(booted).max(0)),
        _ => String::new(),
    }
}

fn as_json(told: &AfterBootResponse) -> serde_json::Value {
    let booted = seconds(told.booted_at.as_ref());
    let seconds_after =
        |at: Option<&prost_types::Timestamp>| Some(seconds(at)?.saturating_sub(booted?).max(0));
    let container = |container: &ContainerBack| {
        json!({
            "service": container.service,
            "container": container.container,
            "state": word(container.state()),
            "by": by(container.by()),
            "why": container.why,
            "running_since": time(container.running_since.as_ref()),
            "well_since": time(container.well_since.as_ref()),
            "back_after_seconds": seconds_after(container.well_since.as_ref()),
        })
    };
    let app = |app: &AppBack| {
        json!({
            "app": app.app,
            "release": app.release,
            "state": word(app.state()),
            "why": app.why,
            "back_at": time(app.back_at.as_ref()),
            "back_after_seconds": seconds_after(app.back_at.as_ref()),
            "containers": app.containers.iter().map(container).collect::<Vec<_>>(),
        })
    };
    json!({
        "boot_id": told.boot_id,
        "booted_at": time(told.booted_at.as_ref()),
        "agent_at": time(told.agent_at.as_ref()),
        "apps": told.apps.iter().map(app).collect::<Vec<_>>(),
    })
}

fn word(state: BackState) -> &'static str {
    match state {
        BackState::Back => "back",
        BackState::Coming => "coming",
        BackState::Stopped => "stopped",
        BackState::Ended => "ended",
        BackState::NotBack | BackState::Unspecified => "not_back",
    }
}

fn by(by: BroughtBy) -> &'static str {
    match by {
        BroughtBy::Docker | BroughtBy::Unspecified => "docker",
        BroughtBy::AgentStarted => "agent_started",
        BroughtBy::AgentMade => "agent_made",
    }
}

fn seconds(at: Option<&prost_types::Timestamp>) -> Option<i64> {
    at.map(|at| at.seconds)
}

fn time(at: Option<&prost_types::Timestamp>) -> Option<String> {
    Some(Timestamp::from_second(at?.seconds).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds: 1_795_000_000 + second, nanos: 0 }
    }

    fn container(name: &str, state: BackState, by: BroughtBy) -> ContainerBack {
        ContainerBack {
            service: name.to_owned(),
            container: format!("shop-{name}-1"),
            state: state.into(),
            by: by.into(),
            well_since: (state == BackState::Back).then(|| at(41)),
            why: if state == BackState::NotBack { "it ended with exit code 1" } else { "" }.to_owned(),
            ..ContainerBack::default()
        }
    }

    fn told(state: BackState, containers: Vec<ContainerBack>) -> AfterBootResponse {
        let back_at = (state == BackState::Back).then(|| at(41));
        let app = AppBack {
            app: "shop".to_owned(),
            release: 42,
            state: state.into(),
            back_at,
            containers,
            ..AppBack::default()
        };
        AfterBootResponse {
            boot_id: "4f2a".to_owned(),
            booted_at: Some(at(0)),
            agent_at: Some(at(9)),
            apps: vec![app],
        }
    }

    #[test]
    fn each_container_says_when_it_was_back_or_why_it_is_not() {
        let told = told(
            BackState::NotBack,
            vec![
                container("web", BackState::Back, BroughtBy::AgentMade),
                container("worker", BackState::NotBack, BroughtBy::AgentStarted),
            ],
        );
        assert_eq!(
            text(&told),
            "started 2026-11-18T11:06:40Z (boot 4f2a), the agent began after 9 s\nshop r42: not back\n  \
             shop-web-1: back after 41 s, had vanished and was made again\n  \
             shop-worker-1: not back: it ended with exit code 1, started by the agent\n"
        );
        assert_eq!(code(&told), 1);
        assert_eq!(as_json(&told)["apps"][0]["containers"][0]["back_after_seconds"], 41);
    }

    #[test]
    fn what_somebody_stopped_is_no_fault() {
        assert_eq!(code(&told(BackState::Stopped, Vec::new())), 0);
        assert_eq!(code(&told(BackState::Back, Vec::new())), 0);
        assert_eq!(code(&told(BackState::Coming, Vec::new())), 1);
        assert_eq!(code(&AfterBootResponse::default()), 0);
    }
}
