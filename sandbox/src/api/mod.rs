//! The HTTP API: DigitalOcean's paths below `/v2`, the sandbox's own below `/sandbox`. Holds no rules: it reads requests,
//! asks the account, and shows the answer.
//!
//! A request comes through [`serve`] and [`gate`] to its route; routes are grouped by resource in [`routes`], and what they
//! show is made in [`show`].

mod ask;
mod error;
mod faults;
mod gate;
mod journal;
mod limits;
mod page;
mod routes;
mod serve;
mod show;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{Router, extract::Request};

use self::{faults::Faults, journal::Journal, limits::Limits};
use crate::account::Account;

pub use self::{
    faults::{Effect, Rule},
    routes::{OPERATIONS, Operation},
    serve::serve,
};

/// What requests share: the account, and what the API itself keeps in memory.
#[derive(Debug)]
struct Site {
    account: Arc<Account>,
    limits: Mutex<Limits>,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
}

/// The API over an account. Use [`serve`] to run it: only there can a fault cut a connection; here it shows as an empty
/// answer with status 500.
pub fn router(account: Arc<Account>) -> Router {
    let site = Arc::new(Site {
        limits: Mutex::default(),
        faults: Mutex::new(Faults::new(account.fork_rng())),
        journal: Mutex::default(),
        account,
    });
    let routes = routes::all(Arc::clone(&site));
    Router::new().fallback(move |request: Request| gate::pass(Arc::clone(&site), routes.clone(), request))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
