//! The timers of an app's backups become those of the release, early: what fails here was noticed by nobody.

use serde_json::Value;

use super::summary;
use crate::{
    release::{Failure, context::Context, schedule},
    timers::Wanted,
};

pub(super) async fn forward(context: &Context) -> Result<Value, Failure> {
    let wanted = wanted(context)?;
    context.timers.bring(&wanted).await.map_err(|error| schedule::failure(&error))?;
    let count = wanted.timers().count();
    Ok(summary(if count == 1 { "1 timer".to_owned() } else { format!("{count} timers") }))
}

/// Those of the release that serves come back.
pub(super) async fn undo(context: &Context) -> Result<(), Failure> {
    context.timers.bring(&context.former_timers).await.map(drop).map_err(|error| schedule::failure(&error))
}

fn wanted(context: &Context) -> Result<Wanted, Failure> {
    Wanted::of(&context.id.app, &context.extension)
        .map_err(|error| Failure::caused_by("the timers of backups", &error))
}
