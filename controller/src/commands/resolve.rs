//! `tidegate resolve`: the way out of doubt when the droplet that decides is gone for good.

use serde::Serialize;
use tidegate_proto::v1::{Resolution, ResolveReleaseRequest};

use super::{context::Context, reach::Reach};
use crate::{agents::Selection, failure::Outcome, names::Name};

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// App of the fleet file
    app: Name,
    /// Droplet whose release is in doubt, such as `web-2`
    #[arg(long, value_name = "DROPLET")]
    droplet: String,
    #[command(flatten)]
    way: Way,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Way {
    /// The new release stays
    #[arg(long)]
    keep: bool,
    /// The release before comes back
    #[arg(long)]
    undo: bool,
}

#[derive(Serialize)]
struct View {
    droplet: String,
    release: u64,
    resolution: &'static str,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(Some(&args.app))?;
    let targets = reach.targets((&name, &app), Selection::Named(&args.droplet))?;
    let (resolution, word) =
        if args.way.keep { (Resolution::Keep, "keep") } else { (Resolution::Undo, "undo") };
    let mut views = Vec::new();
    for target in &targets {
        let (agent, _) = reach.checked(target).await?;
        let mut client = agent.client();
        let request = ResolveReleaseRequest { app: name.to_string(), resolution: resolution.into() };
        let release = agent.call(client.resolve_release(request)).await?.release;
        views.push(View { droplet: target.short.clone(), release, resolution: word });
    }
    let told = |view: &View| match resolution {
        Resolution::Keep => format!("r{} stays on {}", view.release, view.droplet),
        Resolution::Undo | Resolution::Unspecified => {
            format!(
                "r{} is being taken back on {}: `tidegate deploy --attach` follows it",
                view.release, view.droplet
            )
        }
    };
    context.printer.result(&views, views.iter().map(told).collect::<Vec<_>>().join("\n"));
    Ok(Outcome::Done)
}
