//! `tidegate restore`: a backup takes the place of what serves, and back again.

mod list;
mod run;
mod scrub;
mod view;

use std::path::PathBuf;

use super::{backup::origin::From, context::Context, reach::Reach};
use crate::{agents::Selection, failure::Outcome, names::Name};

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// App of the fleet file; not needed when there is only one
    #[arg(value_name = "APP")]
    app: Option<Name>,
    /// Droplet, such as `web-1`; needed when the app is on several
    #[arg(long, value_name = "DROPLET")]
    droplet: Option<String>,
    /// Backup, as `backup list` shows it; by default the latest
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
    /// Service; not needed with --backup, nor when only one of the app asks for backups
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only this database of the backup
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Restore one database under this name beside all others, and change nothing else
    #[arg(long, value_name = "NAME")]
    into: Option<String>,
    /// File with the secret key of a recipient, as `age-keygen` writes it; the key stays on this machine. Needed for backups
    /// that were verified
    #[arg(long, value_name = "FILE", env = "TIDEGATE_BACKUP_IDENTITY")]
    identity: Option<PathBuf>,
    /// A backup that was made elsewhere and is in a bucket that this app sends backups to as well: ENVIRONMENT, ENVIRONMENT/APP
    /// or ENVIRONMENT/APP/SERVICE of the same fleet. It takes --identity
    #[arg(long, value_name = "ORIGIN", conflicts_with = "revert")]
    from: Option<From>,
    /// SQL that runs in the restored database before anybody sees it, all of it or nothing is restored: what takes out that which
    /// must not be here
    #[arg(long, value_name = "FILE", conflicts_with = "revert")]
    scrub: Option<PathBuf>,
    /// Show the restores of the app, and what is kept of what served before each
    #[arg(long, conflicts_with_all = ["backup", "service", "database", "into", "identity", "from", "scrub", "yes", "dry_run"])]
    list: bool,
    /// Put back what served before this restore
    #[arg(long, value_name = "ID", conflicts_with_all = ["list", "backup", "service", "database", "into"])]
    revert: Option<String>,
    /// Remove for good what served before this restore
    #[arg(long, value_name = "ID", conflicts_with_all = ["list", "revert", "backup", "service", "database", "into", "from", "scrub", "dry_run"])]
    drop_former: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Show what would happen; change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    fn selection(&self) -> Selection<'_> {
        self.droplet.as_deref().map_or(Selection::All, Selection::Named)
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    if args.list {
        return list::run(context, &reach, args).await;
    }
    run::run(context, &reach, args).await
}
