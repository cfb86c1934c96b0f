//! A request as the handlers see it: who asks, with what body and query. Bodies are read leniently, as the real API does:
//! no content type is needed, and an empty body or `null` counts as `{}`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{error::ApiError, page::Page};
use crate::{account::tokens::Grant, domain::droplets::Mishap};

/// What a handler gives.
pub(super) type Answer = Result<Response, ApiError>;

/// A request; cheap to copy.
#[derive(Clone, Debug)]
pub(super) struct Ask(Arc<Request>);

/// What there is to know of a request.
#[derive(Debug)]
pub(super) struct Request {
    /// What the token may do.
    pub(super) grant: Grant,
    /// Scheme and host for links.
    pub(super) origin: String,
    /// Path, without a trailing slash.
    pub(super) path: String,
    /// Query.
    pub(super) query: BTreeMap<String, String>,
    /// Body.
    pub(super) body: Bytes,
    /// What a fault has in store for it.
    pub(super) mishap: Mishap,
}

impl Ask {
    pub(super) fn new(request: Request) -> Self {
        Self(Arc::new(request))
    }

    /// Refuses a caller without these scopes.
    pub(super) fn needs(&self, scopes: &[&str]) -> Result<(), ApiError> {
        if scopes.iter().all(|scope| self.0.grant.allows(scope)) {
            Ok(())
        } else {
            Err(ApiError::missing_scope())
        }
    }

    /// Whether the caller has a scope.
    pub(super) fn may(&self, scope: &str) -> bool {
        self.0.grant.allows(scope)
    }

    /// The body, as a JSON object of this type.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let bad = |text: String| ApiError::new(StatusCode::BAD_REQUEST, text);
        let value = if self.0.body.trim_ascii().is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&self.0.body)
                .map_err(|error| bad(format!("The request body is not JSON: {error}")))?
        };
        let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
        if !value.is_object() {
            return Err(bad("The request body is not a JSON object".to_owned()));
        }
        serde_json::from_value(value).map_err(|error| {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, format!("The request is invalid: {error}"))
        })
    }

    /// A value of the query; an empty one counts as not given.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.0.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The wanted part of a list, as the answer.
    pub(super) fn page(&self, key: &str, list: &[Value]) -> Response {
        let url = format!("{}{}", self.0.origin, self.0.path);
        Json(Page::from_query(&self.0.query).answer(key, list, &url, &self.0.query)).into_response()
    }

    /// Scheme and host for links.
    pub(super) fn origin(&self) -> &str {
        &self.0.origin
    }

    /// What a fault has in store.
    pub(super) fn mishap(&self) -> Mishap {
        self.0.mishap
    }
}

impl<S: Sync> FromRequestParts<S> for Ask {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        // Without the gate in front nobody has been authenticated.
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthorized)
    }
}

/// 204, with the content type that the real API sends even there.
pub(super) fn no_content() -> Response {
    (StatusCode::NO_CONTENT, [(http::header::CONTENT_TYPE, super::gate::JSON)]).into_response()
}

/// An object as the answer.
pub(super) fn answer(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}
