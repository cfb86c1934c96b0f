//! `tidegate compose check`: errors, else advice.

use tidegate_compose::EnvFileUse;

use super::{
    super::context::Context,
    input::{Input, refused, warn},
};
use crate::failure::Outcome;

/// Arguments of `compose check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// End with 1 when there is advice
    #[arg(long)]
    strict: bool,
    /// Print errors, warnings and advice as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, input: &Input, _args: &Args) -> anyhow::Result<Outcome> {
    let loaded = input.load(context, (&[], EnvFileUse::Read))?.map_err(|errors| refused(&errors))?;
    warn(context, &loaded);
    Ok(Outcome::Done)
}
