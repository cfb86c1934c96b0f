//! `Health`: how the droplet is, and those of its apps that the caller has.
//!
//! Owns the conversion. Must not judge.

use tidegate_proto::v1::{self, HealthRequest, HealthResponse};
use tonic::Status;

use super::{Context, caller::Caller, convert, errors};
use crate::{
    health::{Check, Report},
    release::EngineError,
};

const RPC: &str = "/tidegate.v1.Agent/Health";

pub(super) async fn health(
    context: &Context,
    caller: &Caller,
    request: &HealthRequest,
) -> Result<HealthResponse, Status> {
    if !request.app.is_empty() {
        let app = context.may(caller, RPC, &request.app)?;
        let releases = context.engine.releases(&app).await.map_err(|error| errors::engine(&error))?;
        if releases.is_empty() {
            return Err(errors::engine(&EngineError::NoApp(app)));
        }
    }
    let Report { at, checks } = context.health.look().await;
    let is_wanted = |check: &Check| match check.id.whose() {
        None => request.app.is_empty(),
        Some(app) => {
            (request.app.is_empty() || request.app == app.as_str())
                && context.may(caller, RPC, app.as_str()).is_ok()
        }
    };
    let checks = checks.into_iter().filter(is_wanted).map(message).collect();
    Ok(HealthResponse { at: Some(convert::timestamp(at)), checks })
}

fn message(check: Check) -> v1::HealthCheck {
    v1::HealthCheck {
        app: check.id.whose().map(ToString::to_string).unwrap_or_default(),
        id: check.id.to_string(),
        state: convert::health_state(check.level).into(),
        since: Some(convert::timestamp(check.since)),
        what: check.what,
        why: check.why,
        hint: check.hint,
    }
}
