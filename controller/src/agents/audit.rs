//! An agent's audit log only ever grows: what was seen of it is remembered, and a log that does not extend it is refused.

use tidegate_proto::{
    audit::{ChainError, Head, follow},
    v1::{AuditEntry, AuditLogRequest},
};

use super::{connect::Agent, error::AgentError};

/// No proper log holds more that nobody has seen.
const MAX_ENTRIES: usize = 1_000_000;

/// A log that cannot be believed, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// It does not extend what was seen.
    #[error("the audit log of {droplet} was tampered with, or its droplet was replaced behind our back")]
    Chain {
        /// Whose.
        droplet: String,
        /// How.
        #[source]
        source: ChainError,
    },
    /// It is shorter than what was seen.
    #[error("the audit log of {droplet} lacks entries: {seen} were seen, now it ends at {found}")]
    Cut {
        /// Whose.
        droplet: String,
        /// Number of the last entry seen.
        seen: u64,
        /// Number of the last entry now.
        found: u64,
    },
}

/// A log that was followed to its end.
#[derive(Debug)]
pub struct Advance {
    /// Its end.
    pub head: Head,
    /// The entries asked for, in order.
    pub entries: Vec<AuditEntry>,
}

/// Follows the log from an entry on; the first has to be linked to that entry.
///
/// # Errors
/// When it does not extend what was seen.
pub async fn advance(agent: &Agent, from: Head, seen: Head) -> Result<Advance, AuditError> {
    let request = AuditLogRequest { after: from.number, limit: 0 };
    let stream = agent.client().audit_log(request).await.map_err(|status| agent.error(&status))?;
    let mut stream = stream.into_inner();
    let mut head = from;
    let mut entries = Vec::new();
    let chain = |source| AuditError::Chain { droplet: agent.name.clone(), source };
    while let Some(entry) = stream.message().await.map_err(|status| agent.error(&status))? {
        head = follow(head, &entry).map_err(chain)?;
        if head.number == seen.number && head.hash != seen.hash {
            return Err(chain(ChainError::Link { number: head.number }));
        }
        if entries.len() < MAX_ENTRIES {
            entries.push(entry);
        }
    }
    if head.number < seen.number {
        let droplet = agent.name.clone();
        return Err(AuditError::Cut { droplet, seen: seen.number, found: head.number });
    }
    Ok(Advance { head, entries })
}
