//! Serves one machine's metadata on a socket in its directory; the machine reaches it at 169.254.169.254:80. What is said
//! stands in [`crate::metadata`].

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    files::listen,
    machine::MachineSpec,
    metadata::{Answer, GuestNet, lookup},
};

/// A running service; it ends when dropped.
#[derive(Debug)]
pub struct MetadataService {
    spec: Arc<Mutex<MachineSpec>>,
    _task: AbortOnDropHandle<()>,
}

impl MetadataService {
    /// Serves on `socket`; one that an earlier process left is replaced.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn start(spec: &MachineSpec, socket: &Path) -> io::Result<Self> {
        let listener = listen(socket)?;
        let spec = Arc::new(Mutex::new(spec.clone()));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&spec));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::warn!(%error, "a metadata service ended");
            }
        });
        Ok(Self { spec, _task: AbortOnDropHandle::new(task) })
    }

    /// From now on tells this.
    pub fn update(&self, spec: &MachineSpec) {
        self.spec.lock().unwrap_or_else(PoisonError::into_inner).clone_from(spec);
    }
}

async fn answer(State(spec): State<Arc<Mutex<MachineSpec>>>, request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let spec = spec.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match lookup(&spec, &GuestNet::default(), request.uri().path()) {
        Answer::Text(text) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
        Answer::Json(value) => Json(value).into_response(),
        Answer::Redirect(to) => (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response(),
        Answer::NotFound => (StatusCode::NOT_FOUND, "not found").into_response(),
    }
}
