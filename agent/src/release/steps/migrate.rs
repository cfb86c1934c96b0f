//! The migration: a command that is run once. It has no undo: its kind says that the old release can live with what it did.

use serde_json::Value;
use tidegate_saga::Cancel;

use super::{one_off::OneOff, summary};
use crate::release::{Failure, context::Context};

pub(super) async fn forward(context: &Context, step: &str, cancel: &Cancel) -> Result<Value, Failure> {
    match migration(context) {
        Some(migration) => migration.run(context, (step, cancel)).await.map(summary),
        None => Ok(summary("")),
    }
}

/// Takes its container away. What it did to the database stays.
pub(super) async fn remove(context: &Context) -> Result<(), Failure> {
    match migration(context) {
        Some(migration) => migration.remove(context).await,
        None => Ok(()),
    }
}

fn migration(context: &Context) -> Option<OneOff<'_>> {
    let command = context.plan.migration.as_ref()?;
    Some(OneOff {
        what: "the migration",
        place: "x-tidegate.migrate",
        key: "migration",
        hint: "the old release serves on; the migration's output is above",
        command,
    })
}
