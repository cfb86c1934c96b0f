//! The HTTP API: DigitalOcean's paths below `/v2`, the sandbox's own below `/sandbox`. Holds no rules: it reads requests,
//! asks the account, and shows the answer.

use std::{io, sync::Arc};

use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::account::Account;

/// The API over an account. [`serve`] is the better way to run it: only there can faults cut connections.
pub fn router(account: Arc<Account>) -> Router {
    Router::new()
        .route("/v2/account", get(account_get))
        .with_state(account)
}

/// Serves the API on a listener until `stop` is done.
///
/// # Errors
/// When the listener does not lie on a loopback address, or fails.
pub async fn serve(
    account: Arc<Account>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    if !listener.local_addr()?.ip().is_loopback() {
        return Err(io::Error::other("the sandbox serves on loopback addresses only"));
    }
    axum::serve(listener, router(account))
        .with_graceful_shutdown(stop)
        .await
}

async fn account_get(State(account): State<Arc<Account>>) -> Json<Value> {
    let state = account.state();
    Json(json!({"account": {"uuid": state.owner.uuid, "email": state.owner.email}}))
}
