//! What it means that a release did not come to all of its droplets: one error, whose lines name each droplet.

use super::{Followed, Meant};
use crate::{
    agents::AgentError,
    failure::Failure,
    release::follow::{Ended, FailureView, IN_DOUBT},
};

/// Whether a droplet has the release.
pub(super) fn is_released(followed: &Followed) -> bool {
    matches!(followed, Ok(ended) if matches!(ended.state, "released" | "superseded"))
}

/// The error of these ends, in the order of the droplets; none when all have the release.
pub(super) fn of(meant: Meant<'_>, followed: Vec<Followed>) -> Option<anyhow::Error> {
    let mut ended = Vec::new();
    let mut broken = Vec::new();
    for (target, followed) in meant.targets.iter().zip(followed) {
        if is_released(&followed) {
            continue;
        }
        match followed {
            Ok(one) => ended.push(one),
            Err(error) => broken.push((target.short.clone(), AgentError::from(error))),
        }
    }
    match (ended.as_slice(), broken.len()) {
        ([], 0) => None,
        ([], 1) => broken.pop().map(|(_, error)| error.into()),
        ([one], 0) => Some(of_one(one).into()),
        _ => Some(of_many(meant, &ended, broken).into()),
    }
}

/// The one droplet that failed.
fn of_one(ended: &Ended) -> Failure {
    let what = match ended.state {
        IN_DOUBT => None,
        "stuck" => Some(format!("r{} is stuck on {}", ended.release, ended.droplet)),
        _ => Some(format!("r{} was not released on {}", ended.release, ended.droplet)),
    };
    let Some(told) = &ended.failure else {
        let what = what.unwrap_or_else(|| format!("r{} is in doubt on {}", ended.release, ended.droplet));
        return failure(ended.state, what);
    };
    let mut text = match what {
        Some(what) => format!("{what}: {}", placed(told)),
        None => told.what.clone(),
    };
    text.extend(told.details.iter().map(|line| format!("\n    | {line}")));
    let mut failure = failure(ended.state, text);
    if !told.cause.is_empty() {
        failure = failure.because(told.cause.clone());
    }
    if !told.hint.is_empty() {
        failure = failure.hint(told.hint.clone());
    }
    failure
}

/// Several droplets: each with what it said, and all hints.
fn of_many(meant: Meant<'_>, ended: &[Ended], broken: Vec<(String, AgentError)>) -> Failure {
    let names: Vec<&str> = ended
        .iter()
        .map(|one| one.droplet.as_str())
        .chain(broken.iter().map(|(name, _)| name.as_str()))
        .collect();
    let worst = ["stuck", IN_DOUBT].into_iter().find(|state| ended.iter().any(|one| one.state == *state));
    let mut text = match worst {
        Some(state) => format!("{} is {state}", meant.app),
        None => format!("{} was not released on {}", meant.app, names.join(", ")),
    };
    let mut hints = Vec::new();
    for one in ended {
        text.push_str(&format!("\n    {} r{} {}", one.droplet, one.release, one.state));
        let Some(told) = &one.failure else { continue };
        text.push_str(&format!(": {}", placed(told)));
        if !told.cause.is_empty() {
            text.push_str(&format!(": {}", told.cause));
        }
        text.extend(told.details.iter().map(|line| format!("\n      | {line}")));
        hints.extend(Some(told.hint.clone()).filter(|hint| !hint.is_empty()));
    }
    for (name, error) in broken {
        hints.extend(error.hint());
        text.push_str(&format!("\n    {name}: {:#}", anyhow::Error::from(error)));
    }
    let first = failure(worst.unwrap_or_default(), text);
    hints.into_iter().fold(first, Failure::hint)
}

fn failure(state: &str, text: String) -> Failure {
    if matches!(state, "stuck" | IN_DOUBT) { Failure::in_doubt(text) } else { Failure::failed(text) }
}

/// "service web did not pass its gate (shop-web-2)"
fn placed(told: &FailureView) -> String {
    if told.place.is_empty() { told.what.clone() } else { format!("{} ({})", told.what, told.place) }
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
