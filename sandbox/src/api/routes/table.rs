//! Every operation below `/v2` and the scopes it takes: one table, checked before any handler runs. A route that is not in
//! it is not served.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::api::{ask::Ask, error::ApiError};

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// HTTP method.
    pub method: &'static str,
    /// Path, with the parameters' names as in DigitalOcean's OpenAPI document.
    pub path: &'static str,
    /// Scopes that a token needs, all of them. What a body names can need more.
    pub scopes: &'static [&'static str],
}

const fn op(method: &'static str, path: &'static str, scopes: &'static [&'static str]) -> Operation {
    Operation { method, path, scopes }
}

/// All operations that the sandbox serves.
pub const OPERATIONS: &[Operation] = &[
    op("GET", "/v2/account", &["account:read"]),
    op("GET", "/v2/account/keys", &["ssh_key:read"]),
    op("POST", "/v2/account/keys", &["ssh_key:create"]),
    op("GET", "/v2/account/keys/{ssh_key_identifier}", &["ssh_key:read"]),
    op("PUT", "/v2/account/keys/{ssh_key_identifier}", &["ssh_key:update"]),
    op("DELETE", "/v2/account/keys/{ssh_key_identifier}", &["ssh_key:delete"]),
    op("GET", "/v2/actions", &["actions:read"]),
    op("GET", "/v2/actions/{action_id}", &["actions:read"]),
    op("GET", "/v2/customers/my/balance", &["billing:read"]),
    op("GET", "/v2/droplets", &["droplet:read"]),
    op("POST", "/v2/droplets", &["droplet:create"]),
    op("DELETE", "/v2/droplets", &["droplet:delete"]),
    op("POST", "/v2/droplets/actions", &["droplet:update"]),
    op("GET", "/v2/droplets/{droplet_id}", &["droplet:read"]),
    op("DELETE", "/v2/droplets/{droplet_id}", &["droplet:delete"]),
    op("GET", "/v2/droplets/{droplet_id}/actions", &["droplet:read"]),
    op("POST", "/v2/droplets/{droplet_id}/actions", &["droplet:update"]),
    op("GET", "/v2/droplets/{droplet_id}/actions/{action_id}", &["droplet:read"]),
    op("GET", "/v2/droplets/{droplet_id}/backups", &["droplet:read"]),
    op("GET", "/v2/droplets/{droplet_id}/firewalls", &["firewall:read"]),
    op("GET", "/v2/droplets/{droplet_id}/kernels", &["droplet:read"]),
    op("GET", "/v2/droplets/{droplet_id}/neighbors", &["droplet:read"]),
    op("GET", "/v2/droplets/{droplet_id}/snapshots", &["droplet:read"]),
    op("GET", "/v2/firewalls", &["firewall:read"]),
    op("POST", "/v2/firewalls", &["firewall:create"]),
    op("GET", "/v2/firewalls/{firewall_id}", &["firewall:read"]),
    op("PUT", "/v2/firewalls/{firewall_id}", &["firewall:update"]),
    op("DELETE", "/v2/firewalls/{firewall_id}", &["firewall:delete"]),
    op("POST", "/v2/firewalls/{firewall_id}/droplets", &["firewall:update"]),
    op("DELETE", "/v2/firewalls/{firewall_id}/droplets", &["firewall:update"]),
    op("POST", "/v2/firewalls/{firewall_id}/rules", &["firewall:update"]),
    op("DELETE", "/v2/firewalls/{firewall_id}/rules", &["firewall:update"]),
    op("POST", "/v2/firewalls/{firewall_id}/tags", &["firewall:update"]),
    op("DELETE", "/v2/firewalls/{firewall_id}/tags", &["firewall:update"]),
    op("GET", "/v2/images", &["image:read"]),
    op("GET", "/v2/images/{image_id}", &["image:read"]),
    op("GET", "/v2/regions", &["regions:read"]),
    op("GET", "/v2/sizes", &["sizes:read", "regions:read"]),
    op("GET", "/v2/tags", &["tag:read"]),
    op("POST", "/v2/tags", &["tag:create"]),
    op("GET", "/v2/tags/{tag_id}", &["tag:read"]),
    op("DELETE", "/v2/tags/{tag_id}", &["tag:delete"]),
    op("POST", "/v2/tags/{tag_id}/resources", &["tag:create"]),
    op("DELETE", "/v2/tags/{tag_id}/resources", &["tag:delete"]),
    op("GET", "/v2/vpcs", &["vpc:read"]),
    op("POST", "/v2/vpcs", &["vpc:create"]),
    op("GET", "/v2/vpcs/{vpc_id}", &["vpc:read"]),
    op("PUT", "/v2/vpcs/{vpc_id}", &["vpc:update"]),
    op("PATCH", "/v2/vpcs/{vpc_id}", &["vpc:update"]),
    op("DELETE", "/v2/vpcs/{vpc_id}", &["vpc:delete"]),
    op("GET", "/v2/vpcs/{vpc_id}/members", &["vpc:read"]),
];

/// Lets a request through if its operation is in the table and its token has the scopes.
pub(super) async fn check(path: MatchedPath, ask: Ask, request: Request, next: Next) -> Response {
    let method = request.method().as_str();
    let operation =
        OPERATIONS.iter().find(|operation| operation.method == method && operation.path == path.as_str());
    let Some(operation) = operation else {
        return ApiError::not_found().into_response();
    };
    if let Err(error) = ask.needs(operation.scopes) {
        return error.into_response();
    }
    next.run(request).await
}
