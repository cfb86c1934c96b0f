//! `CleanUp`: what nobody needs any more goes, or is only told.
//!
//! Owns the conversion and the audit entry. Must not know what may go.

use tidegate_proto::v1::{self, CleanUpRequest, CleanUpResponse};
use tonic::Status;

use super::{Context, caller::Caller, deed, errors};
use crate::{
    audit::Deed,
    release::clean::{Leftover, Mode},
};

pub(super) async fn clean_up(
    context: &Context,
    caller: &Caller,
    request: CleanUpRequest,
) -> Result<CleanUpResponse, Status> {
    let cleanup = context.cleanup.clone();
    let cleaned = if request.dry_run {
        cleanup.run(Mode::Look).await.map_err(|error| errors::engine(&error))?
    } else {
        let deed = Deed::new(caller.actor(), "clean-up", "droplet");
        let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
        let work = async move { cleanup.run(Mode::Remove).await.map_err(|error| errors::engine(&error)) };
        deed::done(begun, work).await?
    };
    let gone = cleaned.gone.into_iter().map(message).collect();
    Ok(CleanUpResponse { gone, troubles: cleaned.troubles })
}

fn message(leftover: Leftover) -> v1::Leftover {
    v1::Leftover { kind: leftover.kind.word().to_owned(), name: leftover.name, bytes: leftover.bytes }
}
