//! Hooks within a release: a new container's `post_start` decides about the release, a leaving one's `pre_stop` does not.

use tidegate_saga::Cancel;

use crate::{
    docker::{Container, DockerError},
    release::{
        Failure,
        context::Context,
        hooks::{self, HookFailure},
        plan::PlannedService,
    },
};

/// Runs the `post_start` hooks of a new container, as part of its gate.
pub(super) async fn post_start(
    context: &Context,
    (service, name): (&PlannedService, &str),
    cancel: &Cancel,
) -> Result<(), Failure> {
    let own = context.project.services.get(service.name.as_str());
    let Some(own) = own.filter(|own| !own.post_start.is_empty()) else {
        return Ok(());
    };
    let ended = tokio::select! {
        ended = hooks::run(&context.docker, name, (&own.post_start, service.timeout)) => ended,
        why = cancel.cancelled() => {
            let what = format!("service {} did not pass its gate", service.name);
            return Err(Failure::new(what, format!("the release was cancelled: {why}")));
        }
    };
    ended.map_err(|HookFailure { why, last_lines }| {
        Failure::new(format!("a post_start hook of service {} failed", service.name), why)
            .at(name)
            .hint("its last lines are above; a hook that is not needed can be followed by `|| true`")
            .details(last_lines.iter().map(|line| context.redactor.redact(line)).collect())
    })
}

/// Runs the `post_start` hooks of an old container that is started again. What comes of it is only told.
pub(super) async fn post_start_again(context: &Context, container: &Container, step: &str) {
    let hooks = container.service().and_then(|service| context.former_hooks.get(service));
    let Some(hooks) = hooks.filter(|hooks| !hooks.post_start.is_empty()) else { return };
    let deadline = context.plan.drain.max(std::time::Duration::from_mins(1));
    let ended = hooks::run(&context.docker, &container.id, (&hooks.post_start, deadline)).await;
    tell(context, step, (container, "post_start", ended)).await;
}

/// Stops a container after its `pre_stop` hooks. Which those are is said by the release that made it.
pub(super) async fn stop(context: &Context, container: &Container, step: &str) -> Result<(), DockerError> {
    let label = context.id.label();
    let is_new = container.label(crate::docker::body::RELEASE_LABEL) == Some(&label);
    let service = container.service().unwrap_or_default();
    let pre_stop = if is_new {
        context.project.services.get(service).map(|service| service.pre_stop.as_slice())
    } else {
        context.former_hooks.get(service).map(|hooks| hooks.pre_stop.as_slice())
    };
    if let Some(hooks) = pre_stop.filter(|hooks| !hooks.is_empty()) {
        let ended = hooks::before_stop(&context.docker, container, hooks).await;
        tell(context, step, (container, "pre_stop", ended)).await;
    }
    context.docker.stop(container).await
}

async fn tell(
    context: &Context,
    step: &str,
    (container, kind, ended): (&Container, &str, Result<(), HookFailure>),
) {
    let Err(HookFailure { why, last_lines }) = ended else { return };
    let last = last_lines.last().map_or_else(String::new, |line| format!(": {line}"));
    let text = format!("a {kind} hook of {} failed: {why}{last}", container.name);
    context.progress(step, context.redactor.redact(&text)).await;
}
