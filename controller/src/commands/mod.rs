//! One file per command: its arguments and its function together. Commands convert, call the domain, print; they decide
//! nothing themselves.

mod after_reboot;
mod agreed;
mod alert;
mod attended;
mod audit;
mod backup;
mod carrier;
mod compose;
pub mod context;
mod deploy;
mod down;
mod exec;
mod health;
mod info;
mod init;
mod logs;
mod maintenance;
mod plan;
mod planned;
mod prepare;
mod reach;
mod registry;
mod release_tags;
mod releases;
mod remove;
mod resolve;
mod restore;
mod rollback;
mod rollout;
mod run;
mod sandbox;
mod status;
mod timers;
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
    /// Release an app on its droplets
    Deploy(deploy::Args),
    /// Go back to an earlier release of an app
    Rollback(rollback::Args),
    /// End a release that is in doubt because the droplet that decides is gone for good
    Resolve(resolve::Args),
    /// Show which releases an app had, and how each went
    Releases(releases::Args),
    /// Show what runs on the droplets
    Status(status::Args),
    /// Show what is not well on the droplets, since when, and what to do
    Health(health::Args),
    /// Show whom the droplets tell what is not well, or send a message to try it
    Alert(alert::Args),
    /// Show what an app's containers wrote
    Logs(logs::Args),
    /// Run a command in a service's container, or with --host on the droplet
    Exec(exec::Args),
    /// Run a command in a new, one-off container of a service
    Run(run::Args),
    /// Show what an app's Compose files mean, or what could be better in them
    Compose(compose::Args),
    /// Show an app's visitors a page that tells them to come back later, or serve them again
    Maintenance(maintenance::Args),
    /// Make backups of an app's data, show, verify and prune them
    Backup(backup::Args),
    /// Put a backup in the place of what serves, or beside it; what served before is kept
    Restore(restore::Args),
    /// Show when backups are made and verified by themselves, and how that went last
    Timers(timers::Args),
    /// Take an app off its droplets
    Remove(remove::Args),
    /// Look at who did what
    Audit(audit::Args),
    /// Show the account and what in it is ours
    Info,
    /// A DigitalOcean account on this machine, to try things
    Sandbox(sandbox::Args),
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
            Self::Deploy(args) => deploy::run(&context, &args).await,
            Self::Rollback(args) => rollback::run(&context, &args).await,
            Self::Resolve(args) => resolve::run(&context, &args).await,
            Self::Releases(args) => releases::run(&context, &args).await,
            Self::Status(args) => status::run(&context, &args).await,
            Self::Health(args) => health::run(&context, &args).await,
            Self::Alert(args) => alert::run(&context, &args).await,
            Self::Logs(args) => logs::run(&context, &args).await,
            Self::Exec(args) => exec::run(&context, &args).await,
            Self::Run(args) => run::run(&context, &args).await,
            Self::Compose(args) => compose::run(&context, &args),
            Self::Maintenance(args) => maintenance::run(&context, &args).await,
            Self::Backup(args) => backup::run(&context, &args).await,
            Self::Restore(args) => restore::run(&context, &args).await,
            Self::Timers(args) => timers::run(&context, &args).await,
            Self::Remove(args) => remove::run(&context, &args).await,
            Self::Info => info::run(&context).await,
            Self::Sandbox(args) => sandbox::run(&context, &args),
            Self::Audit(args) => audit::run(&context, &args).await,
        }
    }
}
