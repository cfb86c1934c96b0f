//! The door: every request passes here before any service sees it, health and reflection included.
//!
//! Owns the order of the questions: does the connection still hold, is the agent in the right phase, does the one table
//! (`tidegate_proto::roles`) give the caller this RPC. Which app a request is about stands in its message: for RPCs with
//! that scope the handlers ask again. Must not know what the services do.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use http::{Request, Response};
use tidegate_proto::{
    identity::TrustDomain,
    roles::{self, LeastRole, Scope},
    tls::{Mode, PeerInfo},
};
use tokio::time::timeout;
use tonic::{Status, body::Body};
use tower::{Layer, Service};
use tracing::info;

use super::{caller::Caller, deadline, errors};
use crate::{clock::Clock, trust::Phase};

/// What the door has to know.
#[derive(Debug, Clone)]
pub struct Door {
    domain: TrustDomain,
    clock: Arc<dyn Clock>,
    phase: tokio::sync::watch::Receiver<Phase>,
}

/// A connection over the unix socket, whose peer was found to be root.
#[derive(Debug, Clone, Copy)]
pub struct LocalRoot;

impl Door {
    /// The door of an agent of this fleet and environment.
    pub fn new(
        domain: TrustDomain,
        clock: Arc<dyn Clock>,
        phase: tokio::sync::watch::Receiver<Phase>,
    ) -> Self {
        Self { domain, clock, phase }
    }

    fn admit<B>(&self, request: &Request<B>) -> Result<Caller, Status> {
        let rpc = request.uri().path();
        let peer = request.extensions().get::<PeerInfo>();
        let (caller, mode) = match (peer, request.extensions().get::<LocalRoot>()) {
            (Some(peer), _) => {
                peer.check(self.clock.now()).map_err(|refused| errors::peer_refused(&refused))?;
                (Caller::of(peer), peer.mode())
            }
            (None, Some(LocalRoot)) => (Caller::LocalRoot, self.mode()),
            (None, None) => return Err(errors::no_caller()),
        };
        let rule = roles::find(rpc).ok_or_else(|| errors::unknown_rpc(rpc))?;
        match (mode, rule.least) {
            (Mode::Enrolment, LeastRole::Unenrolled)
            | (Mode::Enrolled, LeastRole::Role(_) | LeastRole::AgentOr(_)) => {}
            (Mode::Enrolment, LeastRole::Role(_) | LeastRole::AgentOr(_)) => {
                return Err(errors::not_enrolled());
            }
            (Mode::Enrolled, LeastRole::Unenrolled) => return Err(errors::already_enrolled()),
        }
        let allowed = match rule.scope {
            Scope::App => caller.may_for_some_app(&self.domain, rpc),
            Scope::Droplet | Scope::Any => caller.may(&self.domain, rpc, None),
        };
        allowed.map_err(|denied| {
            info!(rpc, actor = caller.actor(), remote = ?caller.remote(), %denied, "refused");
            errors::denied(&denied)
        })?;
        Ok(caller)
    }

    fn mode(&self) -> Mode {
        match *self.phase.borrow() {
            Phase::Waiting => Mode::Enrolment,
            Phase::Enrolled => Mode::Enrolled,
        }
    }
}

impl<S> Layer<S> for Door {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { door: self.clone(), inner }
    }
}

/// A service behind the door.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    door: Door,
    inner: S,
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.door.admit(&request) {
            Ok(caller) => request.extensions_mut().insert(caller),
            Err(status) => return Box::pin(std::future::ready(Ok(status.into_http()))),
        };
        // The clone that was polled ready is the one to call.
        let unready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, unready);
        let deadline = deadline::of(request.uri().path());
        let call = inner.call(request);
        Box::pin(async move {
            match timeout(deadline, call).await {
                Ok(response) => response,
                Err(_) => Ok(errors::deadline(deadline).into_http()),
            }
        })
    }
}
