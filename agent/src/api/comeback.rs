//! `AfterBoot`: what came back after the droplet's last start, of those apps that the caller has.
//!
//! Owns the conversion. Must not judge.

use tidegate_proto::v1::{self, AfterBootRequest, AfterBootResponse};
use tonic::Status;

use super::{Context, caller::Caller, convert, errors};
use crate::{
    comeback::{AppBack, AppStands, By, ContainerBack, Stands},
    release::EngineError,
};

const RPC: &str = "/tidegate.v1.Agent/AfterBoot";

pub(super) async fn after_boot(
    context: &Context,
    caller: &Caller,
    request: &AfterBootRequest,
) -> Result<AfterBootResponse, Status> {
    if !request.app.is_empty() {
        context.may(caller, RPC, &request.app)?;
    }
    let told = context.comeback.after_boot().await.map_err(|error| errors::comeback(&error))?;
    let is_wanted = |back: &AppBack| {
        let app = back.app.as_str();
        (request.app.is_empty() || request.app == app) && context.may(caller, RPC, app).is_ok()
    };
    let apps: Vec<v1::AppBack> = told.apps.into_iter().filter(is_wanted).map(app).collect();
    if apps.is_empty() && !request.app.is_empty() {
        let app =
            crate::apps::AppName::new(&request.app).map_err(|error| errors::bad_field("app", &error))?;
        let releases = context.engine.releases(&app).await.map_err(|error| errors::engine(&error))?;
        if releases.is_empty() {
            return Err(errors::engine(&EngineError::NoApp(app)));
        }
    }
    Ok(AfterBootResponse {
        boot_id: told.boot.id.to_string(),
        booted_at: Some(convert::timestamp(told.boot.at)),
        agent_at: told.agent_at.map(convert::timestamp),
        apps,
    })
}

fn app(back: AppBack) -> v1::AppBack {
    let state = match back.stands() {
        AppStands::Back => v1::BackState::Back,
        AppStands::Coming => v1::BackState::Coming,
        AppStands::NotBack => v1::BackState::NotBack,
        AppStands::Stopped => v1::BackState::Stopped,
    };
    v1::AppBack {
        state: state.into(),
        back_at: back.back_since().map(convert::timestamp),
        app: back.app.to_string(),
        release: back.release.get(),
        why: back.trouble,
        containers: back.containers.into_iter().map(container).collect(),
    }
}

fn container(back: ContainerBack) -> v1::ContainerBack {
    let state = match back.stands {
        Stands::Coming => v1::BackState::Coming,
        Stands::Back => v1::BackState::Back,
        Stands::Ended => v1::BackState::Ended,
        Stands::Stopped => v1::BackState::Stopped,
        Stands::NotBack => v1::BackState::NotBack,
    };
    let by = match back.by {
        By::Docker => v1::BroughtBy::Docker,
        By::Started => v1::BroughtBy::AgentStarted,
        By::MadeAgain => v1::BroughtBy::AgentMade,
    };
    v1::ContainerBack {
        service: back.service.to_string(),
        container: back.name,
        state: state.into(),
        by: by.into(),
        why: back.why,
        running_since: back.running_since.map(convert::timestamp),
        well_since: back.well_since.map(convert::timestamp),
    }
}
