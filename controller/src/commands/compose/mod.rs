//! `tidegate compose`: what an app's Compose files mean, without any droplet.
//!
//! Its options are docker compose's own, and two of them are called like options that all other commands have (`--file`,
//! `--environment`). So its words are read by a parser of their own.

mod check;
mod config;
mod input;

use clap::{Parser, Subcommand};

use super::context::Context;
use crate::failure::Outcome;
use input::Input;

/// Arguments of `compose`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// config or check, and its options; see `tidegate compose --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "config|check")]
    words: Vec<String>,
}

/// Shows what an app's Compose files mean, and what could be better in them.
///
/// The files are found as docker compose finds them: -f, else COMPOSE_FILE, else compose.yaml, compose.yml,
/// docker-compose.yml or docker-compose.yaml with its override file, in this directory or above it. COMPOSE_PROFILES,
/// COMPOSE_PROJECT_NAME, COMPOSE_ENV_FILES and .env count as there, too. No tidegate.toml is needed.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate compose",
    bin_name = "tidegate compose",
    max_term_width = 110,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Compose {
    #[command(flatten)]
    input: Input,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the project as docker compose prints it: normalised, with variables filled in
    Config(config::Args),
    /// Tell all errors of the files, else what an operator would do better
    Check(check::Args),
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let name = std::iter::once("tidegate compose");
    let parsed = Compose::try_parse_from(name.chain(args.words.iter().map(String::as_str)));
    let compose = match parsed {
        Ok(compose) => compose,
        Err(error) => return Ok(show(context, &error)),
    };
    let input = compose.input.or_file(context);
    match compose.command {
        Command::Config(args) => config::run(context, &input, &args),
        Command::Check(args) => check::run(context, &input, &args),
    }
}

/// Help that was asked for, or wrong usage.
fn show(context: &Context, error: &clap::Error) -> Outcome {
    use crate::output::Stream;
    let stream = if error.use_stderr() { Stream::Err } else { Stream::Out };
    context.printer.bytes(stream, error.render().to_string().as_bytes());
    Outcome::Command(u8::try_from(error.exit_code()).unwrap_or(2))
}
