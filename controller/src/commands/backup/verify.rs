//! `tidegate backup verify`: a backup is restored on trial, beside the service that runs, and compared.

use std::path::PathBuf;

use tidegate_proto::v1::VerifyBackupRequest;

use super::{
    keys,
    runs::{Run, on_each},
    view::BackupView,
};
use crate::{
    commands::{
        context::Context,
        reach::{Reach, Which},
    },
    failure::Outcome,
};

/// Arguments of `backup verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Backup, as `backup list` shows it; by default the latest of each droplet
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Service; not needed with ID, nor when only one of the app asks for backups
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// File with the secret key of a recipient, as `age-keygen` writes it; the key stays on this machine. Needed for backups
    /// that were verified before, and only with ID
    #[arg(long, value_name = "FILE", env = "TIDEGATE_BACKUP_IDENTITY", requires = "id")]
    identity: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    let keys = match (&args.identity, &args.id) {
        (Some(identity), Some(id)) => {
            let whose = keys::Whose { app: name.as_str(), id, from: None };
            keys::of(&reach, &targets, (whose, identity)).await?
        }
        _ => Vec::new(),
    };
    let request = VerifyBackupRequest {
        app: name.to_string(),
        service: args.service.clone().unwrap_or_default(),
        id: args.id.clone().unwrap_or_default(),
        keys,
    };
    on_each(context, &reach, &targets, &Run::Verify(request), describe).await?;
    Ok(Outcome::Done)
}

/// `Backup 20261122T030000Z-4f2a91c0 of shop/db on web-1 is verified: 120034 rows in 14 tables restored in 12 s.`
fn describe(backup: &BackupView) -> String {
    let took = backup.restore_time().map(|took| format!(" in {took}")).unwrap_or_default();
    format!(
        "Backup {} of {} on {} is verified: {} restored{took}.",
        backup.id,
        backup.whose(),
        backup.droplet,
        backup.rows()
    )
}

#[cfg(test)]
mod tests {
    use super::{super::view::sample, *};

    #[test]
    fn the_last_line_tells_how_long_a_restore_takes() {
        assert_eq!(
            describe(&BackupView::new("web-1", sample::verified())),
            "Backup 20261122T030000Z-4f2a91c0 of shop/db on web-1 is verified: 120034 rows in 14 tables \
             restored in 12 s."
        );
    }
}
