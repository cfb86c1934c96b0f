//! The watch: after the switch the new containers are looked at and asked, for as long as the file says. What is a bad
//! sign is said in `release/signs.rs`; the first one fails the step, and so brings the old release back.
//!
//! A try of every probe begins twice a second, whether the one before has ended or not: so a container that hangs is found
//! out a second after its first late answer, however long its probes may take. The undo sends requests to the old
//! containers again before anything else is taken back, which may take its time.

use std::time::Duration;

use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use serde_json::Value;
use tidegate_saga::Cancel;
use tokio::time::{Interval, MissedTickBehavior};

use super::{replace, summary, switch};
use crate::{
    apps::ServiceName,
    docker::Container,
    ingress::{IngressError, Mark},
    release::{
        Failure,
        context::Context,
        gate,
        plan::{OldContainer, PlannedProbe, PlannedService, ProbeTarget, ServiceAction, Was},
        probing,
        signs::{self, ProbeTally, Sign},
    },
};

/// How often containers are looked at, and how often a try of each probe begins.
const LOOK: Duration = Duration::from_millis(500);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an old container that is started again is waited for before requests are sent to it in any case: the ingress
/// takes seconds to see that, and tries again for seconds.
const AWAKE: Duration = Duration::from_secs(1);
/// Between tries whether it takes connections.
const RETRY: Duration = Duration::from_millis(100);
/// How often the answers at the ingress are counted.
const COUNT: Duration = Duration::from_secs(1);
/// How many tries of a probe may be under way.
const TRIES: usize = 8;

/// A container that is watched.
struct Watched<'c> {
    service: &'c PlannedService,
    name: &'c str,
    /// How often Docker had started it again before.
    restarts: Option<u64>,
    /// What the last look found.
    seen: Option<Container>,
    probes: Vec<Asked<'c>>,
}

/// A probe and how it went so far.
struct Asked<'c> {
    probe: &'c PlannedProbe,
    tally: ProbeTally,
    under_way: usize,
}

pub(super) async fn forward(context: &Context, cancel: &Cancel) -> Result<Value, Failure> {
    tokio::select! {
        () = tokio::time::sleep(context.plan.watch) => {
            Ok(summary(format!("{} s", probing::seconds(context.plan.watch))))
        }
        why = cancel.cancelled() => Err(Failure::new("the release was cancelled", why)),
        failure = until_bad(context) => Err(failure),
    }
}

/// Looks and asks until there is a bad sign; without one it does not end.
pub(super) async fn until_bad(context: &Context) -> Failure {
    let mut watched = watched(context);
    let mut looks = every(LOOK);
    let mut counts = every(COUNT);
    // What was answered before, while some were still sent to the old containers, does not count.
    let mark = told(context.ingress.mark());
    let mut tries = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = looks.tick() => {
                for (at, one) in watched.iter_mut().enumerate() {
                    if let Some(sign) = look(context, one).await {
                        return failure(context, one, &sign).await;
                    }
                    for (number, container, probe) in due(one) {
                        tries.push(ask(context, (at, number), (container, probe)));
                    }
                }
            }
            _ = counts.tick(), if mark.is_some() => {
                if let Some(failure) = answers(context, mark.as_ref()).await {
                    return failure;
                }
            }
            Some(((at, number), answer)) = tries.next(), if !tries.is_empty() => {
                let Some(one) = watched.get_mut(at) else { continue };
                let Some(asked) = one.probes.get_mut(number) else { continue };
                asked.under_way = asked.under_way.saturating_sub(1);
                asked.tally.add(answer);
                if let Some(sign) = asked.tally.sign() {
                    return failure(context, one, &sign).await;
                }
            }
        }
    }
}

/// Whether a service with new containers answers too many requests with errors.
async fn answers(context: &Context, mark: Option<&Mark>) -> Option<Failure> {
    let counted = tokio::time::timeout(PATIENCE, context.ingress.responses(&context.id.app, mark?)).await;
    let mut counts = told(counted.ok()?)?;
    // One that stays as it is may have answered so before.
    let is_new = |name: &ServiceName| {
        context.plan.service(name.as_str()).is_some_and(|service| service.action != ServiceAction::Keep)
    };
    counts.retain(|name, _| is_new(name));
    let (service, sign) = signs::of_responses(&counts)?;
    let mut details = Vec::new();
    for new in context.plan.service(service.as_str()).into_iter().flat_map(|service| &service.new) {
        if let Ok(Some(container)) = context.docker.container(&new.name).await {
            details.extend(gate::last_words(context, &container).await);
        }
    }
    let what = format!("service {service} turned bad after the switch");
    let failure = Failure::new(what, sign.to_string()).at(service.to_string());
    Some(
        failure
            .hint("the release before serves again; the last lines of its containers are above")
            .details(details),
    )
}

/// What the ingress told; that it could not be asked says nothing about the release.
fn told<T>(answer: Result<T, IngressError>) -> Option<T> {
    if let Err(error) = &answer {
        let error = crate::release::chain(error);
        tracing::warn!(error, "the watch could not count the answers at the ingress");
    }
    answer.ok()
}

/// The probes of a running container of which another try begins now.
fn due<'c>(watched: &mut Watched<'c>) -> Vec<(usize, Container, &'c PlannedProbe)> {
    let Some(container) = watched.seen.as_ref().filter(|container| container.is_running()) else {
        return Vec::new();
    };
    let mut due = Vec::new();
    for (number, asked) in watched.probes.iter_mut().enumerate() {
        // A command is not asked again before it has answered: each one is a process in the container.
        let most = if asked.probe.target.needs_address() { TRIES } else { 1 };
        if asked.under_way < most {
            asked.under_way = asked.under_way.saturating_add(1);
            due.push((number, container.clone(), asked.probe));
        }
    }
    due
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn watched(context: &Context) -> Vec<Watched<'_>> {
    let changed = context.plan.services.iter().filter(|service| service.action != ServiceAction::Keep);
    let mut watched = Vec::new();
    for service in changed {
        let probes = || {
            let asked = |probe| Asked { probe, tally: ProbeTally::default(), under_way: 0 };
            service.probes.iter().map(asked).collect()
        };
        // What this release made was never started again: also not between its gate and the watch.
        let new = service.new.iter().map(|new| (new.name.as_str(), Some(0)));
        let woken = service.woken().map(|kept| (kept.name.as_str(), None));
        let one = |(name, restarts)| Watched { service, name, restarts, seen: None, probes: probes() };
        watched.extend(new.chain(woken).map(one));
    }
    watched
}

async fn look(context: &Context, watched: &mut Watched<'_>) -> Option<Sign> {
    // Docker that is away says nothing about the release: containers go on without it.
    let container = match tokio::time::timeout(PATIENCE, context.docker.container(watched.name)).await {
        Ok(Ok(container)) => container,
        Ok(Err(error)) => {
            let error = crate::release::chain(&error);
            tracing::warn!(container = watched.name, error, "the watch could not look");
            return None;
        }
        Err(_) => {
            tracing::warn!(container = watched.name, "the watch could not look: Docker does not answer");
            return None;
        }
    };
    let now = container.as_ref().map_or(0, |container| container.restarts);
    let before = *watched.restarts.get_or_insert(now);
    let sign = signs::of_container(container.as_ref(), before, watched.service.ends);
    watched.seen = container;
    sign
}

async fn ask(
    context: &Context,
    which: (usize, usize),
    (container, probe): (Container, &PlannedProbe),
) -> ((usize, usize), Result<(), String>) {
    (which, probing::one(context, &container, probe).await)
}

async fn failure(context: &Context, watched: &Watched<'_>, sign: &Sign) -> Failure {
    let details = match &watched.seen {
        Some(container) => gate::last_words(context, container).await,
        None => Vec::new(),
    };
    Failure::new(format!("service {} turned bad after the switch", watched.service.name), sign.to_string())
        .at(watched.name)
        .hint("the release before serves again; the last lines of the container are above")
        .details(details)
}

/// The old containers behind the ingress serve again. What follows, the undo of the steps before, waits until they are well.
pub(super) async fn undo(context: &Context, step: &str) -> Result<(), Failure> {
    let mut old: Vec<(&PlannedService, &OldContainer)> = Vec::new();
    for service in context.plan.blue_green() {
        old.extend(service.old.iter().map(|old| (service, old)));
    }
    if old.is_empty() {
        return Ok(());
    }
    for (_, old) in &old {
        replace::wake_old(context, old, step).await?;
    }
    old.retain(|(_, old)| old.was == Was::Running);
    let mut listening = Vec::new();
    for (service, old) in old {
        listening.push(listens(context, service, old));
    }
    // One that does not listen in time is slow; the new ones are worse.
    drop(tokio::time::timeout(AWAKE, join_all(listening)).await);
    switch::serve_former(context).await
}

/// Waits until an old container takes connections.
async fn listens(context: &Context, service: &PlannedService, old: &OldContainer) {
    let Some(port) = service.ingress_port else { return };
    let probe = PlannedProbe { target: ProbeTarget::Tcp { port }, timeout: AWAKE };
    loop {
        if let Ok(Some(container)) = context.docker.container(&old.id).await
            && probing::one(context, &container, &probe).await.is_ok()
        {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}
