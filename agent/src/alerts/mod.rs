//! Alerts: who is told what health finds, and that it ended.
//!
//! Owns the settings, what was told, the queue and the ways to receivers. After each new look [`plan`] (pure) decides what each
//! receiver is told; that and the messages are written in one transaction; then each receiver has a task that sends what waits for
//! it, in order, and repeats until it is taken or too old. Delivery is at least once: a message keeps its id over all tries. Must
//! not know how health comes to its findings, nor look by itself.
//!
//! Where the database cannot be written messages are sent all the same, once and unqueued: that it cannot be written is among the
//! things to be told.
//!
//! Alerts belong to one enrolment: on a copy of a droplet there are none, also after it has enrolled as another one.

mod deliver;
mod looks;
pub mod message;
mod ping;
pub mod plan;
pub mod send;
pub mod settings;
mod silence;
mod state;
mod store;
mod test;

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tidegate_proto::v1::SetAlertsRequest;
use tidegate_saga::Retry;
use tokio::{
    sync::{Mutex, watch},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    message::About,
    plan::Book,
    send::Transports,
    settings::{AlertSettings, Kept, ReceiverName, SettingsError, SettingsFile, SettingsFileError, Whose},
};
pub use self::{
    silence::{Silence, SilenceError},
    state::{State, ToldCheck},
    store::{AlertStore, MIGRATIONS, PingState, ReceiverState},
    test::Tested,
};
use crate::{
    clock::Clock,
    health::Report,
    release::chain,
    store::{Database, DatabaseError},
};

/// Tells whose alerts these are; none while the agent is not enrolled.
pub type WhoseAlerts = Arc<dyn Fn() -> Option<Whose> + Send + Sync>;
/// Gives ids to messages.
pub type MessageIds = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// What alerts work with.
pub struct Parts {
    /// Where settings are kept.
    pub file: SettingsFile,
    /// What has run [`MIGRATIONS`].
    pub database: Database,
    /// The ways to receivers.
    pub transports: Transports,
    /// Whose they are.
    pub whose: WhoseAlerts,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The pauses between two tries of a message.
    pub retry: Retry,
    /// Ids of messages.
    pub ids: MessageIds,
}

/// Why settings were not taken, or nothing can be told of alerts.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// They cannot be meant.
    #[error(transparent)]
    Settings(SettingsError),
    /// The file.
    #[error("the settings of alerts were not kept")]
    File(#[source] SettingsFileError),
    /// What is kept cannot be read.
    #[error("the settings of alerts on this droplet cannot be read, so nobody is told")]
    Unreadable(#[source] Arc<SettingsFileError>),
    /// The database.
    #[error("the agent's database did not do what alerts need")]
    Database(#[source] DatabaseError),
    /// Nobody's droplet.
    #[error("this droplet is not enrolled")]
    NotEnrolled,
    /// A part of the agent panicked.
    #[error("a part of the agent broke")]
    Broken,
}

/// Whether settings are other ones than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// They are.
    Yes,
    /// They were so already.
    No,
}

/// What is known of the settings.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing was set.
    Unset,
    /// They are set.
    Set(Arc<Kept>),
    /// Something is there that cannot be read.
    Unreadable(Arc<SettingsFileError>),
}

/// Alerts of this droplet. Cheap to clone.
#[derive(Clone)]
pub struct Alerts {
    inner: Arc<Inner>,
}

struct Inner {
    file: SettingsFile,
    store: AlertStore,
    transports: Transports,
    whose: WhoseAlerts,
    clock: Arc<dyn Clock>,
    retry: Retry,
    ids: MessageIds,
    /// One change at a time: of settings, and of what was told.
    desk: Mutex<Desk>,
    known: watch::Sender<Known>,
    /// Changes whenever there are new messages.
    queued: watch::Sender<u64>,
}

#[derive(Default)]
struct Desk {
    is_loaded: bool,
    /// What was told, as it was written last, or should have been.
    book: Option<Book>,
    /// Whether the database does not have it so.
    is_unwritten: bool,
    /// Of which report receivers were told last.
    looked: Option<Timestamp>,
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts").field("known", &*self.inner.known.borrow()).finish_non_exhaustive()
    }
}

impl Alerts {
    /// With these parts; nothing is read or sent yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { file, database, transports, whose, clock, retry, ids } = parts;
        let inner = Inner {
            file,
            store: AlertStore::new(database),
            transports,
            whose,
            clock,
            retry,
            ids,
            desk: Mutex::default(),
            known: watch::Sender::new(Known::Unset),
            queued: watch::Sender::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Tells receivers what reports find, until it is stopped. To be begun once the droplet is enrolled.
    pub async fn run(&self, reports: watch::Receiver<Option<Arc<Report>>>, stop: CancellationToken) {
        self.loaded(&mut *self.inner.desk.lock().await).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.follow(reports) => {}
            () = self.deliver() => {}
        }
    }

    /// Takes settings. Receivers that are not among them are forgotten, with all that waits for them.
    ///
    /// # Errors
    /// When they cannot be meant or kept.
    pub async fn set(&self, request: SetAlertsRequest) -> Result<Changed, AlertsError> {
        let Inner { file, store, clock, known, whose, .. } = &*self.inner;
        let settings = AlertSettings::try_from(request.clone()).map_err(AlertsError::Settings)?;
        let whose = whose().ok_or(AlertsError::NotEnrolled)?;
        let mut desk = self.inner.desk.lock().await;
        let before = match self.loaded(&mut desk).await {
            Known::Set(kept) if kept.settings.digest == settings.digest => return Ok(Changed::No),
            Known::Set(kept) => Some(kept),
            Known::Unset | Known::Unreadable(_) => None,
        };
        let kept = Kept { settings, whose };
        let (file, whose) = (file.clone(), kept.whose.clone());
        let written = spawn_blocking(move || file.write(&request, &whose)).await;
        written.map_err(|_| AlertsError::Broken)?.map_err(AlertsError::File)?;
        // Also where the database fails now: the file says who is told, and the next start forgets the others.
        desk.book = None;
        let names = kept.settings.receivers.iter().map(|receiver| receiver.name.clone()).collect();
        store.keep_only(names, Some(clock.now())).await.map_err(AlertsError::Database)?;
        let ping = |kept: &Kept| kept.settings.ping.as_ref().map(|ping| ping.expose().to_owned());
        if before.as_deref().is_none_or(|before| ping(before) != ping(&kept)) {
            store.forget_ping().await.map_err(AlertsError::Database)?;
        }
        known.send_replace(Known::Set(Arc::new(kept)));
        Ok(Changed::Yes)
    }

    /// Of when the last report is that receivers were told of, or that had nothing to tell.
    pub async fn looked(&self) -> Option<Timestamp> {
        self.inner.desk.lock().await.looked
    }

    /// The settings; none when nothing was set.
    async fn kept(&self) -> Result<Option<Arc<Kept>>, AlertsError> {
        match self.loaded(&mut *self.inner.desk.lock().await).await {
            Known::Unset => Ok(None),
            Known::Set(kept) => Ok(Some(kept)),
            Known::Unreadable(error) => Err(AlertsError::Unreadable(error)),
        }
    }

    /// What is known of the settings, read when it is asked for first.
    async fn loaded(&self, desk: &mut Desk) -> Known {
        let Inner { file, store, known, .. } = &*self.inner;
        // Whose they are is known from the enrolment on.
        let Some(whose) = (self.inner.whose)() else { return Known::Unset };
        if desk.is_loaded {
            return known.borrow().clone();
        }
        let file = file.clone();
        let found = match spawn_blocking(move || file.read()).await {
            Ok(Ok(Some(kept))) if kept.whose == whose => Known::Set(Arc::new(kept)),
            Ok(Ok(Some(_))) => {
                tracing::warn!(
                    "the settings of alerts are those of another droplet: they count as not there"
                );
                Known::Unset
            }
            Ok(Ok(None)) => Known::Unset,
            Ok(Err(error)) => {
                tracing::error!(
                    error = chain(&error),
                    "the settings of alerts cannot be read: nobody is told"
                );
                Known::Unreadable(Arc::new(error))
            }
            Err(_) => return Known::Unset,
        };
        let names: Option<Vec<ReceiverName>> = match &found {
            Known::Unset => Some(Vec::new()),
            Known::Set(kept) => Some(kept.settings.receivers.iter().map(|one| one.name.clone()).collect()),
            Known::Unreadable(_) => None,
        };
        if let Some(names) = names
            && let Err(error) = store.keep_only(names, None).await
        {
            tracing::error!(error = chain(&error), "earlier receivers of alerts are not forgotten yet");
        }
        desk.is_loaded = true;
        known.send_replace(found.clone());
        found
    }
}

impl Kept {
    fn about(&self) -> About {
        About {
            droplet: self.settings.droplet.clone(),
            fleet: self.whose.fleet.clone(),
            environment: self.whose.environment.clone(),
        }
    }
}
