//! Errors of what comes back after a start of the droplet, as gRPC statuses.

use tonic::{Code, Status};

use super::{disk, engine, rich};
use crate::comeback::ComebackError;

/// Why it cannot be told what came back.
pub(in crate::api) fn comeback(error: &ComebackError) -> Status {
    match error {
        ComebackError::Machine(_) => rich(Code::Internal, "BOOT_UNKNOWN", error)
            .hint("can the agent read /proc? see `systemctl cat tidegate-agent` on the droplet")
            .into(),
        ComebackError::Database(_) => disk(Code::Unavailable, "DATABASE", error).into(),
        ComebackError::Engine(error) => engine(error),
    }
}
