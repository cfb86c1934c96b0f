//! Copies of an app's databases, made while nobody writes: they come back when the release is taken back, and go when it
//! counts.

use serde_json::Value;

use super::summary;
use crate::{
    apps::ServiceName,
    release::{Failure, context::Context, data},
};

pub(super) async fn forward(context: &Context, service: &ServiceName) -> Result<Value, Failure> {
    let keeper = context.data.as_ref().ok_or_else(data::nobody)?;
    Ok(summary(keeper.copy(&context.id, service).await?))
}

pub(super) async fn undo(context: &Context, service: &ServiceName) -> Result<(), Failure> {
    let keeper = context.data.as_ref().ok_or_else(data::nobody)?;
    keeper.give_back(&context.id, service).await
}

/// The copy goes. One that does not takes nothing but room: that is told, and no reason to be stuck.
pub(super) async fn discard(
    context: &Context,
    (service, step): (&ServiceName, &str),
) -> Result<Value, Failure> {
    let keeper = context.data.as_ref().ok_or_else(data::nobody)?;
    if let Err(failure) = keeper.discard(&context.id, service).await {
        let text = format!("{}: {}; remove it by hand", failure.what, failure.cause);
        tracing::warn!(release = %context.id.label(), failure = text, "a copy of databases stays");
        context.progress(step, text).await;
    }
    Ok(summary(""))
}
