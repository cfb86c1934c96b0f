//! `tidegate alert`: whom the droplets tell what is not well, and whether that arrives.

mod list;
mod test;

use super::context::Context;
use crate::{agents::Selection, failure::Outcome};

/// Arguments of `alert`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show who is told by the droplets, what waits, and what was told
    List(On),
    /// Have the droplets send every receiver a message now, and show how that went
    Test(On),
}

/// Which droplets a command means.
#[derive(Debug, Clone, clap::Args)]
struct On {
    /// Droplet, such as `web-1`; by default all
    #[arg(long, value_name = "DROPLET")]
    droplet: Option<String>,
}

impl On {
    fn selection(&self) -> Selection<'_> {
        self.droplet.as_deref().map_or(Selection::All, Selection::Named)
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    match &args.what {
        What::List(on) => list::run(context, on).await,
        What::Test(on) => test::run(context, on).await,
    }
}

/// What is said where nobody is told.
const NOBODY: &str = "has nobody to tell: add [alert] to tidegate.toml, then run `tidegate up`";
