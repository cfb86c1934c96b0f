//! Actions: begun on droplets, and shown wherever they are asked for.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::{get, post},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::droplets::id;
use crate::{
    account::state::{Action, State as AccountState},
    api::{
        Site,
        ask::{Answer, Ask, answer},
        error::ApiError,
        show,
    },
    domain::{
        droplets,
        power::{self, ActionRequest},
    },
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v2/actions", get(list))
        .route("/v2/actions/{action_id}", get(show_one))
        .route("/v2/droplets/actions", post(act_tagged))
        .route("/v2/droplets/{droplet_id}/actions", get(of_droplet).post(act))
        .route("/v2/droplets/{droplet_id}/actions/{action_id}", get(one_of_droplet))
}

async fn list(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    Ok(ask.page("actions", &newest_first(&site.account.state(), |_| true)))
}

async fn show_one(State(site): State<Arc<Site>>, Path(action): Path<String>) -> Answer {
    let state = site.account.state();
    let action = state.actions.get(&id(&action)?).ok_or_else(ApiError::not_found)?;
    Ok(answer(StatusCode::OK, json!({"action": show::action(action)})))
}

async fn of_droplet(State(site): State<Arc<Site>>, Path(droplet): Path<String>, ask: Ask) -> Answer {
    let (state, id) = (site.account.state(), id(&droplet)?);
    droplets::find(&state, id, site.account.now())?;
    Ok(ask.page("actions", &newest_first(&state, |action| action.droplet_id == id)))
}

async fn one_of_droplet(
    State(site): State<Arc<Site>>,
    Path((droplet, action)): Path<(String, String)>,
) -> Answer {
    let (state, droplet) = (site.account.state(), id(&droplet)?);
    let action = state.actions.get(&id(&action)?).filter(|action| action.droplet_id == droplet);
    Ok(answer(StatusCode::OK, json!({"action": show::action(action.ok_or_else(ApiError::not_found)?)})))
}

async fn act(State(site): State<Arc<Site>>, Path(droplet): Path<String>, ask: Ask) -> Answer {
    let (request, id, fate) = (ask.body::<ActionRequest>()?, id(&droplet)?, ask.mishap().fate);
    let action = site.account.change(move |state, env| power::act(state, env, id, &request, fate)).await?;
    Ok(answer(StatusCode::CREATED, json!({"action": show::action(&action)})))
}

async fn act_tagged(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let Some(tag) = ask.query("tag_name").map(str::to_owned) else {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "tag_name can't be blank"));
    };
    let (request, fate) = (ask.body::<ActionRequest>()?, ask.mishap().fate);
    let change = site.account.change(move |state, env| power::act_tagged(state, env, &tag, &request, fate));
    let begun: Vec<Value> = change.await?.iter().map(show::action).collect();
    Ok(answer(StatusCode::CREATED, json!({"actions": begun})))
}

fn newest_first(state: &AccountState, wanted: impl Fn(&Action) -> bool) -> Vec<Value> {
    state.actions.values().rev().filter(|action| wanted(action)).map(show::action).collect()
}
