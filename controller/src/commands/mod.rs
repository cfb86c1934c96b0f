//! One file per command: its arguments and its function together. Commands convert, call the domain, print; they decide
//! nothing themselves.

pub mod context;
mod down;
mod init;
mod plan;
mod prepare;
mod registry;
mod up;

use clap::Subcommand;

use crate::failure::Outcome;
pub use context::{Context, Global};

/// What a user can say.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a fleet file and make the fleet's certificate authority
    Init(init::Args),
    /// Show what `up` would do, and what it would cost
    Plan(plan::Args),
    /// Make what the fleet file says, and wait until every agent answers
    Up(up::Args),
    /// Delete everything that `up` made
    Down(down::Args),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// As the command says; `failure` makes exit code and hints of it.
    pub async fn run(self, context: Context) -> anyhow::Result<Outcome> {
        match self {
            Self::Init(args) => init::run(&context, &args),
            Self::Up(args) => up::run(&context, &args).await,
            Self::Down(args) => down::run(&context, &args).await,
            Self::Plan(args) => plan::run(&context, &args).await,
        }
    }
}
