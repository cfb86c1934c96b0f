//! The account: its state, kept on disk, and the changes made to it. Every change is applied to a copy, written, and only
//! then published; what it started (actions) is worked on in the background by [`work`]. Knows nothing of HTTP; the rules
//! of each kind of resource stand in [`crate::domain`].

pub mod settings;
pub mod state;
pub mod store;
pub mod tokens;
mod work;

use std::{
    collections::BTreeMap,
    fmt,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    settings::Settings,
    state::{ActionStatus, Counters, LAYOUT_VERSION, Owner, State},
    store::{Store, StoreError},
    tokens::{Grant, Token, Tokens},
};
use crate::{
    clock::Clock,
    domain::{Env, Refusal, droplets, firewalls, vpcs},
    machine::MachineDriver,
};

const STATE_FILE: &str = "account.json";
const TOKENS_FILE: &str = "tokens.json";

/// What an account is opened with.
pub struct AccountOptions {
    /// Directory of the state; made if missing, held by this process alone.
    pub state_dir: PathBuf,
    /// Makes the machines.
    pub driver: Arc<dyn MachineDriver>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Source of tokens, UUIDs and the chances of faults: from the system in the program, from a seed in tests.
    pub rng: StdRng,
    /// Lags and limits; `None` keeps those on disk, or takes the measured ones for a new account.
    pub settings: Option<Settings>,
    /// The /24 whose addresses droplets show as their public ones.
    pub public_net: Ipv4Addr,
    /// Whether a new account has its default VPCs.
    pub default_vpcs: DefaultVpcs,
}

impl AccountOptions {
    /// The usual options: addresses 127.0.1.N, settings as on disk, default VPCs.
    pub fn new(
        state_dir: PathBuf,
        driver: Arc<dyn MachineDriver>,
        clock: Arc<dyn Clock>,
        rng: StdRng,
    ) -> Self {
        Self {
            state_dir,
            driver,
            clock,
            rng,
            settings: None,
            public_net: Ipv4Addr::new(127, 0, 1, 0),
            default_vpcs: DefaultVpcs::EveryRegion,
        }
    }
}

impl fmt::Debug for AccountOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountOptions").field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}

/// The VPCs of a new account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultVpcs {
    /// One in every region, as an account in use has them.
    EveryRegion,
    /// None, as on the first day: the first VPC made in a region becomes its default and cannot be deleted.
    None,
}

/// Why an account could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Its files.
    #[error("the account cannot be opened")]
    Store(#[source] StoreError),
    /// The state was written by another version.
    #[error(
        "the account's state has layout {found}, this program knows {LAYOUT_VERSION}; `tidegate sandbox reset` starts a new one"
    )]
    Layout {
        /// The version on disk.
        found: u32,
    },
}

/// The account. Share it in an [`Arc`].
pub struct Account {
    store: Store,
    live: Mutex<Live>,
    tokens: Mutex<Tokens>,
    turns: Mutex<BTreeMap<u64, Arc<tokio::sync::Mutex<()>>>>,
    driver: Arc<dyn MachineDriver>,
    clock: Arc<dyn Clock>,
    public_net: Ipv4Addr,
    tasks: TaskTracker,
    closing: CancellationToken,
}

struct Live {
    state: Arc<State>,
    rng: StdRng,
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
            .map_err(|join| AccountError::Store(std::io::Error::other(join).into()))?
            .map_err(|error| match error {
                LoadError::Store(source) => AccountError::Store(source),
                LoadError::Layout(found) => AccountError::Layout { found },
            })?;
        let account = Arc::new(account);
        work::resume(&account).await;
        Ok(account)
    }

    fn load(options: AccountOptions) -> Result<Self, LoadError> {
        let AccountOptions { state_dir, driver, clock, mut rng, settings, public_net, default_vpcs } =
            options;
        let store = Store::open(&state_dir)?;
        let tokens = if let Some(tokens) = store.read(TOKENS_FILE)? {
            tokens
        } else {
            let tokens = Tokens::generate(&mut rng);
            store.replace(TOKENS_FILE, &tokens)?;
            tokens
        };
        let mut state = if let Some(state) = read_state(&store)? {
            state
        } else {
            new_state(&mut rng, clock.now(), default_vpcs)
        };
        if let Some(settings) = settings {
            state.settings = settings;
        }
        store.replace(STATE_FILE, &state)?;
        Ok(Self {
            store,
            live: Mutex::new(Live { state: Arc::new(state), rng }),
            tokens: Mutex::new(tokens),
            turns: Mutex::default(),
            driver,
            clock,
            public_net,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
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
        let token = next.add(grant, &mut lock(&self.live).rng);
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
        lock(&self.live).rng.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// Another source of chance, which this one determines.
    pub(crate) fn fork_rng(&self) -> StdRng {
        StdRng::from_rng(&mut lock(&self.live).rng)
    }

    /// The state as it is now.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&lock(&self.live).state)
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
        let mut live = lock(&self.live);
        let now = self.clock.now();
        let before = Arc::clone(&live.state);
        let mut next = State::clone(&before);
        let mut env = Env { now, rng: &mut live.rng, public_net: self.public_net };
        droplets::purge(&mut next, now);
        let value = change(&mut next, &mut env)?;
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
        live.state = Arc::new(next);
        drop(live);
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
}

enum LoadError {
    Store(StoreError),
    Layout(u32),
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Only the version, so that a file of another layout is refused by its number rather than by its first odd field.
#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}

fn read_state(store: &Store) -> Result<Option<State>, LoadError> {
    match store.read::<Version>(STATE_FILE)? {
        None => Ok(None),
        Some(Version { version: LAYOUT_VERSION }) => Ok(store.read(STATE_FILE)?),
        Some(Version { version }) => Err(LoadError::Layout(version)),
    }
}

pub(crate) fn new_state(rng: &mut StdRng, now: Timestamp, default_vpcs: DefaultVpcs) -> State {
    let mut hex_id = || {
        let mut bytes = [0_u8; 20];
        rng.fill_bytes(&mut bytes);
        hex::encode(bytes)
    };
    let owner = Owner { uuid: hex_id(), team_uuid: hex_id(), email: "sandbox@example.com".to_owned() };
    let mut state = State {
        version: LAYOUT_VERSION,
        owner,
        settings: Settings::default(),
        counters: Counters::default(),
        keys: BTreeMap::new(),
        vpcs: BTreeMap::new(),
        tags: BTreeMap::new(),
        firewalls: BTreeMap::new(),
        droplets: BTreeMap::new(),
        actions: BTreeMap::new(),
    };
    if default_vpcs == DefaultVpcs::EveryRegion {
        let mut env = Env { now, rng, public_net: Ipv4Addr::UNSPECIFIED };
        vpcs::make_defaults(&mut state, &mut env);
    }
    state
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
