//! `tidegate backup prune`: shows which backups `keep` does not keep, and deletes them once that is agreed to.

use serde::Serialize;
use tidegate_proto::v1::{PruneBackupsRequest, PruneBackupsResponse};

use super::{
    Whose,
    found::{Found, ask},
    view::{brief, counted},
};
use crate::{
    agents::Target,
    commands::{context::Context, reach::Reach},
    failure::{Failure, Outcome},
    output::{Table, size},
    release::follow::FailureView,
};

/// Arguments of `backup prune`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    whose: Whose,
    /// Only this service's
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Show what would be deleted, and why; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `--json` prints per droplet and service.
#[derive(Debug, Serialize)]
struct View {
    droplet: String,
    service: String,
    stays: Vec<Stays>,
    /// With `--dry-run`: what would be deleted.
    goes: Vec<Goes>,
    leftovers: Vec<Leftover>,
    /// Backups of which nothing is left.
    deleted: Vec<String>,
    deleted_bytes: u64,
    /// What could not be deleted.
    failures: Vec<FailureView>,
}

/// What is left of a backup that did not come to its end.
#[derive(Debug, Serialize)]
struct Leftover {
    /// With its destination.
    folder: String,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Stays {
    id: String,
    reasons: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Goes {
    id: String,
    reason: String,
}

/// Whether it is only looked, or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Look,
    Delete,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.whose.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.whose.selection())?;
    let request = |mode: Mode| PruneBackupsRequest {
        app: name.to_string(),
        service: args.service.clone().unwrap_or_default(),
        dry_run: mode == Mode::Look,
    };
    let planned = on_each(&reach, &targets, &request(Mode::Look)).await?;
    if args.dry_run || planned.iter().all(View::is_empty) {
        context.printer.result(&planned, text(&planned, Mode::Look));
        return Ok(Outcome::Done);
    }
    if !args.yes {
        confirm(context, name.as_str(), &planned)?;
    }
    let deleted = on_each(&reach, &targets, &request(Mode::Delete)).await?;
    context.printer.result(&deleted, text(&deleted, Mode::Delete));
    failed(&deleted).map_or(Ok(Outcome::Done), Err)
}

/// What could not be deleted, when there is any: the first in full.
fn failed(views: &[View]) -> Option<anyhow::Error> {
    let mut failures = views.iter().flat_map(|view| view.failures.iter().map(move |one| (view, one)));
    let (view, first) = failures.next()?;
    let others = failures.count();
    let more = if others == 0 { String::new() } else { format!(", and {others} more") };
    let failure = Failure::failed(format!("{} (on {}){more}", first.what, view.droplet));
    let failure = if first.cause.is_empty() { failure } else { failure.because(first.cause.clone()) };
    Some(if first.hint.is_empty() { failure.into() } else { failure.hint(first.hint.clone()).into() })
}

async fn on_each(
    reach: &Reach,
    targets: &[Target],
    request: &PruneBackupsRequest,
) -> Result<Vec<View>, anyhow::Error> {
    let mut found = Found::default();
    for target in targets {
        if !request.dry_run {
            reach.checked(target).await?;
        }
        found.take(
            ask((reach, target), request.clone(), async |mut client, request| {
                client.prune_backups(request).await
            })
            .await
            .map(|pruned| views(&target.short, pruned)),
        )?;
    }
    Ok(found.all()?.into_iter().flatten().collect())
}

fn views(droplet: &str, pruned: PruneBackupsResponse) -> Vec<View> {
    let services = pruned.services.into_iter().map(|service| View {
        droplet: droplet.to_owned(),
        service: service.service,
        stays: service.stays.into_iter().map(|one| Stays { id: one.id, reasons: one.reasons }).collect(),
        goes: service.goes.into_iter().map(|one| Goes { id: one.id, reason: one.reason }).collect(),
        leftovers: service
            .leftovers
            .into_iter()
            .map(|one| Leftover { folder: one.folder, bytes: one.bytes })
            .collect(),
        deleted: service.deleted,
        deleted_bytes: service.deleted_bytes,
        failures: service.failures.into_iter().map(FailureView::from).collect(),
    });
    services.collect()
}

impl View {
    fn is_empty(&self) -> bool {
        self.goes.is_empty() && self.leftovers.is_empty()
    }
}

fn confirm(context: &Context, name: &str, planned: &[View]) -> anyhow::Result<()> {
    context.printer.note(table(planned).trim_end());
    if !context.printer.can_ask() {
        return Err(Failure::input("nobody can be asked whether to delete these backups")
            .hint("say --yes")
            .into());
    }
    let answer = context.printer.ask("Type the app's name to delete what goes")?;
    if answer.trim() == name {
        return Ok(());
    }
    Err(Failure::failed("that is not its name, so nothing was deleted").into())
}

fn text(views: &[View], mode: Mode) -> String {
    let number = |of: fn(&View) -> usize| u64::try_from(views.iter().map(of).sum::<usize>()).unwrap_or(0);
    let (goes, leftovers) = (number(|view| view.goes.len()), number(|view| view.leftovers.len()));
    let unfinished = match leftovers {
        0 => String::new(),
        some => format!(" and {} of unfinished ones", counted(some, "folder")),
    };
    let last = match mode {
        Mode::Look if goes == 0 && leftovers == 0 => "There is nothing to delete.".to_owned(),
        Mode::Look => {
            format!("{}{unfinished} would be deleted. Nothing was changed.", counted(goes, "backup"))
        }
        Mode::Delete => {
            let deleted = counted(number(|view| view.deleted.len()), "backup");
            let bytes = views.iter().fold(0, |sum: u64, view| sum.saturating_add(view.deleted_bytes));
            format!("Deleted {deleted}, {} in all.", size(bytes))
        }
    };
    format!("{}{last}\n", table(views))
}

fn table(views: &[View]) -> String {
    let mut table = Table::new(["DROPLET", "SERVICE", "BACKUP", "", "WHY"]);
    let mut rows = 0_usize;
    for View { droplet, service, stays, goes, leftovers, .. } in views {
        let mut row = |what: &str, fate: &str, why: String| {
            rows = rows.saturating_add(1);
            table.row([droplet.clone(), service.clone(), what.to_owned(), fate.to_owned(), why]);
        };
        for Stays { id, reasons } in stays {
            row(id, "stays", reasons.join(", "));
        }
        for Goes { id, reason } in goes {
            row(id, "goes", reason.clone());
        }
        for Leftover { folder, bytes } in leftovers {
            let (path, at) = folder.split_once(" at ").unwrap_or((folder, "its destination"));
            let id = path.rsplit('/').next().unwrap_or(path);
            row(id, "goes", format!("unfinished, {} at {}", size(*bytes), brief(at)));
        }
    }
    if rows == 0 { String::new() } else { table.to_string() }
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::{self, GoneBackup, KeptBackup, PrunedFolder, PrunedService};

    use super::*;

    #[test]
    fn what_goes_is_told_with_its_reason_and_so_is_what_stays() {
        let pruned = PruneBackupsResponse {
            services: vec![PrunedService {
                service: "db".to_owned(),
                stays: vec![KeptBackup {
                    id: "20261122T030000Z-4f2a91c0".to_owned(),
                    reasons: vec!["newest of its day".to_owned(), "newest verified".to_owned()],
                }],
                goes: vec![GoneBackup {
                    id: "20261101T030000Z-00000000".to_owned(),
                    reason: "not kept by any count".to_owned(),
                }],
                leftovers: vec![PrunedFolder {
                    folder: "shop/production/7-e1/shop/db/20261120T030000Z-11111111 \
                             at directory /var/lib/tidegate/backups"
                        .to_owned(),
                    bytes: 1_200_000,
                }],
                deleted: vec!["20261101T030000Z-00000000".to_owned()],
                deleted_bytes: 13_600_000,
                failures: Vec::new(),
            }],
        };
        let views = views("web-1", pruned);
        assert!(failed(&views).is_none());
        insta::assert_snapshot!(text(&views, Mode::Look) + "\n" + &text(&views, Mode::Delete));
    }

    #[test]
    fn what_could_not_be_deleted_is_an_error() {
        let failure = v1::Failure {
            what: "the backup 20261101T030000Z-00000000 could not be deleted".to_owned(),
            cause: "read-only file system".to_owned(),
            hint: "look at the disk".to_owned(),
            ..v1::Failure::default()
        };
        let service = PrunedService {
            service: "db".to_owned(),
            failures: vec![failure.clone(), failure],
            ..PrunedService::default()
        };
        let error = failed(&views("web-1", PruneBackupsResponse { services: vec![service] })).unwrap();
        let chain = format!("{error:#}");
        assert!(chain.contains("(on web-1), and 1 more: read-only file system"), "{chain}");
        assert_eq!(crate::failure::hints_of(&error), ["look at the disk"]);
    }

    #[test]
    fn where_nothing_goes_it_says_so() {
        assert_eq!(text(&[], Mode::Look), "There is nothing to delete.\n");
    }
}
