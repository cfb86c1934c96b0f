//! `tidegate backup`: backups of an app's data are made, listed, shown, verified and pruned.

pub(super) mod found;
pub(super) mod keys;
mod list;
mod now;
pub(super) mod origin;
mod prune;
mod runs;
mod show;
mod verify;
pub(super) mod view;

use super::context::Context;
use crate::{agents::Selection, failure::Outcome, names::Name};

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a backup now, and follow it
    Now(now::Args),
    /// Show which backups there are, and what of them is at their destinations
    List(list::Args),
    /// Show one backup: what it holds, where it is, who can open it
    Show(show::Args),
    /// Restore a backup on trial, compare what came of it with what was backed up, and remove it again
    Verify(verify::Args),
    /// Delete the backups that `keep` does not keep, and what is left of those that failed
    Prune(prune::Args),
}

/// Which app and which droplet a command means.
#[derive(Debug, Clone, clap::Args)]
struct Whose {
    /// App of the fleet file; not needed when there is only one
    #[arg(value_name = "APP")]
    app: Option<Name>,
    /// Droplet, such as `web-1`; by default all that the app is on
    #[arg(long, value_name = "DROPLET")]
    droplet: Option<String>,
}

impl Whose {
    fn selection(&self) -> Selection<'_> {
        self.droplet.as_deref().map_or(Selection::All, Selection::Named)
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    match &args.what {
        What::Now(args) => now::run(context, args).await,
        What::List(args) => list::run(context, args).await,
        What::Show(args) => show::run(context, args).await,
        What::Verify(args) => verify::run(context, args).await,
        What::Prune(args) => prune::run(context, args).await,
    }
}
