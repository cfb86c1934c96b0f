//! The routes, one module per resource. Each asks the account once and shows the answer; scopes
//! are checked before, by [`table`].

mod account;
mod catalog;
mod control;
mod droplet_actions;
mod droplets;
mod firewalls;
mod keys;
mod table;
mod tags;
mod vpcs;

use std::sync::Arc;

use axum::Router;

use super::{Site, error::ApiError};

pub use self::table::{OPERATIONS, Operation};

/// Every route; an unknown path or method is not found.
pub(super) fn all(site: Arc<Site>) -> Router {
    Router::new()
        .merge(account::routes())
        .merge(catalog::routes())
        .merge(keys::routes())
        .merge(vpcs::routes())
        .merge(tags::routes())
        .merge(firewalls::routes())
        .merge(droplets::routes())
        .merge(droplet_actions::routes())
        .route_layer(axum::middleware::from_fn(table::check))
        .merge(control::routes())
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::not_found())
        .with_state(site)
}
