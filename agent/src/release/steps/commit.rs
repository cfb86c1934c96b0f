//! The release counts from here on: the one row that decides. After it there is no way back.

use serde_json::Value;

use super::summary;
use crate::release::{Failure, context::Context};

pub(super) async fn forward(context: &Context) -> Result<Value, Failure> {
    let committed = context.store.commit(&context.id.app, context.id.release).await;
    committed.map_err(|error| Failure::caused_by("the release could not be committed", &error))?;
    Ok(summary(""))
}

pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    let taken_back = context.store.take_back(&context.id.app, context.id.release).await;
    taken_back.map_err(|error| Failure::caused_by("the release could not be taken back", &error))
}
