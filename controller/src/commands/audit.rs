//! `tidegate audit log`: who did what on a droplet. The chain is checked as it is read, and has to extend what this
//! machine saw before.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_proto::{audit::Head, v1::AuditEntry};

use super::{
    context::Context,
    reach::{Reach, Which, tampered},
};
use crate::{
    agents::{self, AuditError, Target, advance},
    failure::Outcome,
    output::Table,
    release::times::timestamp,
};

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show the audit log of the droplets, checked
    Log(LogArgs),
}

#[derive(Debug, clap::Args)]
struct LogArgs {
    #[command(flatten)]
    which: Which,
    /// Only the last entries of each droplet
    #[arg(short = 'n', long, value_name = "ENTRIES")]
    tail: Option<usize>,
}

/// What `--json` prints per entry.
#[derive(Debug, Serialize)]
struct Entry {
    droplet: String,
    number: u64,
    at: Option<String>,
    actor: String,
    action: String,
    subject: String,
    outcome: String,
    fields: BTreeMap<String, String>,
    hash: String,
}

pub(super) async fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let What::Log(args) = &args.what;
    let reach = Reach::open(context)?;
    let targets = agents::of_environment(&reach.fleet, &reach.inventory, args.which.selection())?;
    let mut all = Vec::new();
    for target in &targets {
        let entries = read(&reach, target).await?;
        let skip = args.tail.map_or(0, |tail| entries.len().saturating_sub(tail));
        all.extend(entries.into_iter().skip(skip).map(|entry| view(target, entry)));
    }
    context.printer.result(&all, text(&all));
    Ok(Outcome::Done)
}

/// The whole log from its first entry on, so that what is shown is what was checked; its end is remembered.
async fn read(reach: &Reach, target: &Target) -> anyhow::Result<Vec<AuditEntry>> {
    let agent = reach.connect(target).await?;
    let log = match advance(&agent, Head::EMPTY, reach.seen_head(target)).await {
        Err(AuditError::Agent(error)) => return Err(error.into()),
        other => other.map_err(tampered)?,
    };
    reach.remember(target, log.head)?;
    Ok(log.entries)
}

fn view(target: &Target, entry: AuditEntry) -> Entry {
    Entry {
        droplet: target.short.clone(),
        number: entry.number,
        at: entry.at.as_ref().and_then(timestamp),
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        outcome: entry.outcome,
        fields: entry.fields.into_iter().collect(),
        hash: hex::encode(entry.hash),
    }
}

fn text(entries: &[Entry]) -> String {
    let mut table = Table::new(["DROPLET", "NO", "AT", "WHO", "ACTION", "SUBJECT", "OUTCOME", ""]);
    for entry in entries {
        let fields: Vec<String> =
            entry.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        table.row([
            entry.droplet.clone(),
            entry.number.to_string(),
            entry.at.clone().unwrap_or_default(),
            entry.actor.clone(),
            entry.action.clone(),
            entry.subject.clone(),
            entry.outcome.clone(),
            fields.join(" "),
        ]);
    }
    table.to_string()
}
