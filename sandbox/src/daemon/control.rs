//! The daemon's control socket: HTTP on a unix socket of this user. `GET /status`, `POST /stop` (`{"patience_secs"}`),
//! `POST /images` (push to the registry what the cache has).

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, sync::watch};

use super::{
    options::Paths,
    serve::push_images,
    status::{Running, Status},
};
use crate::{
    account::Account,
    http_client::{self, HttpError, refused},
    images::containers::ContainerImages,
    registry::Registry,
};

/// How often a connection that breaks off is tried again, and how long apart.
const DYING_TRIES: u32 = 20;
const DYING_PAUSE: Duration = Duration::from_millis(50);

/// What the daemon was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Run.
    Run,
    /// End, and leave the machines running.
    End,
    /// Shut the machines down, with this patience, then end.
    Stop(Duration),
}

/// What the socket's handlers need.
#[derive(Clone, Debug)]
pub struct Control {
    /// The directories.
    pub paths: Paths,
    /// The daemon about itself.
    pub running: Running,
    /// The account.
    pub account: Arc<Account>,
    /// The registry, if there is one.
    pub registry: Option<Registry>,
    /// Images for it.
    pub containers: ContainerImages,
    /// Takes orders.
    pub orders: watch::Sender<Order>,
}

/// Body of `POST /stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// How long machines have to shut down.
    pub patience_secs: u64,
}

/// Answer of `POST /images`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushedImages {
    /// Tags that were sent now.
    pub pushed: Vec<String>,
}

/// The handlers.
pub fn router(control: Control) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/stop", post(stop))
        .route("/images", post(images))
        .with_state(control)
}

async fn status(State(control): State<Control>) -> Response {
    answer(Status::of(&control.paths, &control.running, &control.account))
}

async fn stop(State(control): State<Control>, Json(request): Json<StopRequest>) -> StatusCode {
    control.orders.send_replace(Order::Stop(Duration::from_secs(request.patience_secs)));
    StatusCode::ACCEPTED
}

async fn images(State(control): State<Control>) -> Response {
    let Some(registry) = &control.registry else {
        return answer::<_, anyhow::Error>(Ok(PushedImages { pushed: Vec::new() }));
    };
    answer(push_images(registry, &control.containers).await.map(|pushed| PushedImages { pushed }))
}

fn answer<T: Serialize, E: Into<anyhow::Error>>(result: Result<T, E>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", error.into())).into_response(),
    }
}

/// What to ask the daemon. Everything may be asked twice.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// How it is.
    Status,
    /// To stop.
    Stop(StopRequest),
    /// To push images.
    Images,
}

impl Question {
    fn request(self) -> Result<Request<Body>, HttpError> {
        match self {
            Self::Status => Request::get("/status").body(Body::empty()),
            Self::Images => Request::post("/images").body(Body::empty()),
            Self::Stop(request) => {
                let body =
                    serde_json::to_vec(&request).map_err(|error| HttpError::Body(error.to_string()))?;
                Request::post("/stop").header(CONTENT_TYPE, "application/json").body(Body::from(body))
            }
        }
        .map_err(HttpError::Request)
    }
}

/// Asks the daemon behind a socket; `None` if nobody listens there.
///
/// # Errors
/// When it does not answer as it should.
pub async fn ask<T: DeserializeOwned>(
    socket: &Path,
    question: Question,
    patience: Duration,
) -> Result<Option<T>, HttpError> {
    let mut tries = 0;
    let answer = loop {
        let Ok(stream) = UnixStream::connect(socket).await else {
            return Ok(None);
        };
        match http_client::send(stream, question.request()?, patience).await {
            // One that dies in this moment still has its socket; soon it has not.
            Err(HttpError::Exchange(_)) if tries < DYING_TRIES => {
                tries += 1;
                tokio::time::sleep(DYING_PAUSE).await;
            }
            answer => break answer?,
        }
    };
    if !answer.status().is_success() {
        return Err(refused(&format!("{question:?}"), &answer));
    }
    let body = if answer.body().is_empty() { b"null" } else { answer.body().as_ref() };
    serde_json::from_slice(body).map(Some).map_err(|error| HttpError::Body(error.to_string()))
}
