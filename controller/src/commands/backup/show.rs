//! `tidegate backup show`: what one backup holds, where it is, and who can open it.

use serde::Serialize;
use tidegate_proto::v1::{BackupManifest, BackupPart, ShowBackupRequest, ShowBackupResponse, TableRows};

use super::{
    found::{Found, ask},
    view::{BackupView, CopyView},
};
use crate::{
    commands::{
        context::Context,
        reach::{Reach, Which},
    },
    failure::Outcome,
    output::{Table, size},
    release::{follow::FailureView, times::timestamp},
};

/// Arguments of `backup show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Backup, as `backup list` shows it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    which: Which,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct View {
    #[serde(flatten)]
    backup: BackupView,
    copies: Vec<CopyView>,
    /// Nothing where no copy has one that can be read.
    manifest: Option<Manifest>,
}

#[derive(Debug, Serialize)]
struct Manifest {
    /// The moment whose data it holds.
    taken_at: Option<String>,
    tool_version: String,
    image: String,
    image_id: String,
    /// Who can open it: age public keys.
    recipients: Vec<String>,
    parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    name: String,
    content: String,
    plain_bytes: u64,
    stored_bytes: u64,
    stored_sha256: String,
    tables: Vec<TableView>,
}

#[derive(Debug, Serialize)]
struct TableView {
    schema: String,
    name: String,
    rows: u64,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let reach = Reach::open(context)?;
    let (name, app) = reach.app(args.which.app.as_ref())?;
    let targets = reach.targets((&name, &app), args.which.selection())?;
    let request = ShowBackupRequest { app: name.to_string(), id: args.id.clone() };
    let mut found = Found::default();
    for target in &targets {
        let shown = ask((&reach, target), request.clone(), async |mut client, request| {
            client.show_backup(request).await
        })
        .await;
        found.take(shown.map(|shown| View::new(&target.short, shown)))?;
    }
    // An id is one backup's on one droplet.
    let view = found.all()?.into_iter().flatten().next();
    context.printer.result(&view, view.as_ref().map(text).unwrap_or_default());
    Ok(Outcome::Done)
}

impl View {
    fn new(droplet: &str, shown: ShowBackupResponse) -> Option<Self> {
        Some(Self {
            backup: BackupView::new(droplet, shown.backup?),
            copies: shown.copies.into_iter().map(CopyView::from).collect(),
            manifest: shown.manifest.map(Manifest::from),
        })
    }
}

impl From<BackupManifest> for Manifest {
    fn from(told: BackupManifest) -> Self {
        Self {
            taken_at: told.taken_at.as_ref().and_then(timestamp),
            tool_version: told.tool_version,
            image: told.image,
            image_id: told.image_id,
            recipients: told.recipients,
            parts: told.parts.into_iter().map(Part::from).collect(),
        }
    }
}

impl From<BackupPart> for Part {
    fn from(told: BackupPart) -> Self {
        let rows = |TableRows { schema, name, rows }| TableView { schema, name, rows };
        Self {
            name: told.name,
            content: told.content,
            plain_bytes: told.plain_bytes,
            stored_bytes: told.stored_bytes,
            stored_sha256: told.stored_sha256,
            tables: told.tables.into_iter().map(rows).collect(),
        }
    }
}

fn text(view: &View) -> String {
    let backup = &view.backup;
    let mut text = format!("Backup {} of {} on {}\n", backup.id, backup.whose(), backup.droplet);
    let mut line = |label: &str, told: &str| {
        if !told.is_empty() {
            text.push_str(&format!("  {label:<11}{told}\n"));
        }
    };
    line("state", &state(backup));
    let began = backup.started_at.as_deref().unwrap_or("-");
    line("began", &format!("{began} ({}, {}), took {}", backup.cause, backup.actor, backup.time()));
    let taken_at = view.manifest.as_ref().and_then(|manifest| manifest.taken_at.as_deref());
    line("data of", taken_at.unwrap_or_default());
    line("server", &format!("{} {}", backup.engine, backup.server_version));
    if backup.release != 0 {
        line("release", &format!("r{}", backup.release));
    }
    line("schema", &backup.revision);
    if backup.is_stored() {
        line("size", &format!("{}, of {} of data", backup.size(), size(backup.plain_bytes)));
        line("holds", &backup.rows());
    }
    for failure in backup.failure.iter().chain(&backup.verify_failure) {
        line("trouble", &told(failure));
    }
    for (number, copy) in view.copies.iter().enumerate() {
        let whole = if copy.damage.is_empty() { "complete".to_owned() } else { copy.damage.join("; ") };
        line(if number == 0 { "copies" } else { "" }, &format!("{}: {whole}", copy.at));
    }
    if backup.is_stored() && view.copies.is_empty() {
        line("copies", "none was found");
    }
    if let Some(manifest) = &view.manifest {
        line("made with", &format!("{}, image {}", manifest.tool_version, manifest.image));
        for (number, recipient) in manifest.recipients.iter().enumerate() {
            line(if number == 0 { "opened by" } else { "" }, recipient);
        }
        text.push('\n');
        text.push_str(&parts(manifest));
    }
    text
}

/// `verified 2026-11-22T04:00:00Z, restored in 12 s`
fn state(backup: &BackupView) -> String {
    match (&backup.verified_at, backup.restore_time()) {
        (Some(at), Some(took)) => format!("{} {at}, restored in {took}", backup.state),
        (Some(at), None) => format!("{} {at}", backup.state),
        (None, _) => backup.state.to_owned(),
    }
}

fn told(failure: &FailureView) -> String {
    let mut text = failure.in_one_line();
    for line in &failure.details {
        text.push_str(&format!("\n               {line}"));
    }
    if !failure.hint.is_empty() {
        text.push_str(&format!("\n             hint: {}", failure.hint));
    }
    text
}

fn parts(manifest: &Manifest) -> String {
    let mut table = Table::new(["PART", "HOLDS", "TABLES", "ROWS", "SIZE", "SHA-256"]);
    for part in &manifest.parts {
        let rows = part.tables.iter().fold(0, |sum: u64, table| sum.saturating_add(table.rows));
        let or_none = |number: String| if part.tables.is_empty() { "-".to_owned() } else { number };
        table.row([
            part.name.clone(),
            part.content.clone(),
            or_none(part.tables.len().to_string()),
            or_none(rows.to_string()),
            size(part.stored_bytes),
            part.stored_sha256.clone(),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use tidegate_proto::v1::BackupCopy;

    use super::{super::view::sample, *};

    fn shown() -> ShowBackupResponse {
        let rows = |name: &str, rows| TableRows { schema: "public".to_owned(), name: name.to_owned(), rows };
        let part = |name: &str, content: &str, tables| BackupPart {
            name: name.to_owned(),
            content: content.to_owned(),
            plain_bytes: 84_000_000,
            stored_bytes: 12_400_000,
            stored_sha256: "9f86d081884c7d65".to_owned(),
            tables,
        };
        let manifest = BackupManifest {
            taken_at: Some(prost_types::Timestamp { seconds: 1_795_316_401, nanos: 0 }),
            tool_version: "pg_dump (PostgreSQL) 17.2".to_owned(),
            image: "postgres:17".to_owned(),
            image_id: "sha256:00".to_owned(),
            recipients: vec!["age1first".to_owned(), "age1second".to_owned()],
            parts: vec![
                part(
                    "database-1.dump.zst.age",
                    "database shop",
                    vec![rows("orders", 120_000), rows("users", 34)],
                ),
                part("globals.sql.zst.age", "roles and tablespaces", Vec::new()),
            ],
        };
        let copies = vec![
            BackupCopy { at: sample::LOCAL.to_owned(), damage: Vec::new() },
            BackupCopy { at: "bucket:far".to_owned(), damage: vec!["its manifest is damaged".to_owned()] },
        ];
        ShowBackupResponse { backup: Some(sample::verified()), copies, manifest: Some(manifest) }
    }

    #[test]
    fn one_backup_in_full() {
        insta::assert_snapshot!(text(&View::new("web-1", shown()).unwrap()));
    }

    #[test]
    fn one_that_failed_says_why_and_what_to_do() {
        let shown = |backup| ShowBackupResponse { backup: Some(backup), ..ShowBackupResponse::default() };
        let text = text(&View::new("web-1", shown(sample::failed())).unwrap())
            + &text(&View::new("web-1", shown(sample::doubtful())).unwrap());
        insta::assert_snapshot!(text);
    }
}
