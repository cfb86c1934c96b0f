//! Releases on many droplets: what a request says about them, `ReleaseOutcome` and `ResolveRelease`.
//!
//! Owns the conversion and the audit entry. Must not decide anything.

use std::time::Duration;

use tidegate_proto::{
    names::DropletId,
    v1::{
        self, ReleaseOutcomeRequest, ReleaseOutcomeResponse, ResolveReleaseRequest, ResolveReleaseResponse,
    },
};
use tonic::Status;

use super::{Context, caller::Caller, errors};
use crate::{
    apps::{AppName, ReleaseNumber},
    audit::{Deed, Outcome},
    release::together::{Decision, Participant, Resolution, RolloutId, Together, TogetherError, Vote},
};

/// With whom a release is made; none when it is this droplet's alone.
pub(super) async fn asked(
    context: &Context,
    request: Option<v1::Together>,
) -> Result<Option<Together>, Status> {
    let Some(request) = request else { return Ok(None) };
    let own = context.trust.status().await.map_err(|error| errors::change(&error))?;
    let own = own.ok_or_else(errors::not_enrolled)?.record.droplet_id;
    let refused = |error: TogetherError| errors::bad_field("together", &error);
    let rollout = RolloutId::new(request.rollout).map_err(refused)?;
    let participants = request.participants.iter().map(participant).collect::<Result<Vec<_>, Status>>()?;
    let lease = request.lease.and_then(|lease| Duration::try_from(lease).ok()).unwrap_or_default();
    Together::new(rollout, participants, lease, own).map(Some).map_err(refused)
}

fn participant(participant: &v1::Participant) -> Result<Participant, Status> {
    let droplet = DropletId::new(participant.droplet_id);
    Ok(Participant {
        droplet: droplet.map_err(|error| errors::bad_field("together.participants", &error))?,
        address: participant
            .address
            .parse()
            .map_err(|error: std::net::AddrParseError| errors::bad_field("together.participants", &error))?,
        // It is shown to people, so it is bounded as everything from outside.
        name: participant.name.chars().filter(|c| !c.is_control()).take(64).collect(),
    })
}

pub(super) async fn outcome(
    context: &Context,
    request: ReleaseOutcomeRequest,
) -> Result<ReleaseOutcomeResponse, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let rollout = RolloutId::new(request.rollout).map_err(|error| errors::bad_field("rollout", &error))?;
    let found = context.engine.outcome(&app, &rollout).await;
    let (outcome, release) = found.map_err(|error| errors::engine(&error))?;
    let vote = match outcome.vote {
        Vote::Unknown => v1::ReleaseVote::Unknown,
        Vote::Preparing => v1::ReleaseVote::Preparing,
        Vote::Ready => v1::ReleaseVote::Ready,
        Vote::Serving => v1::ReleaseVote::Serving,
        Vote::Failed => v1::ReleaseVote::Failed,
    };
    let decision = match outcome.decision {
        Decision::None => v1::ReleaseDecision::None,
        Decision::Activate => v1::ReleaseDecision::Activate,
        Decision::Finish => v1::ReleaseDecision::Finish,
        Decision::Undo => v1::ReleaseDecision::Undo,
    };
    Ok(ReleaseOutcomeResponse {
        vote: vote.into(),
        decision: decision.into(),
        release: release.map_or(0, ReleaseNumber::get),
        migrated: outcome.migrated,
    })
}

pub(super) async fn resolve(
    context: &Context,
    caller: &Caller,
    request: ResolveReleaseRequest,
) -> Result<ResolveReleaseResponse, Status> {
    let actor = caller.actor();
    let (resolution, word) = match request.resolution() {
        v1::Resolution::Keep => (Resolution::Keep { actor: actor.clone() }, "keep"),
        v1::Resolution::Undo => (Resolution::Undo { actor: actor.clone() }, "undo"),
        v1::Resolution::Unspecified => return Err(errors::no_resolution()),
    };
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let deed = Deed::new(actor, "resolve-release", app.to_string()).with("resolution", &word);
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    match context.engine.resolve(&app, &resolution) {
        Ok(release) => {
            begun.with("release", &release).end(Outcome::Succeeded).await;
            Ok(ResolveReleaseResponse { release: release.get() })
        }
        Err(error) => {
            let status = errors::engine(&error);
            begun.end(Outcome::Failed(errors::reason(&status))).await;
            Err(status)
        }
    }
}
