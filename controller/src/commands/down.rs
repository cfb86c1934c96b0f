//! `tidegate down`: everything of one environment, and nothing else.

use super::{
    context::Context,
    prepare::{Prepared, read_for_down, work},
};
use crate::{
    apply::{teardown::Ours, up},
    clock::human,
    failure::{Failure, Outcome},
    state::Inventory,
};

/// Arguments of `down`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not ask for the fleet's name
    #[arg(short, long)]
    yes: bool,
    /// Show what would be deleted and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let prepared = read_for_down(context)?;
    let scope = prepared.fleet.scope.clone();
    let there = prepared.state.environment_dir().exists();
    let _lock = if there && !args.dry_run { Some(prepared.state.lock(&scope)?) } else { None };
    let unfinished = if there { up::unfinished(&prepared.state).await? } else { None };
    let work = work(context, &prepared);
    if unfinished.is_some() && !args.dry_run {
        // A create that was cut off may show only now.
        context.waits.sleep(work.timing.look_up).await;
    }
    let ssh_key = Some(prepared.ssh_key.as_str()).filter(|key| !key.is_empty());
    let ours = Ours::find(&work, &prepared.inventory, ssh_key).await?;
    if ours.is_empty() {
        if there && !args.dry_run {
            clean_state(&prepared)?;
        }
        context.printer.result(&ours, format!("Nothing of {scope} is there: all is gone already."));
        return Ok(Outcome::Done);
    }
    if args.dry_run {
        context.printer.result(&ours, describe(&ours));
        return Ok(Outcome::Done);
    }
    if !args.yes {
        confirm(context, &prepared, &ours)?;
    }
    ours.delete(&work).await?;
    // Once more: what a lagging list did not show the first time.
    let rest = Ours::find(&work, &prepared.inventory, ssh_key).await?;
    rest.delete(&work).await?;
    if there {
        clean_state(&prepared)?;
    }
    let overhead = context.clock.elapsed().saturating_sub(context.waits.total());
    let text = format!(
        "Down in {} (own overhead {}); {} API calls. The keys in {} are kept.",
        human(context.clock.elapsed()),
        human(overhead),
        work.client.calls(),
        prepared.state.fleet_dir().display()
    );
    context.printer.result(&ours, text);
    Ok(Outcome::Done)
}

/// Forgets droplets and ids, journal last.
fn clean_state(prepared: &Prepared) -> anyhow::Result<()> {
    Inventory::default().save(&prepared.state)?;
    Ok(up::forget(&prepared.state)?)
}

fn describe(ours: &Ours) -> String {
    let mut lines = Vec::new();
    lines.extend(
        ours.droplets
            .iter()
            .map(|(id, name)| format!("- delete  droplet   {name}  (DELETE /v2/droplets/{id})")),
    );
    lines.extend(
        ours.firewalls
            .iter()
            .map(|(id, name)| format!("- delete  firewall  {name}  (DELETE /v2/firewalls/{id})")),
    );
    lines.extend(
        ours.ssh_keys
            .iter()
            .map(|(id, name)| format!("- delete  ssh key   {name}  (DELETE /v2/account/keys/{id})")),
    );
    lines.extend(
        ours.vpcs.iter().map(|(id, name)| format!("- delete  vpc       {name}  (DELETE /v2/vpcs/{id})")),
    );
    lines
        .extend(ours.tags.iter().map(|name| format!("- delete  tag       {name}  (DELETE /v2/tags/{name})")));
    lines.join("\n")
}

fn confirm(context: &Context, prepared: &Prepared, ours: &Ours) -> anyhow::Result<()> {
    let name = prepared.fleet.scope.base();
    context.printer.note(describe(ours));
    if !context.printer.can_ask() {
        return Err(Failure::input(format!("this would delete everything of {name}"))
            .hint("give --yes where nobody can be asked")
            .into());
    }
    let answer = context.printer.ask(&format!("Type {name} to delete all of this, data included"))?;
    if answer.trim() == name {
        return Ok(());
    }
    Err(Failure::failed(format!("nothing was deleted: `{}` is not {name}", answer.trim())).into())
}
