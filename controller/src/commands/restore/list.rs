//! `tidegate restore --list`: what was restored, how that went, and what is kept of what served before.

use tidegate_proto::v1::RestoresRequest;

use super::{Args, view::RestoreView};
use crate::{
    commands::{
        backup::found::{Found, ask},
        context::Context,
        reach::Reach,
    },
    failure::Outcome,
    output::Table,
};

pub(super) async fn run(context: &Context, reach: &Reach, args: &Args) -> anyhow::Result<Outcome> {
    let (name, app) = reach.app(args.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.selection())?;
    let request = RestoresRequest { app: name.to_string() };
    let mut found = Found::default();
    for target in &targets {
        let asked =
            ask((reach, target), request.clone(), async |mut client, request| client.restores(request).await);
        found.take(asked.await.map(|answer| (target, answer)))?;
    }
    let rows = found.all()?.into_iter().flat_map(|(target, answer)| {
        answer.restores.into_iter().map(|told| RestoreView::new(&target.short, told))
    });
    let rows: Vec<RestoreView> = rows.collect();
    context.printer.result(&rows, text(&rows));
    Ok(Outcome::Done)
}

fn text(rows: &[RestoreView]) -> String {
    if rows.is_empty() {
        return "Nothing was restored.\n".to_owned();
    }
    let mut table =
        Table::new(["DROPLET", "ID", "STATE", "BACKUP", "DATABASES", "STOOD STILL", "KEPT", "UNTIL"]);
    let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    for row in rows {
        let names: Vec<&str> = row.plan.databases.iter().map(|one| one.name.as_str()).collect();
        table.row([
            row.plan.droplet.clone(),
            row.id.clone(),
            row.state.to_owned(),
            if row.plan.backup.is_empty() {
                "what served before".to_owned()
            } else {
                row.plan.backup.clone()
            },
            names.join(", "),
            row.still().unwrap_or_else(|| "-".to_owned()),
            or_none(row.kept.join(", ")),
            or_none(row.kept_until.clone().unwrap_or_default()),
        ]);
    }
    let mut text = table.to_string();
    for (row, failure) in rows.iter().filter_map(|row| Some((row, row.failure.as_ref()?))) {
        text.push_str(&format!("{}: {}\n", row.id, failure.in_one_line()));
    }
    text
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::{Failure, RestoreState};

    use super::{super::view::sample, *};

    #[test]
    fn each_restore_has_a_line_and_what_failed_is_said_below() {
        let mut undone = sample::summary();
        undone.id = "20261123T040000Z-22222222".to_owned();
        undone.state = RestoreState::Undone.into();
        (undone.kept, undone.kept_until, undone.stood_still) = (Vec::new(), None, None);
        undone.failure = Some(Failure {
            what: "service web did not get well".to_owned(),
            cause: "its health check failed".to_owned(),
            ..Failure::default()
        });
        let rows: Vec<_> =
            [undone, sample::summary()].into_iter().map(|one| RestoreView::new("web-1", one)).collect();
        insta::assert_snapshot!(text(&rows));
        insta::assert_snapshot!(text(&[]), @"Nothing was restored.");
    }
}
