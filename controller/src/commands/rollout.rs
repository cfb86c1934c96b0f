//! A release carried to droplets, one after the other, and followed: what `deploy` and `rollback` have in common.

use tidegate_proto::v1::{CancelReleaseRequest, DeployRequest, RollbackRequest};

use super::{context::Context, reach::Reach, release_tags};
use crate::{
    agents::Target,
    apply::release_tags::Serves,
    failure::Failure,
    names::Name,
    output::{Format, Printer},
    release::{
        follow::{Begin, Ended, follow},
        placement::Placement,
    },
};

/// What is carried out.
#[derive(Debug)]
pub(super) enum Wanted<'a> {
    /// A new release, with what of it is each droplet's part.
    Deploy(&'a DeployRequest, &'a Placement),
    /// An earlier one again.
    Rollback(&'a RollbackRequest),
    /// Nothing: the latest one is followed.
    Attach,
}

impl Wanted<'_> {
    /// With a key of its own for each droplet, so that a repeated request joins the release that it began.
    fn begin(&self, target: &Target) -> Begin {
        let key = || hex::encode(rand::random::<[u8; 16]>());
        match self {
            Self::Deploy(request, placement) => {
                let request = placement.request(&target.short, request);
                Begin::Deploy(Box::new(DeployRequest { idempotency_key: key(), ..request }))
            }
            Self::Rollback(request) => {
                Begin::Rollback(RollbackRequest { idempotency_key: key(), ..(*request).clone() })
            }
            Self::Attach => Begin::Attach,
        }
    }
}

/// Rolling: a droplet whose release fails keeps the old one, and those after it are not touched.
pub(super) async fn roll(
    context: &Context,
    reach: &Reach,
    (app, targets): (&Name, &[Target]),
    wanted: &Wanted<'_>,
) -> anyhow::Result<Vec<Ended>> {
    if !matches!(wanted, Wanted::Attach) {
        // All of them before any is touched: an agent of another version refuses the whole release.
        for target in targets {
            reach.checked(target).await?;
        }
    }
    let mut released = Vec::new();
    for target in targets {
        let ended = one(context, reach, (app, target), wanted.begin(target)).await?;
        let failure = failure(&ended);
        if failure.is_none() {
            context.printer.note(ended.describe());
        }
        released.push(ended);
        if let Some(failure) = failure {
            tag(context, reach, (app, targets), &released).await;
            print(&context.printer, &released);
            return Err(failure);
        }
    }
    tag(context, reach, (app, targets), &released).await;
    print(&context.printer, &released);
    Ok(released)
}

/// Tags the droplets on which the release serves.
async fn tag(context: &Context, reach: &Reach, (app, targets): (&Name, &[Target]), released: &[Ended]) {
    let serving = |(target, ended)| match ended {
        &Ended { state: "released", release, .. } => Some((target, Serves::Release(release))),
        _ => None,
    };
    let served: Vec<_> = targets.iter().zip(released).filter_map(serving).collect();
    release_tags::set(context, reach, (app, &served)).await;
}

/// How the latest release ends on each of these droplets, whatever that end is.
pub(super) async fn endings(
    context: &Context,
    reach: &Reach,
    (app, targets): (&Name, &[Target]),
) -> anyhow::Result<Vec<Ended>> {
    let mut all = Vec::new();
    for target in targets {
        all.push(one(context, reach, (app, target), Begin::Attach).await?);
    }
    Ok(all)
}

/// Follows one release; who interrupts is asked what it is to mean.
async fn one(
    context: &Context,
    reach: &Reach,
    (app, target): (&Name, &Target),
    begin: Begin,
) -> anyhow::Result<Ended> {
    // On the heap: the future of a whole release is large.
    let mut followed = Box::pin(follow(&reach.caller, target, app.as_str(), begin, &context.printer));
    loop {
        tokio::select! {
            ended = &mut followed => return Ok(ended?),
            _ = tokio::signal::ctrl_c() => match asked(&context.printer).await {
                Answer::Detach => return Err(detached(target)),
                Answer::Undo => undo(context, reach, (app, target)).await?,
                Answer::Follow => {}
            },
        }
    }
}

enum Answer {
    Detach,
    Undo,
    Follow,
}

/// The release does not hang on this terminal, so an interruption alone takes nothing back.
async fn asked(printer: &Printer) -> Answer {
    if !printer.can_ask() {
        return Answer::Detach;
    }
    let printer = printer.clone();
    let question = "The release goes on without this terminal. Detach, undo it, or follow on? [d/u/f]";
    let asked = tokio::task::spawn_blocking(move || printer.ask(question)).await;
    let answer = asked.ok().and_then(Result::ok).unwrap_or_default();
    match answer.trim().to_lowercase().as_str() {
        "u" | "undo" => Answer::Undo,
        "f" | "follow" => Answer::Follow,
        _ => Answer::Detach,
    }
}

async fn undo(context: &Context, reach: &Reach, (app, target): (&Name, &Target)) -> anyhow::Result<()> {
    let agent = reach.connect(target).await?;
    let mut client = agent.client();
    let answered = agent.call(client.cancel_release(CancelReleaseRequest { app: app.to_string() })).await?;
    context.printer.note(match answered.release {
        0 => "nothing is under way any more".to_owned(),
        release => format!("r{release} is being taken back"),
    });
    Ok(())
}

/// For programs; people were told as it went.
pub(super) fn print(printer: &Printer, released: &[Ended]) {
    if printer.format() == Format::Json {
        printer.json(&released);
    }
}

fn detached(target: &Target) -> anyhow::Error {
    Failure::interrupted(format!("the release goes on on {} without this terminal", target.short))
        .hint("`tidegate deploy --attach` follows it again, `tidegate deploy --cancel` has it taken back")
        .into()
}

fn failure(ended: &Ended) -> Option<anyhow::Error> {
    let (what, stuck) = match ended.state {
        "released" | "superseded" => return None,
        "stuck" => (format!("r{} is stuck on {}", ended.release, ended.droplet), true),
        _ => (format!("r{} was not released on {}", ended.release, ended.droplet), false),
    };
    let Some(told) = &ended.failure else {
        return Some(Failure::failed(what).into());
    };
    let mut text = format!("{what}: {}", told.what);
    if !told.place.is_empty() {
        text.push_str(&format!(" ({})", told.place));
    }
    for line in &told.details {
        text.push_str("\n    | ");
        text.push_str(line);
    }
    let mut failure = if stuck { Failure::in_doubt(text) } else { Failure::failed(text) };
    if !told.cause.is_empty() {
        failure = failure.because(told.cause.clone());
    }
    if !told.hint.is_empty() {
        failure = failure.hint(told.hint.clone());
    }
    Some(failure.into())
}
