//! `tidegate audit log`: who did what on a droplet. The chain is checked as it is read, and has to extend what this
//! machine saw before.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_proto::{
    audit::{self, Head},
    v1::{AuditEntry, AuditLogRequest},
};

use super::{
    context::Context,
    reach::{Reach, Which},
};
use crate::{
    agents::{self, Target},
    failure::{Failure, Outcome},
    output::Table,
    release::times::timestamp,
    state::Inventory,
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

/// The whole log from its first entry on, checked; the head is remembered.
async fn read(reach: &Reach, target: &Target) -> anyhow::Result<Vec<AuditEntry>> {
    let remembered = remembered(&reach.inventory, target);
    let agent = reach.connect(target).await?;
    let mut stream = agent
        .client()
        .audit_log(AuditLogRequest { after: 0, limit: 0 })
        .await
        .map_err(|s| agent.error(&s))?
        .into_inner();
    let mut head = Head::EMPTY;
    let mut at_remembered = None;
    let mut entries = Vec::new();
    while let Some(entry) = stream.message().await.map_err(|status| agent.error(&status))? {
        head = audit::follow(head, &entry).map_err(|error| broken(target, error))?;
        if head.number == remembered.number {
            at_remembered = Some(head.hash);
        }
        entries.push(entry);
    }
    audit::extends(
        remembered,
        head,
        at_remembered.as_ref().map(<[u8; 32]>::as_slice),
    )
    .map_err(|error| broken(target, error))?;
    remember(reach, target, head)?;
    Ok(entries)
}

fn remembered(inventory: &Inventory, target: &Target) -> Head {
    let record = inventory.droplets.get(&target.name);
    let hash = record.and_then(|record| hex::decode(&record.audit_head_hash).ok()?.try_into().ok());
    record.zip(hash).map_or(Head::EMPTY, |(record, hash)| Head {
        number: record.audit_head_number,
        hash,
    })
}

/// Under the lock and on a fresh copy: another command may have written meanwhile.
fn remember(reach: &Reach, target: &Target, head: Head) -> anyhow::Result<()> {
    let _lock = reach.state.lock(&reach.fleet.scope)?;
    let mut inventory = Inventory::load(&reach.state)?;
    if let Some(record) = inventory.droplets.get_mut(&target.name)
        && record.audit_head_number <= head.number
    {
        record.audit_head_number = head.number;
        record.audit_head_hash = hex::encode(head.hash);
        inventory.save(&reach.state)?;
    }
    Ok(())
}

fn broken(target: &Target, error: audit::ChainError) -> anyhow::Error {
    Failure::in_doubt(format!("the audit log of {} cannot be trusted", target.short))
        .because(error)
        .hint("somebody with root on the droplet changed it, or its disk went back in time; keep the droplet's disk for a look")
        .into()
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
        let fields: Vec<String> = entry
            .fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
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
