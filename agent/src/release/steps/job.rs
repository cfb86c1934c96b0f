//! Jobs: commands that are run once, before the migration or after the drain. One that fails takes the release back; what
//! it did stays, as with a migration, so it has to be one that can be run again.

use serde_json::Value;
use tidegate_saga::Cancel;

use super::{one_off::OneOff, summary};
use crate::release::{
    Failure,
    context::Context,
    plan::{JobName, PlannedCommand, Step, When},
};

pub(super) async fn forward(context: &Context, job: JobName, cancel: &Cancel) -> Result<Value, Failure> {
    let step = Step::Job(job).to_string();
    match context.plan.jobs.of(job.when).find(|(name, _)| *name == job) {
        Some((_, command)) => {
            one_off(&step, (job.when, command)).run(context, (&step, cancel)).await.map(summary)
        }
        None => Ok(summary("")),
    }
}

pub(super) async fn undo(context: &Context, job: JobName) -> Result<(), Failure> {
    let step = Step::Job(job).to_string();
    match context.plan.jobs.of(job.when).find(|(name, _)| *name == job) {
        Some((_, command)) => one_off(&step, (job.when, command)).remove(context).await,
        None => Ok(()),
    }
}

/// Takes the containers of all jobs away.
pub(super) async fn remove_all(context: &Context) -> Result<(), Failure> {
    for (job, _) in context.plan.jobs.all() {
        undo(context, job).await?;
    }
    Ok(())
}

fn one_off<'a>(step: &'a str, (when, command): (When, &'a PlannedCommand)) -> OneOff<'a> {
    let (place, hint) = match when {
        When::Before => ("x-tidegate.jobs.before", "the old release serves on; the job's output is above"),
        When::After => {
            ("x-tidegate.jobs.after", "the release before is brought back; the job's output is above")
        }
    };
    OneOff { what: step, place, key: step, hint, command }
}
