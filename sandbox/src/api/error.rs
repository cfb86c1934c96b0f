//! Errors as the API shows them: status, id and text. The body is written by [`super::gate`], which knows the request's id.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tracing::error;

use crate::domain::Refusal;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) id: &'static str,
    pub(super) message: String,
    pub(super) shape: Shape,
}

/// How an error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `{id, message, request_id}`.
    Plain,
    /// `{error, messages, root_causes}`, as the tag service answers.
    RootCauses,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let id = match status {
            StatusCode::BAD_REQUEST => "bad_request",
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::CONFLICT => "conflict",
            StatusCode::PRECONDITION_FAILED => "precondition_failed",
            StatusCode::PAYLOAD_TOO_LARGE => "payload_too_large",
            StatusCode::UNPROCESSABLE_ENTITY => "unprocessable_entity",
            StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
            StatusCode::SERVICE_UNAVAILABLE => "service_unavailable",
            _ => "server_error",
        };
        Self { status, id, message: message.into(), shape: Shape::Plain }
    }

    pub(super) fn not_found() -> Self {
        Refusal::NotFound.into()
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unable to authenticate you")
    }

    pub(super) fn missing_scope() -> Self {
        Self::new(StatusCode::FORBIDDEN, "You are not authorized to perform this operation")
    }

    pub(super) fn too_many_requests() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "API rate limit exceeded.")
    }

    /// The body.
    pub(super) fn body(&self, request_id: &str) -> Value {
        match self.shape {
            Shape::Plain => json!({"id": self.id, "message": self.message, "request_id": request_id}),
            Shape::RootCauses => {
                let cause = format!("rpc error: code = InvalidArgument desc = {}", self.message);
                json!({"error": self.message, "messages": null, "root_causes": [cause]})
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::NotFound => Self::new(StatusCode::NOT_FOUND, message),
            Refusal::BadRequest(_) => Self::new(StatusCode::BAD_REQUEST, message),
            Refusal::BadTag(_) => {
                Self { shape: Shape::RootCauses, ..Self::new(StatusCode::BAD_REQUEST, message) }
            }
            Refusal::Unprocessable(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, message),
            Refusal::Conflict(_) => Self::new(StatusCode::CONFLICT, message),
            Refusal::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, message),
            Refusal::Storage(source) => {
                error!(error = ?source, "a change could not be written down");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
