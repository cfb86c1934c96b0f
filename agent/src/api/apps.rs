//! `StopApp`, `StartApp` and `FollowApp`: what an app's unit asks for, and people who stop an app without it.
//!
//! Owns the conversion and the audit entries, and that nothing is stopped while the droplet goes down. Must not know how an app
//! is stopped.

use futures::StreamExt as _;
use tidegate_proto::v1::{
    self, AppStanding, BroughtBack, FollowAppRequest, StartAppRequest, StartAppResponse, StopAppRequest,
    StopAppResponse,
};
use tonic::Status;

use super::{Context, caller::Caller, deed, errors, stream::Answers};
use crate::{
    app_units::{self, Stands},
    apps::AppName,
    audit::Deed,
    release::{Brought, EngineError, How, chain},
};

pub(super) async fn stop(
    context: &Context,
    caller: &Caller,
    request: StopAppRequest,
) -> Result<StopAppResponse, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    if request.unit {
        // Whoever cannot know that the droplet stays up stops nothing: the app is to come back with it.
        if context.systemd.is_going_down().await.map_err(|error| errors::systemd(&error))? {
            return Ok(StopAppResponse { stopped: Vec::new(), going_down: true });
        }
        let serving = context.engine.serving_releases().await.map_err(|error| errors::engine(&error))?;
        if serving.iter().all(|row| row.app != app) {
            return Ok(StopAppResponse::default());
        }
    }
    let deed = Deed::new(caller.actor(), "stop-app", app.to_string());
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let (engine, units, actor) = (context.engine.clone(), context.app_units.clone(), caller.actor());
    let work = async move {
        let stopped = engine.stop_app(&app, &actor).await.map_err(|error| errors::engine(&error))?;
        if let Err(error) = units.disable(&app).await {
            // It is stopped, and the unit is seen to again.
            tracing::warn!(%app, error = chain(&error), "the unit of a stopped app is still enabled");
        }
        Ok(stopped)
    };
    let stopped = deed::done(begun, work).await?;
    Ok(StopAppResponse { stopped, going_down: false })
}

pub(super) async fn start(
    context: &Context,
    caller: &Caller,
    request: StartAppRequest,
) -> Result<StartAppResponse, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let stopped = context.engine.stopped(&app).await.map_err(|error| errors::engine(&error))?;
    if stopped.is_none() {
        let serving = context.engine.serving_releases().await.map_err(|error| errors::engine(&error))?;
        let is_there = serving.iter().any(|row| row.app == app);
        let none = StartAppResponse::default();
        return if is_there { Ok(none) } else { Err(errors::engine(&EngineError::NoApp(app))) };
    }
    let deed = Deed::new(caller.actor(), "start-app", app.to_string());
    let begun = context.audit.begin(deed).await.map_err(|error| errors::audit(&error))?;
    let (engine, actor) = (context.engine.clone(), caller.actor());
    let work = async move { engine.start_app(&app, &actor).await.map_err(|error| errors::engine(&error)) };
    let containers = deed::done(begun, work).await?.into_iter().map(brought_back).collect();
    Ok(StartAppResponse { containers })
}

pub(super) fn follow(context: &Context, request: FollowAppRequest) -> Result<Answers<AppStanding>, Status> {
    let app = AppName::new(request.app).map_err(|error| errors::bad_field("app", &error))?;
    let told = app_units::follow(context.engine.clone(), app).map(|told| Ok(message(told)));
    Ok(Box::pin(told.take_until(context.stop.clone().cancelled_owned())))
}

fn brought_back(brought: Brought) -> BroughtBack {
    BroughtBack {
        container: brought.container,
        made: brought.how == How::MadeAgain,
        failure: brought.failure.map(|failure| failure.cause).unwrap_or_default(),
    }
}

fn message(told: app_units::Standing) -> AppStanding {
    let state = match told.stands {
        Stands::Serves => v1::AppState::Serves,
        Stands::Coming => v1::AppState::Coming,
        Stands::Fails => v1::AppState::Fails,
        Stands::Stopped => v1::AppState::Stopped,
        Stands::Changing => v1::AppState::Changing,
        Stands::Absent => v1::AppState::Absent,
    };
    AppStanding { state: state.into(), line: told.line }
}
