//! The two votes of a release on many droplets: `agree` before anything that users notice, `finish` when it serves and has
//! stood its watch. That a step has begun is the vote, that it succeeded is what was decided: see `release/together.rs`.

use futures::future::BoxFuture;
use serde_json::Value;
use tidegate_saga::Cancel;

use super::summary;
use crate::release::{
    EventKind, Failure,
    context::Context,
    together::{
        Together,
        talk::{self, Notices, Talk},
    },
};

pub(super) async fn agree(context: &Context, step: &str, cancel: &Cancel) -> Result<Value, Failure> {
    let (together, notices) = parts(context, step)?;
    let talk = talk_of(context, together, &notices).await;
    talk::agree(&talk, cancel).await?;
    Ok(summary("all droplets are ready"))
}

/// Where droplets share a database one of them migrates it, and the new code of the others waits for that.
pub(super) async fn await_migration(
    context: &Context,
    step: &str,
    cancel: &Cancel,
) -> Result<Value, Failure> {
    let (together, notices) = parts(context, step)?;
    let talk = talk_of(context, together, &notices).await;
    let name = talk::migrated(&talk, cancel).await?;
    Ok(summary(format!("on {name}")))
}

pub(super) async fn finish(context: &Context, step: &str) -> Result<Value, Failure> {
    let (together, notices) = parts(context, step)?;
    let talk = talk_of(context, together, &notices).await;
    // Not the saga's cancel: to the saga this step is the pivot, which nothing but itself may take back.
    talk::finish(&talk, &context.cancel).await?;
    Ok(summary("it serves on all droplets"))
}

fn parts<'a>(context: &'a Context, step: &'a str) -> Result<(&'a Together, Told<'a>), Failure> {
    let together = context.input.together.as_ref().ok_or_else(|| {
        Failure::new("the droplets cannot agree", "the release does not say which droplets take part")
    })?;
    Ok((together, Told { context, step }))
}

async fn talk_of<'a>(context: &'a Context, together: &'a Together, notices: &'a Told<'a>) -> Talk<'a> {
    let id = &context.id;
    // A vote was given when the step began, so that nothing here may fail: the lease begins again instead.
    let since = context.store.first_start(&id.app, id.release, notices.step).await.unwrap_or_else(|error| {
        tracing::warn!(release = %id.label(), %error, "since when the release votes is not known");
        None
    });
    Talk {
        together,
        release: (&id.app, id.release),
        peers: context.peers.as_ref(),
        clock: context.clock.as_ref(),
        since: since.unwrap_or_else(|| context.clock.now()),
        jitter: &rand::random::<f64>,
        standing: &context.standing,
        notices,
    }
}

/// Tells how a vote goes by events of the release.
struct Told<'a> {
    context: &'a Context,
    step: &'a str,
}

impl Notices for Told<'_> {
    fn waiting(&self, text: String) -> BoxFuture<'_, ()> {
        Box::pin(self.context.progress(self.step, text))
    }

    fn in_doubt(&self, failure: Failure) -> BoxFuture<'_, ()> {
        let id = &self.context.id;
        tracing::error!(release = %id.label(), what = failure.what, cause = failure.cause, "the release is in doubt");
        Box::pin(self.context.emit(EventKind::InDoubt { release: id.release, failure }))
    }
}
