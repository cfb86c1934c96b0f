//! `tidegate backup now`: makes a backup of a service on each droplet that has it.

use tidegate_proto::v1::{BackupCause, MakeBackupRequest};

use super::{
    Whose,
    runs::{Run, on_each},
    view::{BackupView, brief},
};
use crate::{
    commands::{context::Context, reach::Reach},
    failure::Outcome,
};

/// Arguments of `backup now`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    whose: Whose,
    /// Service; not needed when only one of the app asks for backups
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.whose.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.whose.selection())?;
    let request = MakeBackupRequest {
        app: name.to_string(),
        service: args.service.clone().unwrap_or_default(),
        cause: BackupCause::Manual.into(),
    };
    on_each(context, &reach, &targets, &Run::Make(request), describe).await?;
    Ok(Outcome::Done)
}

/// `Backup 20261122T030000Z-4f2a91c0 of shop/db on web-1 in 3.0 s: 12.4 MB at local, 120034 rows in 14 tables.`
fn describe(backup: &BackupView) -> String {
    format!(
        "Backup {} of {} on {} in {}: {} at {}, {}.",
        backup.id,
        backup.whose(),
        backup.droplet,
        backup.time(),
        backup.size(),
        backup.destinations.iter().map(|at| brief(at)).collect::<Vec<_>>().join(", "),
        backup.rows()
    )
}

#[cfg(test)]
mod tests {
    use super::{super::view::sample, *};

    #[test]
    fn the_last_line_tells_where_it_is_and_what_it_holds() {
        assert_eq!(
            describe(&BackupView::new("web-1", sample::stored())),
            "Backup 20261122T030000Z-4f2a91c0 of shop/db on web-1 in 3.0 s: 12.4 MB at local, \
             120034 rows in 14 tables."
        );
    }
}
