//! Public ssh keys.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{
        Site,
        ask::{Answer, Ask, answer, no_content},
        show,
    },
    domain::keys,
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v2/account/keys", get(list).post(create))
        .route("/v2/account/keys/{ssh_key_identifier}", get(show_one).put(rename).delete(delete))
}

#[derive(Deserialize)]
struct KeyRequest {
    #[serde(default)]
    name: String,
    #[serde(default)]
    public_key: String,
}

async fn list(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let keys: Vec<Value> = site.account.state().keys.values().map(show::key).collect();
    Ok(ask.page("ssh_keys", &keys))
}

async fn create(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let request: KeyRequest = ask.body()?;
    let change =
        site.account.change(move |state, _env| keys::create(state, &request.name, &request.public_key));
    Ok(answer(StatusCode::CREATED, json!({"ssh_key": show::key(&change.await?)})))
}

async fn show_one(State(site): State<Arc<Site>>, Path(key): Path<String>) -> Answer {
    let state = site.account.state();
    Ok(answer(StatusCode::OK, json!({"ssh_key": show::key(keys::find(&state, &key)?)})))
}

async fn rename(State(site): State<Arc<Site>>, Path(key): Path<String>, ask: Ask) -> Answer {
    let request: KeyRequest = ask.body()?;
    let change = site.account.change(move |state, _env| keys::rename(state, &key, &request.name));
    Ok(answer(StatusCode::OK, json!({"ssh_key": show::key(&change.await?)})))
}

async fn delete(State(site): State<Arc<Site>>, Path(key): Path<String>) -> Answer {
    site.account.change(move |state, _env| keys::delete(state, &key)).await?;
    Ok(no_content())
}
