//! Cloud firewalls, their droplets, tags and rules.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    account::state::Firewall,
    api::{
        Site,
        ask::{Answer, Ask, answer, no_content},
        error::ApiError,
        show,
    },
    domain::{
        Refusal, droplets,
        firewalls::{self, Edit, FirewallRequest, rules::RulesRequest},
    },
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/v2/firewalls", get(list).post(create))
        .route("/v2/firewalls/{firewall_id}", get(show_one).put(replace).delete(delete))
        .route("/v2/firewalls/{firewall_id}/droplets", post(add_droplets).delete(remove_droplets))
        .route("/v2/firewalls/{firewall_id}/tags", post(add_tags).delete(remove_tags))
        .route("/v2/firewalls/{firewall_id}/rules", post(add_rules).delete(remove_rules))
        .route("/v2/droplets/{droplet_id}/firewalls", get(of_droplet))
}

#[derive(Deserialize)]
struct DropletsRequest {
    droplet_ids: Option<Vec<u64>>,
}

#[derive(Deserialize)]
struct TagsRequest {
    tags: Option<Vec<String>>,
}

impl Site {
    /// A firewall as the answer, as it is now: its pending changes are noted only when the change is made.
    fn firewall(&self, status: StatusCode, id: &str) -> Result<Response, ApiError> {
        let state = self.account.state();
        let shown = show::firewall(&state, firewalls::find(&state, id)?, self.account.now());
        Ok(answer(status, json!({"firewall": shown})))
    }

    fn firewalls(&self, ask: &Ask, wanted: impl Fn(&Firewall) -> bool) -> Response {
        let (state, now) = (self.account.state(), self.account.now());
        let mut list: Vec<&Firewall> = state.firewalls.values().filter(|firewall| wanted(firewall)).collect();
        list.sort_by_key(|firewall| (firewall.created_at, &firewall.name));
        let list: Vec<Value> =
            list.into_iter().map(|firewall| show::firewall(&state, firewall, now)).collect();
        ask.page("firewalls", &list)
    }
}

async fn list(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    Ok(site.firewalls(&ask, |_| true))
}

async fn of_droplet(State(site): State<Arc<Site>>, Path(droplet): Path<String>, ask: Ask) -> Answer {
    let state = site.account.state();
    let id = droplet.parse().map_err(|_| Refusal::NotFound)?;
    droplets::find(&state, id, site.account.now())?;
    Ok(site.firewalls(&ask, |firewall| firewalls::members(&state, firewall).contains(&id)))
}

async fn create(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let request: FirewallRequest = ask.body()?;
    let made = site.account.change(move |state, env| firewalls::create(state, env, request)).await?;
    site.firewall(StatusCode::ACCEPTED, &made.id)
}

async fn show_one(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Answer {
    site.firewall(StatusCode::OK, &id)
}

async fn replace(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    let request: FirewallRequest = ask.body()?;
    let made = site.account.change(move |state, env| firewalls::replace(state, env, &id, request)).await?;
    site.firewall(StatusCode::OK, &made.id)
}

async fn delete(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Answer {
    site.account.change(move |state, _env| firewalls::delete(state, &id)).await?;
    Ok(no_content())
}

async fn add_droplets(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    edit_droplets(&site, id, &ask, Edit::Add).await
}

async fn remove_droplets(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    edit_droplets(&site, id, &ask, Edit::Remove).await
}

async fn edit_droplets(site: &Site, id: String, ask: &Ask, edit: Edit) -> Answer {
    let ids = given(ask.body::<DropletsRequest>()?.droplet_ids, "droplet_ids")?;
    site.account.change(move |state, _env| firewalls::edit_droplets(state, &id, ids, edit)).await?;
    Ok(no_content())
}

async fn add_tags(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    edit_tags(&site, id, &ask, Edit::Add).await
}

async fn remove_tags(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    edit_tags(&site, id, &ask, Edit::Remove).await
}

async fn edit_tags(site: &Site, id: String, ask: &Ask, edit: Edit) -> Answer {
    let names = given(ask.body::<TagsRequest>()?.tags, "tags")?;
    site.account.change(move |state, _env| firewalls::edit_tags(state, &id, names, edit)).await?;
    Ok(no_content())
}

async fn add_rules(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    edit_rules(&site, id, &ask, Edit::Add).await
}

async fn remove_rules(State(site): State<Arc<Site>>, Path(id): Path<String>, ask: Ask) -> Answer {
    edit_rules(&site, id, &ask, Edit::Remove).await
}

async fn edit_rules(site: &Site, id: String, ask: &Ask, edit: Edit) -> Answer {
    let request: RulesRequest = ask.body()?;
    site.account.change(move |state, env| firewalls::edit_rules(state, env, &id, request, edit)).await?;
    Ok(no_content())
}

fn given<T>(value: Option<T>, name: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{name} can't be blank")))
}
