//! Tags and what carries them.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{
        Site,
        ask::{Answer, Ask, answer, no_content},
        error::ApiError,
        show,
    },
    domain::tags::{self, Resource, Tagging},
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v2/tags", get(list).post(create))
        .route("/v2/tags/{tag_id}", get(show_one).delete(delete))
        .route("/v2/tags/{tag_id}/resources", post(tag_resources).delete(untag_resources))
}

#[derive(Deserialize)]
struct TagRequest {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct ResourcesRequest {
    resources: Option<Vec<Resource>>,
}

async fn list(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let state = site.account.state();
    let tags: Vec<Value> = state.tags.values().map(|tag| show::tag(&state, tag, ask.origin())).collect();
    Ok(ask.page("tags", &tags))
}

async fn create(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let request: TagRequest = ask.body()?;
    let tag = site.account.change(move |state, _env| tags::ensure(state, &request.name)).await?;
    Ok(answer(StatusCode::CREATED, json!({"tag": show::tag(&site.account.state(), &tag, ask.origin())})))
}

async fn show_one(State(site): State<Arc<Site>>, Path(name): Path<String>, ask: Ask) -> Answer {
    let state = site.account.state();
    let tag = show::tag(&state, tags::find(&state, &name)?, ask.origin());
    Ok(answer(StatusCode::OK, json!({"tag": tag})))
}

async fn delete(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Answer {
    site.account.change(move |state, _env| tags::delete(state, &name)).await?;
    Ok(no_content())
}

async fn tag_resources(State(site): State<Arc<Site>>, Path(name): Path<String>, ask: Ask) -> Answer {
    apply(&site, name, &ask, Tagging::Tag).await
}

async fn untag_resources(State(site): State<Arc<Site>>, Path(name): Path<String>, ask: Ask) -> Answer {
    apply(&site, name, &ask, Tagging::Untag).await
}

async fn apply(site: &Site, name: String, ask: &Ask, tagging: Tagging) -> Answer {
    let request: ResourcesRequest = ask.body()?;
    let resources = request
        .resources
        .ok_or_else(|| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "resources can't be blank"))?;
    site.account.change(move |state, _env| tags::apply(state, &name, &resources, tagging)).await?;
    Ok(no_content())
}
