//! The account itself and its balance.

use std::sync::Arc;

use axum::{Router, extract::State, routing::get};
use http::StatusCode;
use serde_json::json;

use crate::{
    api::{
        Site,
        ask::{Answer, answer},
        show,
    },
    catalog,
    domain::droplets,
};

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/v2/account", get(account)).route("/v2/customers/my/balance", get(balance))
}

async fn account(State(site): State<Arc<Site>>) -> Answer {
    let state = site.account.state();
    let account = json!({
        "droplet_limit": state.settings.droplet_limit,
        "floating_ip_limit": 5,
        "reserved_ip_limit": 5,
        "volume_limit": 100,
        "email": state.owner.email,
        "name": "Sandbox",
        "uuid": state.owner.uuid,
        "email_verified": true,
        "status": "active",
        "status_message": "",
        "team": {"uuid": state.owner.team_uuid, "name": "Sandbox"},
    });
    Ok(answer(StatusCode::OK, json!({"account": account})))
}

/// What the droplets of now cost by the hour since they were made; what is gone is not counted.
async fn balance(State(site): State<Arc<Site>>) -> Answer {
    let (state, now) = (site.account.state(), site.account.now());
    let usage: f64 = droplets::alive(&state)
        .filter_map(|droplet| {
            let hours = now.duration_since(droplet.created_at).as_secs_f64() / 3600.0;
            catalog::size_by_slug(&droplet.size).map(|size| size.price_hourly * hours.ceil().max(0.0))
        })
        .sum();
    let balance = json!({
        "month_to_date_balance": format!("{usage:.2}"),
        "account_balance": "0.00",
        "month_to_date_usage": format!("{usage:.2}"),
        "generated_at": show::time(now),
    });
    Ok(answer(StatusCode::OK, balance))
}
