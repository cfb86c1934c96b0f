//! The command line as a whole, and how a run ends: errors and hints are printed here, once, and the exit code is made.

use clap::Parser;

use crate::{
    clock::Clock,
    commands::{Command, Context, Global},
    environ::Environ,
    failure::{exit_code, hints_of, kind_of},
};

/// Provisions DigitalOcean droplets and deploys Docker Compose apps to them.
///
/// Exit codes: 0 done, 1 failed and undone (or nothing was changed), 2 wrong usage or input, 3 differences found
/// (with --exit-code), 4 stuck or in doubt, 130 interrupted; `exec` and `run` pass the command's own.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 110, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// Runs the command and tells the exit code.
    pub async fn run(self, environ: Environ) -> u8 {
        let context = Context::new(self.global, environ, Clock::system());
        let printer = context.printer.clone();
        let ending = match self.command.run(context).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                printer.error(&error, &hints_of(&error));
                Err(kind_of(&error))
            }
        };
        exit_code(&ending)
    }
}
