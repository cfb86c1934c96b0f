//! Virtual networks and their members.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    account::state::Vpc,
    api::{
        Site,
        ask::{Answer, Ask, answer, no_content},
        show,
    },
    domain::vpcs::{self, Update, VpcRequest},
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v2/vpcs", get(list).post(create))
        .route("/v2/vpcs/{vpc_id}", get(show_one).put(replace).patch(amend).delete(delete))
        .route("/v2/vpcs/{vpc_id}/members", get(members))
}

fn one(status: StatusCode, vpc: &Vpc) -> Response {
    answer(status, json!({"vpc": show::vpc(vpc)}))
}

async fn list(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let state = site.account.state();
    let mut vpcs: Vec<&Vpc> = state.vpcs.values().collect();
    vpcs.sort_by_key(|vpc| (vpc.created_at, &vpc.region, &vpc.name));
    let vpcs: Vec<Value> = vpcs.into_iter().map(show::vpc).collect();
    Ok(ask.page("vpcs", &vpcs))
}

async fn create(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let request: VpcRequest = ask.body()?;
    let vpc = site.account.change(move |state, env| vpcs::create(state, env, request)).await?;
    Ok(one(StatusCode::CREATED, &vpc))
}

async fn show_one(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Answer {
    Ok(one(StatusCode::OK, vpcs::find(&site.account.state(), &id)?))
}

async fn replace(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    update(&site, id, &ask, Update::Replace).await
}

async fn amend(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    update(&site, id, &ask, Update::Amend).await
}

async fn update(site: &Site, id: String, ask: &Ask, how: Update) -> Answer {
    let request: VpcRequest = ask.body()?;
    let vpc = site.account.change(move |state, _env| vpcs::update(state, &id, request, how)).await?;
    Ok(one(StatusCode::OK, &vpc))
}

async fn delete(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Answer {
    site.account.change(move |state, env| vpcs::delete(state, &id, env.now)).await?;
    Ok(no_content())
}

/// Members of a kind that the caller may not read are left out, not refused.
async fn members(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    let state = site.account.state();
    vpcs::find(&state, &id)?;
    let wanted = ask.may("droplet:read") && ask.query("resource_type").is_none_or(|kind| kind == "droplet");
    let members: Vec<Value> =
        vpcs::members(&state, &id, site.account.now()).filter(|_| wanted).map(show::vpc_member).collect();
    Ok(ask.page("members", &members))
}
