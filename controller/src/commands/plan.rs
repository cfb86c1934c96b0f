//! `tidegate plan`

use super::{
    context::Context,
    prepare::{make_plan, read},
};
use crate::failure::Outcome;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End with 3 when there is something to do
    #[arg(long)]
    exit_code: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let prepared = read(context)?;
    let plan = make_plan(context, &prepared).await?;
    let mut text = plan.to_string();
    if !plan.is_empty() {
        text.push_str("\n`tidegate up` makes it so.");
    }
    context.printer.result(&plan, text);
    let differs = args.exit_code && !plan.is_empty();
    Ok(if differs { Outcome::Differences } else { Outcome::Done })
}
