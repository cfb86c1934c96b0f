//! The command line: the service itself, and commands for root on the droplet that ask the service over its unix socket.
//!
//! Owns the arguments. Must not do anything of the agent's work.

mod after_boot;
mod alerts;
mod app;
mod audit;
mod backup;
mod cleanup;
mod health;
mod info;
mod local;
mod serve;
mod standby;
mod status;

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// The agent on a droplet: drives Compose apps through the Docker API.
#[derive(Debug, Parser)]
#[command(name = "tidegate-agent", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: systemd starts this.
    Serve(serve::ServeArguments),
    /// Apps, their releases and containers.
    Status(status::StatusArguments),
    /// What this machine is, and who the agent is.
    Info(info::InfoArguments),
    /// The audit log: who did what, when.
    Audit(audit::AuditArguments),
    /// Make a backup of a service's data, and wait until it is stored.
    Backup(backup::BackupArguments),
    /// Restore the latest backup of a service on trial, and wait until it is compared.
    Verify(backup::VerifyArguments),
    /// How the droplet and its apps are: exit code 0 good, 1 something is not, 2 that cannot be told.
    Health(health::HealthArguments),
    /// Who is told what is not well, and whether that arrives.
    Alerts(alerts::AlertsArguments),
    /// Remove what releases of the past left and nobody needs.
    Cleanup(cleanup::CleanupArguments),
    /// Stop an app, start it again, or follow it, as its unit does.
    #[command(subcommand)]
    App(app::AppCommand),
    /// Wait to become a command on the droplet; the agent starts this.
    #[command(hide = true)]
    Standby,
}

/// Where the running agent is reached.
#[derive(Debug, Args)]
struct Local {
    /// The running agent's unix socket.
    #[arg(long, default_value = "/run/tidegate/agent.sock")]
    socket: PathBuf,
    /// One JSON document instead of text.
    #[arg(long)]
    json: bool,
}

/// Does what was asked, and writes what there is to say to `out`; the code to end with.
///
/// # Errors
/// When it could not be done.
pub fn run(arguments: Arguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Standby => return standby::run(),
        Command::Health(arguments) => return health::run(&arguments, out),
        Command::App(command) => return app::run(&command, out),
        Command::Alerts(arguments) => return alerts::run(&arguments, out),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Status(arguments) => local::block_on(status::run(&arguments, out)),
        Command::Info(arguments) => local::block_on(info::run(&arguments, out)),
        Command::Audit(arguments) => local::block_on(audit::run(&arguments, out)),
        Command::Backup(arguments) => local::block_on(backup::make(&arguments, out)),
        Command::Cleanup(arguments) => local::block_on(cleanup::run(&arguments, out)),
        Command::Verify(arguments) => local::block_on(backup::verify(&arguments, out)),
    }?;
    Ok(ExitCode::SUCCESS)
}
