//! What the agent tells of itself: what it takes, its look at health, and how alerts fare. Pure.

use super::{Exposition, Facts, Kind, seconds};
use crate::{
    alerts,
    health::{Figures, Level, series::float},
};

pub(super) fn write(facts: &Facts, to: &mut Exposition) {
    let labels = facts.info.each_ref().map(|(name, value)| (*name, value.as_str()));
    to.family("tidegate_agent", Kind::Info, "The agent's version, and whose droplet it is on.")
        .sample(&labels, 1.0);
    to.gauge(
        "tidegate_agent_enrolled",
        "Whether the agent is enrolled (1) or waits for it (0).",
        Some(f64::from(facts.is_enrolled)),
    );
    process(facts, to);
    if let Some(figures) = &facts.figures {
        look(figures, facts, to);
        checks(figures, to);
    }
    if let Some(state) = &facts.alerts {
        deliveries(state, to);
    }
}

/// By the names that all collectors know.
fn process(facts: &Facts, to: &mut Exposition) {
    let process = &facts.process;
    to.gauge(
        "process_start_time_seconds",
        "When the agent started, in seconds since 1970.",
        Some(seconds(facts.started)),
    );
    to.gauge("process_resident_memory_bytes", "Memory that the agent takes.", process.resident.map(float));
    to.gauge("process_open_fds", "Open files and connections of the agent.", process.files.map(float));
    to.family("process_cpu_seconds", Kind::Counter, "Processor time that the agent took.")
        .sample(&[], process.cpu.as_secs_f64());
}

fn look(figures: &Figures, facts: &Facts, to: &mut Exposition) {
    let age = facts.now.saturating_duration_since(figures.ended);
    to.gauge(
        "tidegate_health_look_age_seconds",
        "How old the look at health is from which all else here is told.",
        Some(age.as_secs_f64()),
    );
    to.gauge(
        "tidegate_health_look_timestamp_seconds",
        "When that look began, in seconds since 1970.",
        Some(seconds(figures.report.at)),
    );
    to.gauge(
        "tidegate_health_look_duration_seconds",
        "How long that look took.",
        Some(figures.took.as_secs_f64()),
    );
    to.family("tidegate_health_looks", Kind::Counter, "Looks at health since the agent started.")
        .sample(&[], float(figures.looks));
}

fn checks(figures: &Figures, to: &mut Exposition) {
    let checks = &figures.report.checks;
    let mut counts = to.family("tidegate_health_checks", Kind::Gauge, "How many checks stand at that level.");
    for level in [Level::Good, Level::Unknown, Level::Warning, Level::Critical] {
        let count = checks.iter().filter(|check| check.level == level).count();
        counts.sample(&[("level", level.word())], float(u64::try_from(count).unwrap_or(u64::MAX)));
    }
    let help = "How a check stands: 0 good, 1 unknown, 2 warning, 3 critical.";
    let mut levels = to.family("tidegate_health_check_level", Kind::Gauge, help);
    for check in checks {
        let app = check.id.whose().map_or("", crate::apps::AppName::as_str);
        levels.sample(&[("app", app), ("check", &check.id.to_string())], rank(check.level));
    }
    let mut since = to.family(
        "tidegate_health_check_since_timestamp_seconds",
        Kind::Gauge,
        "Since when a check that is not good stands so, in seconds since 1970.",
    );
    for check in checks.iter().filter(|check| check.level != Level::Good) {
        let app = check.id.whose().map_or("", crate::apps::AppName::as_str);
        since.sample(&[("app", app), ("check", &check.id.to_string())], seconds(check.since));
    }
}

fn rank(level: Level) -> f64 {
    match level {
        Level::Good => 0.0,
        Level::Unknown => 1.0,
        Level::Warning => 2.0,
        Level::Critical => 3.0,
    }
}

fn deliveries(state: &alerts::State, to: &mut Exposition) {
    let receivers = || state.receivers.iter().map(|(name, _, state)| (name.as_str(), state));
    let mut waiting = to.family(
        "tidegate_alert_messages_waiting",
        Kind::Gauge,
        "Messages that wait until their receiver takes them.",
    );
    for (name, state) in receivers() {
        waiting.sample(&[("receiver", name)], f64::from(state.waiting));
    }
    let mut lost =
        to.family("tidegate_alert_messages_lost", Kind::Counter, "Messages that were given up, ever.");
    for (name, state) in receivers() {
        lost.sample(&[("receiver", name)], float(state.lost));
    }
    let mut failing = to.family(
        "tidegate_alert_receiver_failing",
        Kind::Gauge,
        "Whether the last try to reach the receiver failed (1) or not (0).",
    );
    for (name, state) in receivers() {
        failing.sample(&[("receiver", name)], f64::from(state.failing.is_some()));
    }
    let mut delivered = to.family(
        "tidegate_alert_delivered_timestamp_seconds",
        Kind::Gauge,
        "When a message arrived last, in seconds since 1970.",
    );
    for (name, state) in receivers() {
        if let Some(at) = state.delivered {
            delivered.sample(&[("receiver", name)], seconds(at));
        }
    }
    to.gauge(
        "tidegate_alert_findings",
        "Findings of which at least one receiver was told.",
        Some(float(u64::try_from(state.told.len()).unwrap_or(u64::MAX))),
    );
    to.gauge(
        "tidegate_alert_ping_answered_timestamp_seconds",
        "When the dead man's switch was answered last, in seconds since 1970.",
        state.ping.answered.map(seconds),
    );
}
