//! `tidegate deploy`: releases an app on its droplets, some at a time or all together, and follows.

use tidegate_proto::v1::CancelReleaseRequest;

use super::{
    agreed::Agreed,
    context::Context,
    planned,
    reach::{Reach, Which},
    rollout::{self, Meant, Wanted},
};
use crate::{
    agents::{AgentError, Target},
    environ::DotEnv,
    failure::{Failure, Outcome},
    names::Name,
    release::{
        buckets,
        bundle::{Bundle, gather},
        git::Revision,
        placement::{Placement, decide, members},
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
    #[arg(long, conflicts_with = "interrupt")]
    attach: bool,
    /// Have the release that is under way taken back, whoever began it, and follow that
    #[arg(long, conflicts_with_all = ["attach", "dry_run", "interrupt"])]
    cancel: bool,
    #[command(flatten)]
    first: First,
    #[command(flatten)]
    agreed: Agreed,
}

/// What is done before the release changes anything.
#[derive(Debug, Clone, Copy, clap::Args)]
struct First {
    /// Make a backup first, of every service that asks for backups in the release that serves; without it nothing changes
    #[arg(long, conflicts_with_all = ["attach", "cancel"])]
    backup: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    let meant = Meant { app: &name, rollout: app.rollout, targets: &targets };
    if args.attach {
        rollout::carry(context, &reach, meant, &Wanted::Attach).await?;
        return Ok(Outcome::Done);
    }
    if args.cancel {
        return cancel(context, &reach, meant).await;
    }
    let revision = Revision::of(&reach.fleet.directory).await;
    let dot_env = if app.env_files.is_empty() { DotEnv::Read } else { DotEnv::Replaced };
    let environ = context.environ(&reach.fleet)?;
    let mut bundle = gather((&name, &app), &reach.fleet.directory, &environ.for_apps(dot_env), &revision)?;
    bundle.request.buckets = buckets::gather((&bundle.loaded, &bundle.extension), &reach.fleet, &environ)?;
    bundle.request.set_interrupt(args.agreed.interrupt());
    bundle.request.backup_first = args.first.backup;
    for warning in &bundle.loaded.warnings {
        context.printer.note(format!("warning: {warning}"));
    }
    let shorts: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
    let whole = (&name, &bundle.loaded, &bundle.extension);
    let placement = decide(whole, &members(&reach.fleet, &app), &shorts)?;
    for warning in &placement.warnings {
        context.printer.note(format!("warning: {warning}"));
    }
    let targets = placement.order(targets.clone());
    if args.dry_run {
        return dry_run(context, &reach, &targets, (&bundle, &placement)).await;
    }
    let shorts: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
    let what = format!("{name} {}", revision.describe());
    context.printer.note(format!("{} -> {}", what.trim_end(), shorts.join(", ")));
    let meant = Meant { targets: &targets, ..meant };
    rollout::carry(context, &reach, meant, &Wanted::Deploy(&bundle.request, &placement)).await?;
    Ok(Outcome::Done)
}

async fn dry_run(
    context: &Context,
    reach: &Reach,
    targets: &[Target],
    (bundle, placement): (&Bundle, &Placement),
) -> anyhow::Result<Outcome> {
    let mut plans = Vec::new();
    for target in targets {
        let (agent, _) = reach.checked(target).await?;
        let mut client = agent.client();
        let request = placement.request(&target.short, &bundle.request);
        plans.push(planned::view(target, agent.call(client.plan_deploy(request)).await?));
    }
    context.printer.result(&plans, planned::text(&plans, "tidegate deploy"));
    Ok(Outcome::Done)
}

/// Asks every droplet to take back what is under way there, and follows those that had something.
async fn cancel(context: &Context, reach: &Reach, meant: Meant<'_>) -> anyhow::Result<Outcome> {
    let name = meant.app;
    let mut cancelled = Vec::new();
    let mut silent = None;
    for target in meant.targets {
        match cancel_on(reach, name, target).await {
            Ok(0) => {}
            Ok(release) => {
                context.printer.note(format!("r{release} on {} is told to turn back", target.short));
                cancelled.push(target.clone());
            }
            // The others are asked all the same: together, one that can be reached may be enough.
            Err(error) => {
                context.printer.note(format!("{} cannot be asked: {error}", target.short));
                silent.get_or_insert(error);
            }
        }
    }
    if cancelled.is_empty() {
        if let Some(error) = silent {
            return Err(error.into());
        }
        return Err(Failure::failed(format!("no release of {name} is under way"))
            .hint("`tidegate rollback` goes back to the release before")
            .into());
    }
    let ended = rollout::endings(context, reach, Meant { targets: &cancelled, ..meant }).await?;
    let kept = ended.iter().find(|ended| ended.state != "undone");
    rollout::print(&context.printer, &ended);
    match kept {
        None => Ok(Outcome::Done),
        Some(kept) => Err(Failure::failed(format!(
            "r{} on {} could not be taken back any more: it is {}",
            kept.release, kept.droplet, kept.state
        ))
        .hint("`tidegate rollback` goes back to the release before")
        .into()),
    }
}

/// Asks one droplet; the number of the release that it takes back, or 0.
async fn cancel_on(reach: &Reach, app: &Name, target: &Target) -> Result<u64, AgentError> {
    let agent = reach.connect(target).await?;
    let mut client = agent.client();
    let request = CancelReleaseRequest { app: app.to_string() };
    Ok(agent.call(client.cancel_release(request)).await?.release)
}
