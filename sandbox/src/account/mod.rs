//! The account: its state, kept on disk, and the changes made to it. Every change is applied to a copy, written, and only
//! then published; what it started (actions) is worked on in the background by [`work`]. Knows nothing of HTTP; the rules
//! of each kind of resource stand in [`crate::domain`].

mod open;
pub mod settings;
pub mod state;
pub mod store;
pub mod tokens;
mod work;

use std::{
    collections::BTreeMap,
    fmt,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use jiff::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(test)]
pub(crate) use self::open::new_state;
pub use self::open::{AccountError, AccountOptions, DefaultVpcs};
use self::{
    state::{ActionStatus, State},
    store::{Store, StoreError},
    tokens::{Grant, Token, Tokens},
};
use crate::{
    clock::Clock,
    domain::{Env, Refusal, droplets, firewalls},
    machine::MachineDriver,
};

const STATE_FILE: &str = "account.json";
const TOKENS_FILE: &str = "tokens.json";

/// The account. Share it in an [`Arc`].
pub struct Account {
    store: Store,
    /// What everybody sees; replaced as a whole.
    state: RwLock<Arc<State>>,
    /// Held through a change, writing included: one at a time.
    writing: Mutex<()>,
    rng: Mutex<StdRng>,
    tokens: Mutex<Tokens>,
    turns: Mutex<BTreeMap<u64, Arc<tokio::sync::Mutex<()>>>>,
    driver: Arc<dyn MachineDriver>,
    clock: Arc<dyn Clock>,
    public_net: Ipv4Addr,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Account {
    /// Opens the account, makes it if it is new, takes up the machines of an earlier process, and goes on with the
    /// actions that one left unfinished.
    ///
    /// # Errors
    /// When its files cannot be used, or another process has it open.
    pub async fn open(options: AccountOptions) -> Result<Arc<Self>, AccountError> {
        let account = tokio::task::spawn_blocking(move || Self::load(options))
            .await
            .map_err(|join| StoreError::Io(std::io::Error::other(join)))??;
        let account = Arc::new(account);
        work::resume(&account).await;
        Ok(account)
    }

    /// The first token with this grant; a new account has one [`Grant::Full`] and one [`Grant::ReadOnly`].
    pub fn token(&self, grant: &Grant) -> Option<Token> {
        lock(&self.tokens).granting(grant).cloned()
    }

    /// Makes one more token.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn add_token(&self, grant: Grant) -> Result<Token, StoreError> {
        let mut tokens = lock(&self.tokens);
        let mut next = tokens.clone();
        let token = next.add(grant, &mut lock(&self.rng));
        self.store.replace(TOKENS_FILE, &next)?;
        *tokens = next;
        Ok(token)
    }

    /// The token that a request presents, with its place in the list.
    pub(crate) fn find_token(&self, presented: &str) -> Option<(usize, Grant)> {
        lock(&self.tokens).find(presented).map(|(place, token)| (place, token.grant.clone()))
    }

    /// A random UUID, for requests; ids of resources come from their rules.
    pub(crate) fn new_uuid(&self) -> String {
        let mut bytes = [0_u8; 16];
        lock(&self.rng).fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// Another source of chance, which this one determines.
    pub(crate) fn fork_rng(&self) -> StdRng {
        StdRng::from_rng(&mut *lock(&self.rng))
    }

    /// The state as it is now.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a change: applied to a copy, written to disk, then published; the actions it started are begun. Once called
    /// it runs to its end, even if the caller goes away.
    pub(crate) async fn change<T, F>(self: &Arc<Self>, change: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&mut State, &mut Env<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let account = Arc::clone(self);
        tokio::task::spawn_blocking(move || account.change_now(change))
            .await
            .map_err(|join| Refusal::Storage(std::io::Error::other(join).into()))?
    }

    fn change_now<T, F>(self: &Arc<Self>, change: F) -> Result<T, Refusal>
    where
        F: FnOnce(&mut State, &mut Env<'_>) -> Result<T, Refusal>,
    {
        let writing = lock(&self.writing);
        let now = self.clock.now();
        let before = self.state();
        let mut next = State::clone(&before);
        droplets::purge(&mut next, now);
        let value =
            change(&mut next, &mut Env { now, rng: &mut lock(&self.rng), public_net: self.public_net })?;
        firewalls::note_changes(&before, &mut next, now);
        if next != *before {
            self.store.replace(STATE_FILE, &next).map_err(Refusal::Storage)?;
        }
        let started: Vec<u64> = next
            .actions
            .range(before.counters.action.saturating_add(1)..)
            .filter(|(_, action)| action.status == ActionStatus::InProgress && !action.stuck)
            .map(|(id, _)| *id)
            .collect();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        drop(writing);
        for action in started {
            work::begin(self, action);
        }
        Ok(value)
    }

    /// Stops background work and waits for what is in the middle of a step. Machines run on; unfinished actions are gone
    /// on with when the account is opened again.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Whoever works on a droplet takes its turn: two actions on one droplet never overlap.
    fn turn(&self, droplet_id: u64) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.turns).entry(droplet_id).or_default())
    }

    /// A droplet that is gone takes no more turns.
    fn forget_turn(&self, droplet_id: u64) {
        lock(&self.turns).remove(&droplet_id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
