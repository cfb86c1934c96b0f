//! What a vote says to people: for whom it waits, why it failed, what to do. Pure.

use std::time::Duration;

use super::{
    Together, Vote,
    decide::Heard,
    talk::{Answer, Ballot},
};
use crate::{
    apps::{AppName, ReleaseNumber},
    release::Failure,
};

/// "web-2 (preparing), web-3 (cannot be reached)"
fn listed(answers: &[&Answer<'_>]) -> String {
    let one = |answer: &&Answer<'_>| format!("{} ({})", answer.peer.name, state(answer.heard));
    answers.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn state(heard: Heard) -> &'static str {
    let Heard::Told(outcome) = heard else { return "cannot be reached" };
    match outcome.vote {
        Vote::Unknown => "has not begun",
        Vote::Preparing => "is preparing",
        Vote::Ready => "is ready",
        Vote::Serving => "serves",
        Vote::Failed => "failed",
    }
}

pub(super) fn waiting(answers: &[&Answer<'_>]) -> String {
    format!("waiting for {}", listed(answers))
}

pub(super) fn cancelled(why: String) -> Failure {
    Failure::new("the release was cancelled", why)
}

pub(super) fn resolved(actor: &str) -> Failure {
    Failure::new("the release was in doubt and was taken back", format!("{actor} decided so"))
}

pub(super) fn another(failed: Option<&Answer<'_>>) -> Failure {
    let name = failed.map_or("another droplet", |answer| answer.peer.name.as_str());
    Failure::new(
        format!("the release failed on {name}"),
        "it is released on all of its droplets or on none, so the release before stays here too",
    )
    .at(failed.map(|answer| answer.peer.address.to_string()).unwrap_or_default())
    .hint(format!("`tidegate deploy --attach --droplet {name}` shows why"))
}

pub(super) fn not_migrated(lease: Duration, decider: &Answer<'_>) -> Failure {
    let trouble = Some(decider.trouble.clone()).filter(|trouble| !trouble.is_empty());
    Failure::new(
        format!("{} has not migrated the database in time", decider.peer.name),
        format!("after {} s: {}", lease.as_secs(), listed(&[decider])),
    )
    .at(decider.peer.to_string())
    .hint("it migrates for all droplets (`migrate.place`), and the new code of the others waits for that")
    .details(trouble.into_iter().collect())
}

pub(super) fn late(ballot: Ballot, lease: Duration, behind: &[&Answer<'_>]) -> Failure {
    let what = match ballot {
        Ballot::Agree => "not all droplets were ready in time",
        Ballot::Finish => "the release did not serve on all droplets in time",
    };
    let troubles = behind.iter().filter(|answer| !answer.trouble.is_empty());
    let details = troubles.map(|answer| format!("{}: {}", answer.peer, answer.trouble)).collect();
    Failure::new(what, format!("after {} s: {}", lease.as_secs(), listed(behind)))
        .hint("see that the droplets reach each other over the VPC on the agents' port, then deploy again")
        .details(details)
}

pub(super) fn in_doubt(
    release: ReleaseNumber,
    app: &AppName,
    (together, decider): (&Together, Option<&Answer<'_>>),
) -> Failure {
    let decides = decider.map(|answer| answer.peer.to_string()).unwrap_or_default();
    let trouble = decider.map(|answer| answer.trouble.clone()).unwrap_or_default();
    let own = together.own_name();
    Failure::new(
        format!("{release} is in doubt on {own}: it serves, and whether it stays cannot be known"),
        format!("{decides} decides for all droplets, and cannot be asked: {trouble}"),
    )
    .at(own)
    .hint(format!(
        "it goes on asking by itself; when that droplet is gone for good, end it on every droplet in doubt in the same \
         way: `tidegate resolve {app} --droplet {own} --keep` or `--undo`"
    ))
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
