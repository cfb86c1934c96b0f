//! The sandbox's own paths, for tests and for the program that runs it; they take a full token.
//!
//! - `GET|PUT|PATCH /sandbox/settings`: lags and limits ([`Settings`]); what a PUT leaves out takes its default, what a PATCH
//!   leaves out stays.
//! - `GET|POST|DELETE /sandbox/faults`, `DELETE /sandbox/faults/{id}`: faults on demand ([`Rule`]).
//! - `GET|DELETE /sandbox/requests?after=&limit=`: the last requests below `/v2`.
//! - `POST /sandbox/tokens` with a `grant`: one more token; the answer is the only place that shows it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    routing::{delete, get, post},
};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::droplets::id;
use crate::{
    account::{settings::Settings, tokens::Grant},
    api::{
        Site,
        ask::{Answer, Ask, answer, no_content},
        error::ApiError,
        faults::Rule,
        lock,
    },
    domain::Refusal,
};

const REQUESTS: usize = 500;

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/sandbox/settings", get(settings).put(replace_settings).patch(amend_settings))
        .route("/sandbox/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/sandbox/faults/{fault}", delete(remove_fault))
        .route("/sandbox/requests", get(requests).delete(clear_requests))
        .route("/sandbox/tokens", post(add_token))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    grant: Grant,
}

async fn settings(State(site): State<Arc<Site>>) -> Answer {
    Ok(answer(StatusCode::OK, json!(site.account.state().settings)))
}

async fn replace_settings(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let settings: Settings = ask.body()?;
    let shown = json!(settings);
    let change = site.account.change(move |state, _env| {
        state.settings = settings;
        Ok(())
    });
    change.await?;
    Ok(answer(StatusCode::OK, shown))
}

async fn amend_settings(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let amendment: Value = ask.body()?;
    let change = site.account.change(move |state, _env| {
        let mut settings = json!(state.settings);
        merge(&mut settings, amendment);
        state.settings = serde_json::from_value(settings)
            .map_err(|error| Refusal::Unprocessable(format!("The request is invalid: {error}")))?;
        Ok(json!(state.settings))
    });
    Ok(answer(StatusCode::OK, change.await?))
}

/// Puts the values of one object into another, objects inside included.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

async fn faults(State(site): State<Arc<Site>>) -> Answer {
    Ok(answer(StatusCode::OK, json!({"faults": lock(&site.faults).list()})))
}

async fn add_fault(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let rule: Rule = ask.body()?;
    let id = lock(&site.faults).add(rule);
    Ok(answer(StatusCode::CREATED, json!({"id": id})))
}

async fn clear_faults(State(site): State<Arc<Site>>) -> Answer {
    lock(&site.faults).remove(None);
    Ok(no_content())
}

async fn remove_fault(State(site): State<Arc<Site>>, Path(fault): Path<String>) -> Answer {
    let id = id(&fault)?;
    if lock(&site.faults).remove(Some(id)) == 0 {
        return Err(ApiError::not_found());
    }
    Ok(no_content())
}

async fn requests(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let number = |name: &str| ask.query(name).and_then(|text| text.parse::<u64>().ok());
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(REQUESTS);
    let journal = lock(&site.journal);
    Ok(answer(StatusCode::OK, json!({"requests": journal.list(number("after").unwrap_or(0), limit)})))
}

async fn clear_requests(State(site): State<Arc<Site>>) -> Answer {
    lock(&site.journal).clear();
    Ok(no_content())
}

async fn add_token(State(site): State<Arc<Site>>, ask: Ask) -> Answer {
    let request: TokenRequest = ask.body()?;
    let account = Arc::clone(&site.account);
    let made = tokio::task::spawn_blocking(move || account.add_token(request.grant))
        .await
        .map_err(|join| Refusal::Storage(std::io::Error::other(join).into()))?;
    let token = made.map_err(Refusal::Storage)?;
    Ok(answer(StatusCode::CREATED, json!({"token": token.secret.expose_secret(), "grant": token.grant})))
}
