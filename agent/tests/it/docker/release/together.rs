//! Releases on three droplets together, each with a daemon of its own: all of them end with the release or none, whoever
//! fails, is killed or cannot be reached.

mod edges;
mod sites;

use std::time::Duration;

use sites::{Sites, has_voted};
use tidegate_agent::release::{
    EventKind, ReleaseEvent, ReleaseState,
    together::{Decision, Outcome, Resolution, Vote},
};

use super::fixture::{self, App};

/// Long enough for three daemons on a busy machine.
const LONG: Duration = Duration::from_mins(2);
/// Short enough to wait for, and longer than the droplets are apart.
const SHORT: Duration = Duration::from_secs(15);

fn shop(version: &str) -> App {
    App::new("shop", include_str!("together/shop.yaml")).variable("VERSION", version)
}

fn has_begun(events: &[ReleaseEvent], wanted: &str) -> bool {
    events.iter().any(|event| matches!(&event.kind, EventKind::StepStarted { step } if step == wanted))
}

fn failure(events: &[ReleaseEvent]) -> String {
    match &events.last().unwrap().kind {
        EventKind::Finished { failure: Some(failure), .. } => failure.what.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_switch_or_none() {
    let mut sites = Sites::start().await;
    sites.release(LONG, |_| shop("v1")).await;
    let events = sites.ended(ReleaseState::Released, "v1").await;
    assert!(events.iter().all(|events| has_begun(events, "agree") && has_begun(events, "finish")));

    // One does not pass its gate: nobody has switched.
    let sick = |droplet| match droplet {
        3 => shop("v2").variable("BEFORE_WEB", "exit 3"),
        _ => shop("v2"),
    };
    sites.release(LONG, sick).await;
    let events = sites.ended(ReleaseState::Undone, "v1").await;
    assert!(!events.iter().any(|events| has_begun(events, "switch") || has_begun(events, "replace worker")));
    assert_eq!(failure(&events[0]), "the release failed on web-3");
    assert_eq!(failure(&events[2]), "service web did not pass its gate");

    // One is killed after its vote, and the others wait for a slow one meanwhile.
    let slow = |droplet| match droplet {
        3 => shop("v3").variable("STABLE", "6s"),
        _ => shop("v3"),
    };
    let rollout = sites.release(LONG, slow).await;
    sites.until(&rollout, "voted", |droplet, outcome| droplet == 3 || has_voted(outcome)).await;
    sites.all[1].kill();
    sites.all[1].restart().await;
    sites.ended(ReleaseState::Released, "v3").await;

    // A release that changes nothing is agreed on too.
    sites.release(LONG, |_| shop("v3")).await;
    let events = sites.ended(ReleaseState::Released, "v3").await;
    assert!(events.iter().all(|events| has_begun(events, "finish") && !has_begun(events, "create")));
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_are_cut_lead_to_one_release_or_to_doubt_that_ends_with_them() {
    let mut sites = Sites::start().await;
    sites.release(LONG, |_| shop("v1")).await;
    sites.ended(ReleaseState::Released, "v1").await;

    // At the first vote: the one that decides does not hear of the third, which goes back when its lease is over.
    let between = [(1, 3), (3, 1)];
    sites.cut(&between);
    sites.release(Duration::from_secs(5), |_| shop("v2")).await;
    let events = sites.ended(ReleaseState::Undone, "v1").await;
    assert!(!events.iter().any(|events| has_begun(events, "switch")));
    // All of them begin to wait in the same moment: whoever's lease is over first says so, the others may hear it from there.
    let failures: Vec<String> = events.iter().map(|events| failure(events)).collect();
    assert!(failures.iter().any(|told| told == "not all droplets were ready in time"), "{failures:?}");
    let others = ["not all droplets were ready in time", "the release failed on web-2"];
    assert!(others.contains(&failures[0].as_str()), "{failures:?}");
    sites.heal(&between);

    // At the last vote: the first hears that all serve, but nobody can ask it.
    let to_first = [(2, 1), (3, 1)];
    let rollout = sites.release(SHORT, |_| shop("v3")).await;
    sites.until_activated(&rollout).await;
    sites.cut(&to_first);
    sites.until_in_doubt(&[2, 3]).await;
    let doubt = sites.all[2].doubt().await.unwrap();
    assert_eq!(doubt, "r3 is in doubt on web-3: it serves, and whether it stays cannot be known");
    sites.serves(&sites.all[2], "v3").await;
    // Killed in doubt, it is in doubt again.
    sites.all[2].kill();
    sites.all[2].restart().await;
    sites.until_in_doubt(&[3]).await;
    // The second reaches the first again, and the third hears of it from the second.
    sites.heal(&[(2, 1)]);
    let events = sites.ended(ReleaseState::Released, "v3").await;
    assert!(events[1].iter().any(|event| matches!(event.kind, EventKind::InDoubt { .. })));
    sites.heal(&to_first);

    // The first hears nobody, so it goes back; the others learn that when they reach it.
    let all = [(1, 2), (1, 3), (2, 1), (3, 1)];
    let rollout = sites.release(SHORT, |_| shop("v4")).await;
    sites.until_activated(&rollout).await;
    sites.cut(&all);
    sites.until_in_doubt(&[2, 3]).await;
    let has_undone = |droplet, outcome: Outcome| droplet != 1 || outcome.decision == Decision::Undo;
    sites.until(&rollout, "given up by the first", has_undone).await;
    sites.heal(&all);
    sites.ended(ReleaseState::Undone, "v3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_one_that_decides_is_gone_an_operator_ends_the_doubt() {
    let mut sites = Sites::start().await;
    sites.release(LONG, |_| shop("v1")).await;
    sites.ended(ReleaseState::Released, "v1").await;

    let rollout = sites.release(SHORT, |_| shop("v2")).await;
    sites.until_activated(&rollout).await;
    sites.all[0].kill();
    sites.all.remove(0);
    sites.until_in_doubt(&[2, 3]).await;
    sites.until(&rollout, "serving", |_, outcome| outcome.vote == Vote::Serving).await;
    let another = sites.all[0].engine().deploy(fixture::input(&shop("v3")), "test").await;
    assert_eq!(
        another.unwrap_err().to_string(),
        "release r2 of shop is in doubt: droplets that have a say in it do not answer; `tidegate status` names them"
    );
    sites.all[0].resolve(&Resolution::Undo { actor: "ada".to_owned() });
    let events = sites.ended(ReleaseState::Undone, "v1").await;
    assert_eq!(failure(&events[0]), "the release was in doubt and was taken back");
    assert_eq!(failure(&events[1]), "the release failed on web-2");
}
