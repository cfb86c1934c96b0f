//! `tidegate remove`: takes an app off its droplets; the droplets stay.

use serde::Serialize;
use tidegate_proto::v1::RemoveAppRequest;
use tonic::Request;

use super::{
    agreed,
    context::Context,
    reach::{Reach, Which},
    release_tags,
};
use crate::{apply::release_tags::Serves, failure::Outcome};

/// How long an app may take to stop: its services' grace periods, one after the other.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(10);

/// Arguments of `remove`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Its volumes too: the data is gone then
    #[arg(long)]
    volumes: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Show what would be removed; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `--json` prints per droplet.
#[derive(Debug, Serialize)]
struct Removed {
    droplet: String,
    removed: Vec<String>,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    let shorts: Vec<&str> = targets.iter().map(|target| target.short.as_str()).collect();
    let data = if args.volumes { ", its volumes with all data included" } else { "; its volumes stay" };
    let what = format!("{name} is removed from {}{data}", shorts.join(", "));
    if args.dry_run {
        context.printer.line(format!("{what}.\nNothing was changed."));
        return Ok(Outcome::Done);
    }
    if !args.yes {
        agreed::by_name(context, &what, &name)?;
    }
    let mut all = Vec::new();
    for target in &targets {
        let (agent, _) = reach.checked(target).await?;
        let mut request = Request::new(RemoveAppRequest { app: name.to_string(), volumes: args.volumes });
        request.set_timeout(PATIENCE);
        let answered = agent.client().remove_app(request).await.map_err(|status| agent.error(&status))?;
        all.push(Removed { droplet: target.short.clone(), removed: answered.into_inner().removed });
    }
    let gone: Vec<_> = targets.iter().map(|target| (target, Serves::Nothing)).collect();
    release_tags::set(context, &reach, (&name, &gone)).await;
    context.printer.result(&all, text(&all, name.as_str()));
    Ok(Outcome::Done)
}

fn text(all: &[Removed], name: &str) -> String {
    all.iter().fold(String::new(), |mut text, one| {
        if one.removed.is_empty() {
            text.push_str(&format!("{}: {name} was gone already\n", one.droplet));
        }
        for object in &one.removed {
            text.push_str(&format!("{}: removed {object}\n", one.droplet));
        }
        text
    })
}
