//! `tidegate backup list`: which backups there are, and what of them is at their destinations now.

use jiff::Timestamp;
use serde::Serialize;
use tidegate_proto::v1::{BackupsRequest, BackupsResponse};

use super::{
    Whose,
    found::{Found, ask},
    origin::{From, OriginView},
    view::{BackupView, CopyView, LeftoverView, brief, counted},
};
use crate::{
    commands::{context::Context, reach::Reach},
    failure::Outcome,
    output::{Table, size},
};

/// Arguments of `backup list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    whose: Whose,
    /// Only this service's
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Those that were made elsewhere and are in a bucket that this app sends backups to as well: ENVIRONMENT, ENVIRONMENT/APP
    /// or ENVIRONMENT/APP/SERVICE of the same fleet
    #[arg(long, value_name = "ORIGIN")]
    from: Option<From>,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct View {
    backups: Vec<Listed>,
    leftovers: Vec<LeftoverView>,
    unseen: Vec<Unseen>,
}

#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    backup: BackupView,
    /// What was found now.
    copies: Vec<CopyView>,
    /// Where it was made, unless on the droplet that was asked.
    from: Option<OriginView>,
}

/// A destination that could not be looked at.
#[derive(Debug, Serialize)]
struct Unseen {
    droplet: String,
    at: String,
    cause: String,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.whose.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.whose.selection())?;
    let request = BackupsRequest {
        app: name.to_string(),
        service: args.service.clone().unwrap_or_default(),
        from: args.from.as_ref().map(|from| from.origin(&name)),
    };
    let mut found = Found::default();
    for target in &targets {
        found.take(
            ask((&reach, target), request.clone(), async |mut client, request| client.backups(request).await)
                .await
                .map(|answered| (target, answered)),
        )?;
    }
    let mut view = View::default();
    for (target, answered) in found.all()? {
        view.add(&target.short, answered);
    }
    context.printer.result(&view, text(&view, args.from.as_ref(), context.clock.now()));
    Ok(Outcome::Done)
}

impl View {
    fn add(&mut self, droplet: &str, answered: BackupsResponse) {
        let backups = answered.backups.into_iter().filter_map(|listed| {
            Some(Listed {
                backup: BackupView::new(droplet, listed.backup?),
                copies: listed.copies.into_iter().map(CopyView::from).collect(),
                from: listed.from.map(OriginView::from),
            })
        });
        // Several droplets see what is in one bucket.
        for listed in backups {
            let is_known = |known: &Listed| known.from.is_some() && known.backup.id == listed.backup.id;
            if !self.backups.iter().any(is_known) {
                self.backups.push(listed);
            }
        }
        self.leftovers
            .extend(answered.leftovers.into_iter().map(|leftover| LeftoverView::new(droplet, leftover)));
        self.unseen.extend(answered.unseen.into_iter().map(|unseen| Unseen {
            droplet: droplet.to_owned(),
            at: unseen.at,
            cause: unseen.cause,
        }));
    }

    fn is_unseen(&self, droplet: &str, at: &str) -> bool {
        self.unseen.iter().any(|unseen| unseen.droplet == droplet && unseen.at == at)
    }
}

fn text(view: &View, from: Option<&From>, now: Timestamp) -> String {
    let mut text = if view.backups.is_empty() {
        match from {
            Some(_) => {
                "None of them can be seen from here: a bucket that both apps name under `to` holds them.\n"
            }
            None => "There are no backups: `tidegate backup now` makes one.\n",
        }
        .to_owned()
    } else {
        table(view, now)
    };
    for Listed { backup, copies, .. } in &view.backups {
        for copy in copies.iter().filter(|copy| !copy.damage.is_empty()) {
            let damage = copy.damage.join("; ");
            text.push_str(&format!("{}: {} at {}: {damage}\n", backup.droplet, backup.id, copy.at));
        }
    }
    for Unseen { droplet, at, cause } in &view.unseen {
        text.push_str(&format!("{droplet}: {at} could not be looked at: {cause}\n"));
    }
    if !view.leftovers.is_empty() {
        let number = u64::try_from(view.leftovers.len()).unwrap_or(u64::MAX);
        let bytes = view.leftovers.iter().fold(0, |sum: u64, one| sum.saturating_add(one.bytes));
        text.push_str(&format!(
            "{} of unfinished backups, {}: `tidegate backup prune` deletes what nobody wrote to for a day.\n",
            counted(number, "folder"),
            size(bytes)
        ));
    }
    text
}

fn table(view: &View, now: Timestamp) -> String {
    let mut table = Table::new([
        "DROPLET", "ID", "SERVICE", "STATE", "AGE", "SIZE", "ROWS", "WHERE", "VERIFIED", "NOTES",
    ]);
    for Listed { backup, copies, from } in &view.backups {
        let rows = if backup.is_stored() { backup.rows.to_string() } else { "-".to_owned() };
        table.row([
            from.as_ref().map_or_else(|| backup.droplet.clone(), |from| from.droplet.to_string()),
            backup.id.clone(),
            backup.service.clone(),
            backup.state.to_owned(),
            backup.age(now),
            backup.size(),
            rows,
            whereabouts(view, backup, copies),
            backup.trial(),
            notes(backup),
        ]);
    }
    table.to_string()
}

/// `local, bucket:far (gone)`: where it was stored, with what a look at it found.
fn whereabouts(view: &View, backup: &BackupView, copies: &[CopyView]) -> String {
    let mut all: Vec<String> = copies
        .iter()
        .map(|copy| match copy.damage.as_slice() {
            [] => brief(&copy.at).to_owned(),
            [_, ..] => format!("{} (damaged)", brief(&copy.at)),
        })
        .collect();
    for at in &backup.destinations {
        if copies.iter().any(|copy| copy.at == *at) {
            continue;
        }
        let fate = if view.is_unseen(&backup.droplet, at) { "not seen" } else { "gone" };
        all.push(format!("{} ({fate})", brief(at)));
    }
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// What is worth knowing about it, in one line; `backup show` tells the rest.
fn notes(backup: &BackupView) -> String {
    let failures = [backup.failure.as_ref(), backup.verify_failure.as_ref()];
    failures.into_iter().flatten().map(|failure| failure.what.as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::{BackupCopy, BackupLeftover, ListedBackup, UnseenDestination};

    use super::{super::view::sample, *};

    fn copy(at: &str, damage: &[&str]) -> BackupCopy {
        let damage = damage.iter().map(|text| (*text).to_owned()).collect();
        BackupCopy { at: at.to_owned(), damage }
    }

    #[test]
    fn each_backup_has_a_line_and_what_is_wrong_is_said_below() {
        let listed =
            |backup, copies: Vec<BackupCopy>| ListedBackup { backup: Some(backup), copies, from: None };
        let mut stored = sample::stored();
        stored.id = "20261122T040000Z-22222222".to_owned();
        stored.copies = vec![sample::LOCAL.to_owned(), "bucket:far".to_owned(), "bucket:near".to_owned()];
        let first = BackupsResponse {
            backups: vec![
                listed(stored, vec![copy(sample::LOCAL, &["globals.sql.zst.age is missing"])]),
                listed(sample::verified(), vec![copy(sample::LOCAL, &[])]),
                listed(sample::doubtful(), Vec::new()),
                listed(sample::failed(), Vec::new()),
            ],
            leftovers: vec![BackupLeftover {
                at: sample::LOCAL.to_owned(),
                folder: "shop/production/7-e1/shop/db/20261120T030000Z-11111111".to_owned(),
                bytes: 1_200_000,
                newest: None,
            }],
            unseen: vec![UnseenDestination {
                at: "bucket:near".to_owned(),
                cause: "the bucket does not answer".to_owned(),
            }],
        };
        let mut view = View::default();
        view.add("web-1", first);
        insta::assert_snapshot!(text(&view, None, "2026-11-22T09:00:00Z".parse().unwrap()));
    }

    #[test]
    fn where_there_are_none_it_says_how_to_make_one() {
        insta::assert_snapshot!(text(&View::default(), None, Timestamp::UNIX_EPOCH), @"There are no backups: `tidegate backup now` makes one.");
    }
}
