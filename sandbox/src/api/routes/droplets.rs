//! Droplets: made, listed, shown, deleted.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    account::state::Droplet,
    api::{
        Site,
        ask::{Answer, Ask, answer, no_content},
        error::ApiError,
        show,
    },
    domain::{
        Refusal,
        droplets::{self, CreateRequest},
        tags,
    },
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v2/droplets", get(list).post(create).delete(delete_tagged))
        .route("/v2/droplets/{droplet_id}", get(show_one).delete(delete))
        .route("/v2/droplets/{droplet_id}/neighbors", get(neighbors))
        .route("/v2/droplets/{droplet_id}/kernels", get(kernels))
        .route("/v2/droplets/{droplet_id}/snapshots", get(snapshots))
        .route("/v2/droplets/{droplet_id}/backups", get(backups))
}

/// The id in a path; what is no number is not found.
pub(super) fn id(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| Refusal::NotFound.into())
}

async fn list(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let (state, now) = (site.account.state(), site.account.now());
    let (tag, name) = (ask.query("tag_name").map(tags::fold), ask.query("name"));
    if tag.is_some() && name.is_some() {
        let text = "tag_name and name can not be used together";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, text));
    }
    let wanted = |droplet: &&Droplet| {
        tag.as_ref().is_none_or(|tag| droplet.tags.iter().any(|carried| tags::fold(carried) == *tag))
            && name.is_none_or(|name| droplet.name.eq_ignore_ascii_case(name))
            // There are no GPU droplets, and the list of them is empty.
            && ask.query("type") != Some("gpus")
    };
    let droplets: Vec<Value> = droplets::listed(&state, now)
        .filter(wanted)
        .map(|droplet| show::droplet(&state, droplet, now))
        .collect();
    Ok(ask.page("droplets", &droplets))
}

async fn create(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let request: CreateRequest = ask.body()?;
    ask.needs(&scopes_for(&request))?;
    let (mishap, is_batch) = (ask.mishap(), request.names.is_some());
    let made = site.account.change(move |state, env| droplets::create(state, env, request, mishap)).await?;
    let (state, now) = (site.account.state(), site.account.now());
    let links: Vec<Value> = made.iter().map(|(_, action)| show::action_link(action, ask.origin())).collect();
    let mut shown: Vec<Value> = made.iter().map(|(droplet, _)| show::droplet(&state, droplet, now)).collect();
    for droplet in &mut shown {
        // Whatever becomes of it, and however fast: at this moment it is being made.
        if let Some(locked) = droplet.get_mut("locked") {
            *locked = Value::Bool(true);
        }
    }
    let links = json!({"actions": links});
    let body = match (is_batch, shown.pop()) {
        (false, Some(droplet)) => json!({"droplet": droplet, "links": links}),
        (_, last) => {
            shown.extend(last);
            json!({"droplets": shown, "links": links})
        }
    };
    Ok(answer(StatusCode::ACCEPTED, body))
}

/// Naming something in the request takes the scope for it too.
fn scopes_for(request: &CreateRequest) -> Vec<&'static str> {
    let mut scopes = Vec::new();
    if request.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        scopes.push("tag:create");
    }
    if request.ssh_keys.as_ref().is_some_and(|keys| !keys.is_empty()) {
        scopes.push("ssh_key:read");
    }
    if request.vpc_uuid.is_some() {
        scopes.push("vpc:read");
    }
    if request.image.is_some() {
        scopes.push("image:read");
    }
    scopes
}

async fn show_one(State(site): State<Arc<Site>>, Path(droplet): Path<String>) -> Answer {
    let (state, now) = (site.account.state(), site.account.now());
    let droplet = show::droplet(&state, droplets::find(&state, id(&droplet)?, now)?, now);
    Ok(answer(StatusCode::OK, json!({"droplet": droplet})))
}

async fn delete(State(site): State<Arc<Site>>, Path(droplet): Path<String>) -> Answer {
    let id = id(&droplet)?;
    site.account.change(move |state, env| droplets::delete(state, env, id)).await?;
    Ok(no_content())
}

/// Without a tag nothing is deleted.
async fn delete_tagged(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    ask.needs(&["tag:read"])?;
    let Some(tag) = ask.query("tag_name").map(str::to_owned) else {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "tag_name can't be blank"));
    };
    site.account.change(move |state, env| droplets::delete_tagged(state, env, &tag)).await?;
    Ok(no_content())
}

/// Every droplet has its host to itself.
async fn neighbors(State(site): State<Arc<Site>>, Path(droplet): Path<String>) -> Answer {
    known(&site, &droplet)?;
    Ok(answer(StatusCode::OK, json!({"droplets": []})))
}

/// Droplets boot the kernels in their images.
async fn kernels(State(site): State<Arc<Site>>, Path(droplet): Path<String>, ask: Ask) -> Answer {
    known(&site, &droplet)?;
    Ok(ask.page("kernels", &[]))
}

async fn snapshots(State(site): State<Arc<Site>>, Path(droplet): Path<String>, ask: Ask) -> Answer {
    known(&site, &droplet)?;
    Ok(ask.page("snapshots", &[]))
}

async fn backups(State(site): State<Arc<Site>>, Path(droplet): Path<String>, ask: Ask) -> Answer {
    known(&site, &droplet)?;
    Ok(ask.page("backups", &[]))
}

fn known(site: &Site, droplet: &str) -> Result<(), ApiError> {
    droplets::find(&site.account.state(), id(droplet)?, site.account.now())?;
    Ok(())
}
