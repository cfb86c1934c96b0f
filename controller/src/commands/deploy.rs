//! `tidegate deploy`: releases an app on its droplets, one after the other, and follows.

use serde::Serialize;
use tidegate_proto::v1::{ChangeKind, PlanDeployResponse};

use super::{
    context::Context,
    reach::{Reach, Which},
};
use crate::{
    agents::Target,
    environ::DotEnv,
    failure::{Failure, Outcome},
    names::Name,
    output::Printer,
    release::{
        bundle::{Bundle, gather},
        follow::{Begin, Ended, follow},
        git::Revision,
    },
};

/// Arguments of `deploy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Show what would be done, and why; change nothing
    #[arg(long, conflicts_with = "attach")]
    dry_run: bool,
    /// Follow the release that is under way, or show how the last one went
    #[arg(long)]
    attach: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    if args.attach {
        return all(context, &reach, &name, &targets, None).await;
    }
    let revision = Revision::of(&reach.fleet.directory).await;
    let dot_env = if app.env_files.is_empty() { DotEnv::Read } else { DotEnv::Replaced };
    let variables = context.environ(&reach.fleet)?.for_apps(dot_env);
    let bundle = gather((&name, &app), &reach.fleet.directory, &variables, &revision)?;
    for warning in &bundle.loaded.warnings {
        context.printer.note(format!("warning: {warning}"));
    }
    if args.dry_run {
        return dry_run(context, &reach, &targets, &bundle).await;
    }
    let shorts: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
    let what = format!("{name} {}", revision.describe());
    context.printer.note(format!("{} -> {}", what.trim_end(), shorts.join(", ")));
    all(context, &reach, &name, &targets, Some(&bundle)).await
}

/// Rolling: a droplet whose release fails keeps the old one, and those after it are not touched.
async fn all(
    context: &Context,
    reach: &Reach,
    app: &Name,
    targets: &[Target],
    bundle: Option<&Bundle>,
) -> anyhow::Result<Outcome> {
    if bundle.is_some() {
        // All of them before any is touched: an agent of another version refuses the whole deploy.
        for target in targets {
            reach.checked(target).await?;
        }
    }
    let mut released = Vec::new();
    for target in targets {
        let begin = match bundle {
            Some(bundle) => {
                let mut request = bundle.request.clone();
                request.idempotency_key = hex::encode(rand::random::<[u8; 16]>());
                Begin::Deploy(Box::new(request))
            }
            None => Begin::Attach,
        };
        let followed = follow(&reach.caller, target, app.as_str(), begin, &context.printer);
        let ended = tokio::select! {
            ended = followed => ended?,
            _ = tokio::signal::ctrl_c() => return Err(detached(target)),
        };
        let failure = failure(&ended);
        if failure.is_none() {
            context.printer.note(ended.describe());
        }
        released.push(ended);
        if let Some(failure) = failure {
            print(&context.printer, &released);
            return Err(failure);
        }
    }
    print(&context.printer, &released);
    Ok(Outcome::Done)
}

/// For programs; people were told as it went.
fn print(printer: &Printer, released: &[Ended]) {
    if printer.format() == crate::output::Format::Json {
        printer.json(&released);
    }
}

fn detached(target: &Target) -> anyhow::Error {
    Failure::interrupted(format!("the release goes on on {} without this terminal", target.short))
        .hint("`tidegate deploy --attach` follows it again")
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

/// What `--dry-run --json` prints.
#[derive(Debug, Serialize)]
struct Planned {
    droplet: String,
    changes: Vec<Change>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Change {
    kind: &'static str,
    object: String,
    reason: String,
    strategy: String,
}

async fn dry_run(
    context: &Context,
    reach: &Reach,
    targets: &[Target],
    bundle: &Bundle,
) -> anyhow::Result<Outcome> {
    let mut plans = Vec::new();
    for target in targets {
        let (agent, _) = reach.checked(target).await?;
        let mut client = agent.client();
        let planned = agent.call(client.plan_deploy(bundle.request.clone())).await?;
        plans.push(planned_view(target, planned));
    }
    context.printer.result(&plans, text(&plans));
    Ok(Outcome::Done)
}

fn planned_view(target: &Target, planned: PlanDeployResponse) -> Planned {
    let changes = planned.changes.into_iter().map(|change| Change {
        kind: match change.kind() {
            ChangeKind::Unspecified => "unknown",
            ChangeKind::Keep => "keep",
            ChangeKind::Create => "create",
            ChangeKind::Recreate => "recreate",
            ChangeKind::Remove => "remove",
            ChangeKind::Pull => "pull",
            ChangeKind::Run => "run",
        },
        object: change.object,
        reason: change.reason,
        strategy: change.strategy,
    });
    Planned { droplet: target.short.clone(), changes: changes.collect(), notes: planned.notes }
}

fn text(plans: &[Planned]) -> String {
    let mut text = String::new();
    for plan in plans {
        text.push_str(&format!("{}\n", plan.droplet));
        for change in &plan.changes {
            let mark = match change.kind {
                "create" => "+",
                "recreate" => "~",
                "remove" => "-",
                "keep" => " ",
                _ => ">",
            };
            let strategy =
                if change.strategy.is_empty() { String::new() } else { format!("{}: ", change.strategy) };
            let line = format!("{mark} {:<9} {:<28} {strategy}{}", change.kind, change.object, change.reason);
            text.push_str(&format!("{}\n", line.trim_end()));
        }
        for note in &plan.notes {
            text.push_str(&format!("note: {note}\n"));
        }
    }
    text.push_str("\nNothing was changed. `tidegate deploy` makes it so.");
    text
}
