//! The steps of a release as nodes of its saga. Each finds what an earlier try made by name and label, so that each may be
//! repeated; each but the migration and jobs can be taken back.

mod agreement;
mod backup;
pub(super) mod bring_back;
mod commit;
mod connections;
mod copy;
mod create;
mod drain;
pub(super) mod files;
mod gate;
mod hooks;
mod job;
mod migrate;
mod networks;
mod one_off;
mod prepare;
mod prune;
mod pull;
mod quiesce;
pub(super) mod replace;
mod roll;
mod switch;
mod timers;
mod watch;

pub use drain::CLOSED;
use futures::future::BoxFuture;
pub(super) use prune::KEPT_INPUTS;
pub use replace::INTERRUPTED_MS;
use serde_json::{Value, json};
use tidegate_saga::{GraphError, Inputs, Look, Node, NodeResult, Saga};

use super::{
    Failure,
    context::{Context, Pledge},
    journal::to_node_failure,
    plan::{ReleasePlan, Step},
};

/// The saga of a release.
///
/// # Errors
/// When the plan names a step twice, which no plan does.
pub fn saga(plan: &ReleasePlan) -> Result<Saga<Context>, GraphError> {
    let mut builder = Saga::builder("release");
    let mut last: Option<String> = None;
    for step in &plan.steps {
        let name = step.to_string();
        builder = builder.node(name.clone(), last.as_deref(), StepNode(step.clone()));
        last = Some(name);
    }
    // A release on many droplets may not go back by itself once all of them serve it.
    let pivot = if plan.steps.contains(&Step::Finish) { Step::Finish } else { Step::Commit };
    builder.pivot(pivot.to_string()).build()
}

struct StepNode(Step);

/// What a step tells at its end.
fn summary(text: impl Into<String>) -> Value {
    json!({ "summary": text.into() })
}

/// What a step told at its end.
pub fn summary_of(output: &Value) -> &str {
    output.get("summary").and_then(Value::as_str).unwrap_or_default()
}

impl StepNode {
    async fn go(&self, context: &Context, inputs: &Inputs<'_>) -> Result<Value, Failure> {
        let name = self.0.to_string();
        match &self.0 {
            Step::Pull => pull::forward(context, &name).await,
            Step::Prepare => prepare::forward(context).await,
            Step::Timers => timers::forward(context).await,
            Step::Backup(service) => backup::forward(context, service).await,
            Step::Quiesce => quiesce::forward(context, &name).await,
            Step::Copy(service) => copy::forward(context, service).await,
            Step::Restore(service) => copy::restore(context, service).await,
            Step::Retain(service) => copy::retain(context, (service, &name)).await,
            Step::Revive(service) => quiesce::revive(context, (service, &name)).await,
            Step::Open => quiesce::open(context).await,
            Step::Discard(service) => copy::discard(context, (service, &name)).await,
            Step::Networks => networks::forward(context, &name).await,
            Step::Create => create::forward(context, &name).await,
            Step::Gate(service) => gate::forward(context, service.as_str(), inputs.cancel()).await,
            Step::Replace(service) => {
                replace::forward(context, (service.as_str(), &name), inputs.cancel()).await
            }
            Step::Job(job) => job::forward(context, *job, inputs.cancel()).await,
            Step::Roll(service) => roll::forward(context, (service.as_str(), &name), inputs.cancel()).await,
            Step::Migrate => migrate::forward(context, &name, inputs.cancel()).await,
            Step::AwaitMigration => agreement::await_migration(context, &name, inputs.cancel()).await,
            Step::Switch => switch::forward(context).await,
            Step::Drain => drain::forward(context, &name, inputs.output(&Step::Switch.to_string())).await,
            Step::Watch => watch::forward(context, inputs.cancel()).await,
            Step::Agree => agreement::agree(context, &name, inputs.cancel()).await,
            Step::Finish => agreement::finish(context, &name).await,
            Step::Commit => commit::forward(context).await,
            Step::Prune => prune::forward(context).await,
        }
    }

    async fn back(&self, context: &Context) -> Result<(), Failure> {
        context.ahead.settle().await?;
        let name = self.0.to_string();
        match &self.0 {
            Step::Pull => pull::undo(context).await,
            Step::Prepare => prepare::undo(context).await,
            Step::Timers => timers::undo(context).await,
            Step::Networks => networks::undo(context, &name).await,
            Step::Create => create::undo(context).await,
            Step::Gate(service) => gate::undo(context, (service.as_str(), &name)).await,
            Step::Replace(service) => replace::undo(context, (service.as_str(), &name)).await,
            Step::Job(job) => job::undo(context, *job).await,
            Step::Roll(service) => roll::undo(context, (service.as_str(), &name)).await,
            Step::Migrate => migrate::remove(context).await,
            Step::Switch => switch::undo(context).await,
            Step::Drain => drain::undo(context, &name).await,
            Step::Commit => commit::undo(context).await,
            Step::Watch => watch::undo(context, &name).await,
            Step::Quiesce => quiesce::undo(context, &name).await,
            Step::Copy(service) | Step::Restore(service) => copy::undo(context, service).await,
            Step::Revive(service) => quiesce::revive_undo(context, (service, &name)).await,
            // A backup stays; votes change nothing here; what comes after the pivot is never taken back.
            Step::Backup(_)
            | Step::AwaitMigration
            | Step::Agree
            | Step::Finish
            | Step::Open
            | Step::Discard(_)
            | Step::Retain(_)
            | Step::Prune => Ok(()),
        }
    }
}

impl Node<Context> for StepNode {
    fn forward<'a>(
        &'a self,
        context: &'a Context,
        inputs: &'a Inputs<'a>,
    ) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(async move { self.go(context, inputs).await.map_err(|failure| to_node_failure(&failure)) })
    }

    fn undo<'a>(&'a self, context: &'a Context, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move { self.back(context).await.map_err(|failure| to_node_failure(&failure)) })
    }

    fn look<'a>(&'a self, context: &'a Context, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Look>> {
        // A command that ended well is not run again, nor a decision made twice; who stood still may run again since, and the
        // copy is of then. Everything else is quick when it is so already. Nothing may fail any more once the agent has voted that it serves.
        let is_once = matches!(
            self.0,
            Step::Migrate
                | Step::AwaitMigration
                | Step::Job(_)
                | Step::Backup(_)
                | Step::Quiesce
                | Step::Copy(_)
                | Step::Restore(_)
                | Step::Agree
                | Step::Finish
        );
        let holds = is_once || context.pledge == Pledge::Serving;
        let look = if holds { Look::Holds } else { Look::Again };
        Box::pin(async move { Ok(look) })
    }
}
