//! What a caller asked for is done to its end, and stands in the audit log with it, also when the caller goes away.
//!
//! Owns the task and the end of the audit entry. Must not know what is done.

use tonic::Status;

use super::errors;
use crate::{
    audit::{Begun, Outcome},
    release::EngineError,
};

/// Does this in a task of its own; the caller is answered when it is done and written down.
pub(super) async fn done<T: Send + 'static>(
    begun: Begun,
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, Status> {
    let task = tokio::spawn(async move {
        let result = work.await.map_err(|error| errors::engine(&error));
        let outcome = match &result {
            Ok(_) => Outcome::Succeeded,
            Err(status) => Outcome::Failed(errors::reason(status)),
        };
        begun.end(outcome).await;
        result
    });
    task.await.map_err(|_| errors::broken())?
}
