//! `tidegate-agent audit`.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use tidegate_proto::{
    audit::{Head, follow},
    v1::{AuditEntry, AuditLogRequest},
};

use super::{Local, local};

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArguments {
    #[command(flatten)]
    local: Local,
    /// Only entries after this number.
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// Check the whole chain, and write only what came of it.
    #[arg(long, conflicts_with = "after")]
    verify: bool,
}

pub(super) async fn run(arguments: &AuditArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut client = local::connect(&arguments.local.socket).await?;
    let request = AuditLogRequest { after: arguments.after, limit: 0 };
    let mut entries = client.audit_log(request).await.map_err(|status| local::explain(&status))?.into_inner();
    let mut head = Head::EMPTY;
    while let Some(entry) = entries.message().await.map_err(|status| local::explain(&status))? {
        if arguments.verify {
            head = follow(head, &entry).context("the audit log is not intact")?;
        } else if arguments.local.json {
            writeln!(out, "{}", as_json(&entry))?;
        } else {
            writeln!(out, "{}", as_text(&entry))?;
        }
    }
    if arguments.verify {
        writeln!(out, "{} entries, intact; head {}", head.number, hex::encode(head.hash))?;
    }
    Ok(())
}

fn at(entry: &AuditEntry) -> String {
    let at = entry.at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn as_text(entry: &AuditEntry) -> String {
    let mut fields: Vec<String> =
        entry.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.sort_unstable();
    let AuditEntry { number, actor, action, subject, outcome, .. } = entry;
    format!("{number:>6}  {}  {actor}  {action}  {subject}  {outcome}  {}", at(entry), fields.join(" "))
}

fn as_json(entry: &AuditEntry) -> serde_json::Value {
    json!({
        "number": entry.number,
        "at": at(entry),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "fields": entry.fields,
        "previous_hash": hex::encode(&entry.previous_hash),
        "hash": hex::encode(&entry.hash),
    })
}
