//! `tidegate releases`: which releases an app had, and how each went.

use serde::Serialize;
use tidegate_proto::v1::{ReleaseSummary, ReleasesRequest};

use super::{
    context::Context,
    reach::{Reach, Which},
};
use crate::{
    agents::Target,
    failure::Outcome,
    names::Name,
    output::Table,
    release::{
        follow::{FailureView, Interrupted, state_name},
        times::timestamp,
    },
};

/// Arguments of `releases`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Only the latest ones of each droplet; 0 shows all
    #[arg(short = 'n', long, value_name = "RELEASES", default_value_t = 20)]
    tail: u32,
}

/// What `--json` prints per release.
#[derive(Debug, Serialize)]
struct View {
    droplet: String,
    release: u64,
    state: &'static str,
    started_at: Option<String>,
    finished_at: Option<String>,
    actor: String,
    source_digest: String,
    git_revision: String,
    git_branch: String,
    git_subject: String,
    /// For a rollback: where to.
    returns_to: Option<u64>,
    images: Vec<Image>,
    migration: String,
    interrupted: Vec<Interrupted>,
    failure: Option<FailureView>,
}

#[derive(Debug, Serialize)]
struct Image {
    reference: String,
    id: String,
    digest: String,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    let mut all = Vec::new();
    for target in &targets {
        let releases = of(&reach, (&name, target), args.tail).await?;
        all.extend(releases.into_iter().map(|release| view(target, release)));
    }
    context.printer.result(&all, text(&all));
    Ok(Outcome::Done)
}

/// Releases of an app on a droplet, the latest first; at most `limit`, 0 for all.
pub(super) async fn of(
    reach: &Reach,
    (app, target): (&Name, &Target),
    limit: u32,
) -> anyhow::Result<Vec<ReleaseSummary>> {
    let agent = reach.connect(target).await?;
    let mut client = agent.client();
    let answered = agent.call(client.releases(ReleasesRequest { app: app.to_string(), limit })).await?;
    Ok(answered.releases)
}

fn view(target: &Target, summary: ReleaseSummary) -> View {
    let state = state_name(summary.state());
    let images = summary.images.into_iter();
    View {
        droplet: target.short.clone(),
        release: summary.release,
        state,
        started_at: summary.started_at.as_ref().and_then(timestamp),
        finished_at: summary.finished_at.as_ref().and_then(timestamp),
        actor: summary.actor,
        source_digest: summary.source_digest,
        git_revision: summary.git_revision,
        git_branch: summary.git_branch,
        git_subject: summary.git_subject,
        returns_to: (summary.returns_to != 0).then_some(summary.returns_to),
        images: images
            .map(|image| Image { reference: image.reference, id: image.id, digest: image.digest })
            .collect(),
        migration: summary.migration,
        interrupted: summary.interruptions.iter().map(Interrupted::from).collect(),
        failure: summary.failure.map(FailureView::from),
    }
}

fn text(all: &[View]) -> String {
    let mut table = Table::new(["DROPLET", "RELEASE", "STATE", "BEGAN", "BY", "REVISION", "NOTES"]);
    for view in all {
        let user = view.actor.rsplit('/').next().unwrap_or(&view.actor);
        table.row([
            view.droplet.clone(),
            format!("r{}", view.release),
            view.state.to_owned(),
            view.started_at.clone().unwrap_or_else(|| "-".to_owned()),
            user.to_owned(),
            view.git_revision.get(..7).unwrap_or("-").to_owned(),
            notes(view),
        ]);
    }
    table.to_string()
}

/// What is worth knowing about it, in one line.
fn notes(view: &View) -> String {
    let mut notes = Vec::new();
    notes.extend(view.returns_to.map(|release| format!("back to r{release}")));
    if !view.git_subject.is_empty() {
        notes.push(format!("\"{}\"", view.git_subject));
    }
    notes.extend(view.failure.as_ref().map(|failure| failure.what.clone()));
    if !view.migration.is_empty() {
        notes.push(format!("migrated: {}", view.migration));
    }
    if !view.interrupted.is_empty() {
        let services: Vec<String> = view.interrupted.iter().map(Interrupted::describe).collect();
        notes.push(format!("interrupted: {}", services.join(", ")));
    }
    notes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_happened() {
        let view = View {
            droplet: "web-1".into(),
            release: 9,
            state: "released",
            started_at: Some("2026-11-21T10:00:00Z".into()),
            finished_at: None,
            actor: "spiffe://shop.production/user/ada".into(),
            source_digest: String::new(),
            git_revision: "7f3c2a1d".into(),
            git_branch: "main".into(),
            git_subject: "faster checkout".into(),
            returns_to: Some(7),
            images: Vec::new(),
            migration: String::new(),
            interrupted: vec![Interrupted { service: "worker".into(), seconds: 6.2, closed_requests: 0 }],
            failure: None,
        };
        insta::assert_snapshot!(text(&[view]));
    }
}
