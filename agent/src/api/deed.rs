//! What a caller asked for is done to its end, and stands in the audit log with it, also when the caller goes away.
//!
//! Owns the task and the end of the audit entry. Must not know what is done.

use tokio::task::JoinHandle;
use tonic::Status;

use super::errors;
use crate::audit::{Begun, Outcome};

/// Does this in a task of its own, and writes down how it ended. Who drops what is returned ends nothing.
pub(super) fn begin<T: Send + 'static>(
    begun: Begun,
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> JoinHandle<Result<T, Status>> {
    tokio::spawn(async move {
        let result = work.await;
        let outcome = match &result {
            Ok(_) => Outcome::Succeeded,
            Err(status) => Outcome::Failed(errors::reason(status)),
        };
        begun.end(outcome).await;
        result
    })
}

/// The same; the caller is answered when it is done and written down.
pub(super) async fn done<T: Send + 'static>(
    begun: Begun,
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    begin(begun, work).await.map_err(|_| errors::broken())?
}
