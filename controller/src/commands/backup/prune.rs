//! `tidegate backup prune`: shows which backups `keep` does not keep, and deletes them once that is agreed to.

use serde::Serialize;
use tidegate_proto::v1::{PruneBackupsRequest, PruneBackupsResponse};
use tonic::Request;

use super::{
    Whose,
    found::Found,
    list::PATIENCE,
    view::{LeftoverView, counted},
};
use crate::{
    agents::{AgentError, Target},
    commands::{context::Context, reach::Reach},
    failure::{Failure, Outcome},
    output::{Table, size},
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
    leftovers: Vec<LeftoverView>,
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
    Ok(Outcome::Done)
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
        found.take(ask(reach, target, request).await.map(|pruned| views(&target.short, pruned)))?;
    }
    Ok(found.all()?.into_iter().flatten().collect())
}

async fn ask(
    reach: &Reach,
    target: &Target,
    request: &PruneBackupsRequest,
) -> Result<PruneBackupsResponse, AgentError> {
    let agent = reach.connect(target).await?;
    let mut request = Request::new(request.clone());
    request.set_timeout(PATIENCE);
    let answered = agent.client().prune_backups(request).await;
    answered.map(tonic::Response::into_inner).map_err(|status| agent.error(&status))
}

fn views(droplet: &str, pruned: PruneBackupsResponse) -> Vec<View> {
    let services = pruned.services.into_iter().map(|service| View {
        droplet: droplet.to_owned(),
        service: service.service,
        stays: service.stays.into_iter().map(|one| Stays { id: one.id, reasons: one.reasons }).collect(),
        goes: service.goes.into_iter().map(|one| Goes { id: one.id, reason: one.reason }).collect(),
        leftovers: service.leftovers.into_iter().map(|one| LeftoverView::new(droplet, one)).collect(),
    });
    services.collect()
}

impl View {
    fn is_empty(&self) -> bool {
        self.goes.is_empty() && self.leftovers.is_empty()
    }
}

fn confirm(context: &Context, name: &str, planned: &[View]) -> anyhow::Result<()> {
    context.printer.note(table(planned, Mode::Look).trim_end());
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
    let mut all = vec![counted(goes, "backup")];
    if leftovers > 0 {
        all.push(format!("{} of unfinished ones", counted(leftovers, "folder")));
    }
    let all = all.join(" and ");
    let last = match (goes.saturating_add(leftovers), mode) {
        (0, _) => "Nothing is to delete.".to_owned(),
        (_, Mode::Look) => format!("{all} would be deleted. Nothing was changed."),
        (_, Mode::Delete) => format!("{all} deleted."),
    };
    format!("{}{last}\n", table(views, mode))
}

fn table(views: &[View], mode: Mode) -> String {
    let gone = match mode {
        Mode::Look => "goes",
        Mode::Delete => "deleted",
    };
    let mut table = Table::new(["DROPLET", "SERVICE", "BACKUP", "", "WHY"]);
    let mut rows = 0_usize;
    for View { droplet, service, stays, goes, leftovers } in views {
        let mut row = |what: &str, fate: &str, why: String| {
            rows = rows.saturating_add(1);
            table.row([droplet.clone(), service.clone(), what.to_owned(), fate.to_owned(), why]);
        };
        for Stays { id, reasons } in stays {
            row(id, "stays", reasons.join(", "));
        }
        for Goes { id, reason } in goes {
            row(id, gone, reason.clone());
        }
        for LeftoverView { at, folder, bytes, .. } in leftovers {
            let id = folder.rsplit('/').next().unwrap_or(folder);
            row(id, gone, format!("not finished, {} at {at}", size(*bytes)));
        }
    }
    if rows == 0 { String::new() } else { table.to_string() }
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::{BackupLeftover, GoneBackup, KeptBackup, PrunedService};

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
                leftovers: vec![BackupLeftover {
                    at: "local".to_owned(),
                    folder: "shop/production/7-e1/shop/db/20261120T030000Z-11111111".to_owned(),
                    bytes: 1_200_000,
                    newest: None,
                }],
            }],
        };
        let views = views("web-1", pruned);
        insta::assert_snapshot!(text(&views, Mode::Look) + "\n" + &text(&views, Mode::Delete));
    }

    #[test]
    fn where_nothing_goes_it_says_so() {
        assert_eq!(text(&[], Mode::Look), "Nothing is to delete.\n");
    }
}
