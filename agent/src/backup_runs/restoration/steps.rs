//! The steps of a restore, as a saga.
//!
//! Owns their order, and what each tells. What they do is in `course`.

use std::fmt;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;
use tidegate_saga::{GraphError, Inputs, Look, Node, NodeResult, Saga, Value};

use super::{
    super::BackupError,
    course::Course,
    plan::{Place, RestorePlan},
};
use crate::{ingress::Maintenance, release::to_node_failure};

/// The kind of saga.
const SAGA: &str = "restore";
/// When the app began to stand still, in the output of [`Step::Stop`].
const SINCE: &str = "since";
/// How long it did, in milliseconds, in the output of [`Step::Open`].
pub(super) const STOOD_STILL: &str = "stood_still_ms";

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// What is in the backup becomes databases beside those that serve, and is looked at.
    Restore,
    /// Visitors are told to come back later.
    Maintenance,
    /// Who uses the database stops.
    Stop,
    /// The names change.
    Swap,
    /// Who uses the database starts, and has to get well.
    Start,
    /// Visitors are served again.
    Open,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restore => "restore",
            Self::Maintenance => "maintenance",
            Self::Stop => "stop",
            Self::Swap => "swap",
            Self::Start => "start",
            Self::Open => "open",
        })
    }
}

/// The saga of a plan.
///
/// # Errors
/// Never, unless the steps make no sense.
pub(super) fn saga<'c>(plan: &RestorePlan) -> Result<Saga<Course<'c>>, GraphError> {
    let steps = match &plan.place {
        Place::Beside => vec![Step::Restore],
        Place::Serving { .. } => {
            vec![Step::Restore, Step::Maintenance, Step::Stop, Step::Swap, Step::Start, Step::Open]
        }
    };
    let mut builder = Saga::builder(SAGA);
    let mut before: Option<String> = None;
    for step in steps {
        builder = builder.node(step.to_string(), before.as_deref(), StepNode(step));
        before = Some(step.to_string());
    }
    builder.build()
}

struct StepNode(Step);

impl StepNode {
    async fn go(&self, course: &Course<'_>, inputs: &Inputs<'_>) -> Result<Value, BackupError> {
        let say = |text: &str| course.progress.say(text);
        match self.0 {
            Step::Restore => course.bring().await?,
            Step::Maintenance => course.maintenance(Maintenance::On).await?,
            Step::Stop => {
                let since = since(inputs.own_output()).unwrap_or_else(|| course.now());
                let names: Vec<&str> =
                    course.plan.writers().iter().map(|writer| writer.container.as_str()).collect();
                if !names.is_empty() {
                    say(&format!("stopping {}", names.join(", ")));
                }
                course.stop().await?;
                return Ok(json!({ SINCE: since.to_string() }));
            }
            Step::Swap => {
                course.replace().await?;
                say("what was restored is in its place");
            }
            Step::Start => {
                course.revive().await?;
                if !course.plan.writers().is_empty() {
                    say("the app is up again");
                }
            }
            Step::Open => {
                course.maintenance(Maintenance::Off).await?;
                let still = since(inputs.output("stop")).map(|since| course.now().duration_since(since));
                let millis = still.map_or(0, |still| still.as_millis());
                return Ok(json!({ STOOD_STILL: u64::try_from(millis).unwrap_or_default() }));
            }
        }
        Ok(Value::Null)
    }

    async fn back(&self, course: &Course<'_>) -> Result<(), BackupError> {
        match self.0 {
            Step::Restore => course.throw_away().await,
            Step::Maintenance => course.maintenance(Maintenance::Off).await,
            Step::Stop => course.start().await,
            Step::Swap => course.put_back().await,
            Step::Start => course.stop().await,
            Step::Open => course.maintenance(Maintenance::On).await,
        }
    }
}

fn since(output: Option<&Value>) -> Option<Timestamp> {
    output?.get(SINCE)?.as_str()?.parse().ok()
}

impl<'c> Node<Course<'c>> for StepNode {
    fn forward<'a>(
        &'a self,
        course: &'a Course<'c>,
        inputs: &'a Inputs<'a>,
    ) -> BoxFuture<'a, NodeResult<Value>> {
        Box::pin(
            async move { self.go(course, inputs).await.map_err(|error| to_node_failure(&error.failure())) },
        )
    }

    fn undo<'a>(&'a self, course: &'a Course<'c>, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<()>> {
        Box::pin(async move { self.back(course).await.map_err(|error| to_node_failure(&error.failure())) })
    }

    fn look<'a>(&'a self, _: &'a Course<'c>, _: &'a Inputs<'a>) -> BoxFuture<'a, NodeResult<Look>> {
        // What was restored once and found well is there, or has become what serves. Everything else is quick to do again.
        let look = if self.0 == Step::Restore { Look::Holds } else { Look::Again };
        Box::pin(async move { Ok(look) })
    }
}
