//! `AuditLog`: the log, in order.
//!
//! Owns the paging through it. Must not check the chain: whoever reads it does, with what it remembers.

use tidegate_proto::v1::{AuditEntry, AuditLogRequest};
use tokio::sync::mpsc;
use tonic::Status;

use super::{
    errors,
    stream::{self, Answers},
};
use crate::audit::AuditLog;

/// Entries that are read at a time.
const PAGE: u32 = 100;

pub(super) fn read(log: AuditLog, request: &AuditLogRequest) -> Answers<AuditEntry> {
    let (sender, answers) = stream::channel();
    let limit = if request.limit == 0 { u64::MAX } else { u64::from(request.limit) };
    let after = request.after;
    tokio::spawn(async move {
        if let Err(status) = pages(&log, after, limit, &sender).await {
            sender.send(Err(status)).await.ok();
        }
    });
    answers
}

async fn pages(
    log: &AuditLog,
    mut after: u64,
    mut left: u64,
    sender: &mpsc::Sender<Result<AuditEntry, Status>>,
) -> Result<(), Status> {
    while left > 0 {
        let page = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let entries = log.entries(after, page).await.map_err(|error| errors::audit(&error))?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            after = entry.number;
            left = left.saturating_sub(1);
            if sender.send(Ok(entry)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
