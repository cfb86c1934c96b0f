//! One file per command: its arguments and its function together. Commands convert, call the domain, print; they decide
//! nothing themselves.

pub mod context;
mod plan;
mod prepare;

use clap::Subcommand;

use crate::failure::Outcome;
pub use context::{Context, Global};

/// What a user can say.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what `up` would do, and what it would cost
    Plan(plan::Args),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// As the command says; `failure` makes exit code and hints of it.
    pub async fn run(self, context: Context) -> anyhow::Result<Outcome> {
        match self {
            Self::Plan(args) => plan::run(&context, &args).await,
        }
    }
}
