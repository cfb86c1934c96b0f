//! Copies of an app's databases, made while nobody writes: they come back when the release is taken back, and go when it
//! counts. And backups that take their place: what served before is such a copy then, and stays for some days.

use serde_json::Value;

use super::summary;
use crate::{
    apps::ServiceName,
    release::{Failure, context::Context, data, plan::ReturningBackup},
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

pub(super) async fn restore(context: &Context, service: &ServiceName) -> Result<Value, Failure> {
    let keeper = context.data.as_ref().ok_or_else(data::nobody)?;
    let returning = returning(context, service)?;
    Ok(summary(keeper.bring_back(&context.id, returning).await?))
}

/// What served before is kept, and is no longer the release's matter.
pub(super) async fn retain(
    context: &Context,
    (service, step): (&ServiceName, &str),
) -> Result<Value, Failure> {
    let keeper = context.data.as_ref().ok_or_else(data::nobody)?;
    match keeper.retain(&context.id, returning(context, service)?).await {
        Ok(kept) => Ok(summary(kept)),
        Err(failure) => {
            let text = format!(
                "{}: {}; what served before stays until it is dropped by hand",
                failure.what, failure.cause
            );
            tracing::warn!(release = %context.id.label(), failure = text, "what served before is not in the books");
            context.progress(step, text).await;
            Ok(summary(""))
        }
    }
}

fn returning<'c>(context: &'c Context, service: &ServiceName) -> Result<&'c ReturningBackup, Failure> {
    let all = context.plan.standstill.iter().flat_map(|still| &still.returning);
    let found = all.into_iter().find(|returning| returning.service == *service);
    found.ok_or_else(|| Failure::new("nothing was restored", "the plan of the release names no backup"))
}
