//! How an account begins: what it is opened with, what is on disk, and what a new one has.

use std::{
    collections::BTreeMap,
    fmt,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, RwLock},
};

use jiff::Timestamp;
use rand::{Rng, rngs::StdRng};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Account, STATE_FILE, TOKENS_FILE,
    settings::Settings,
    state::{Counters, LAYOUT_VERSION, Owner, State},
    store::{Store, StoreError},
    tokens::Tokens,
};
use crate::{
    clock::Clock,
    domain::{Env, vpcs},
    machine::MachineDriver,
};

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
    Store(#[from] StoreError),
    /// The state was written by another version.
    #[error(
        "the account's state has layout {found}, this program knows {LAYOUT_VERSION}; `tidegate sandbox reset` starts a new one"
    )]
    Layout {
        /// The version on disk.
        found: u32,
    },
}

impl Account {
    /// Reads what is on disk, or begins a new account.
    pub(super) fn load(options: AccountOptions) -> Result<Self, AccountError> {
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
            state: RwLock::new(Arc::new(state)),
            rng: Mutex::new(rng),
            writing: Mutex::default(),
            tokens: Mutex::new(tokens),
            turns: Mutex::default(),
            driver,
            clock,
            public_net,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
    }
}

/// Only the version, so that a file of another layout is refused by its number rather than by its first odd field.
#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}

fn read_state(store: &Store) -> Result<Option<State>, AccountError> {
    match store.read::<Version>(STATE_FILE)? {
        None => Ok(None),
        Some(Version { version: LAYOUT_VERSION }) => Ok(store.read(STATE_FILE)?),
        Some(Version { version }) => Err(AccountError::Layout { found: version }),
    }
}

/// An account as it is on its first day.
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
