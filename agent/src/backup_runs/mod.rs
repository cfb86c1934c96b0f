//! Runs of backups on this droplet: making, listing, verifying, pruning.
//!
//! Owns the course of a run, one at a time per service, and what is remembered of it (the table `backup`). What a backup is
//! and where it lies is `crate::backup`'s, what a PostgreSQL is asked `crate::postgres`'s. Must not know gRPC or who asks.
//!
//! The way of a run: what can be known beforehand is refused ([`BackupError`]); then its row is written, which says
//! `running`; then the parts, each to all destinations at once; then the manifest; then the row says `stored`. Whatever
//! fails before the manifest leaves none. A run that a dead agent left is judged by what is at the destinations: with a whole
//! manifest it is stored, else it failed ([`BackupRuns::recover`]).

mod clear;
mod copies;
mod counted;
mod error;
mod find;
mod for_releases;
mod held;
mod judge;
mod keys;
mod list;
mod live;
mod make;
mod opened;
mod origin;
mod places;
mod progress;
mod prune;
mod recover;
mod restoration;
mod row;
mod seen;
mod settings;
mod source;
mod space;
mod store;
mod subject;
mod trial;
mod trial_server;
mod verify;
mod wanted;
mod write;

use std::{fmt, sync::Arc};

use tokio::sync::Mutex;

pub use self::{
    error::{BackupError, ServerError},
    keys::FileKeys,
    live::Doing,
    origin::{MadeOn, Origin},
    progress::Progress,
    restoration::{
        Place, PlannedDatabase, Replaces, Restore, RestorePlan, RestoreRow, RestoreSource, RestoreState,
        Revert,
    },
    row::{BackupRow, BackupState, Cause},
    seen::{Copy, Deleted, Listed, Listing, Pruned, Shown},
    settings::{BackupSettings, Patience},
    wanted::{Make, Prune, PruneMode, Verify},
};
use self::{keys::Lent, live::Live, restoration::RestoreStore, store::BackupStore};
use crate::{
    apps::{AppName, ServiceName},
    backup::{BackupId, PartName, layout::DropletFolder},
    clock::Clock,
    release::Engine,
    store::{Database, Migration},
};

/// The tables of backups and restores.
pub fn migrations() -> Vec<Migration> {
    [store::MIGRATIONS, &[restoration::MIGRATION]].concat()
}

/// Backup runs on this droplet. Cheap to clone.
#[derive(Clone)]
pub struct BackupRuns {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    store: BackupStore,
    restores: RestoreStore,
    clock: Arc<dyn Clock>,
    settings: BackupSettings,
    live: Live,
    lent: Lent,
    /// Who uses a scratch server, or removes those that were left behind. One at a time: each takes memory from those who serve.
    scratch: Mutex<()>,
}

impl fmt::Debug for BackupRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupRuns").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl BackupRuns {
    /// With these parts; nothing happens yet. The database has run [`migrations`].
    pub fn new(engine: Engine, database: Database, clock: Arc<dyn Clock>, settings: BackupSettings) -> Self {
        let (store, restores) = (BackupStore::new(database.clone()), RestoreStore::new(database));
        let (live, lent, scratch) = (Live::default(), Lent::default(), Mutex::default());
        let inner = Inner { engine, store, restores, clock, settings, live, lent, scratch };
        Self { inner: Arc::new(inner) }
    }

    /// Lends keys for a release of the app that brings a backup back: until it did, or others are lent, or the agent ends.
    pub fn lend(&self, app: &AppName, keys: FileKeys) {
        self.inner.lent.lend(app, keys);
    }

    /// Makes a backup. Without a service: of the only one of the app that asks for backups. Dropped before its end it leaves
    /// a row that says `running`, which the next run of the service, or [`BackupRuns::recover`], sets right.
    ///
    /// # Errors
    /// When it is refused, or failed: then there is no backup, and the row says why.
    pub async fn make(&self, wanted: Make, progress: Progress) -> Result<BackupRow, BackupError> {
        make::make(&self.inner, wanted, progress).await
    }

    /// Restores a backup on trial into a scratch server without network, compares the rows of every table, and runs the
    /// user's checks.
    ///
    /// # Errors
    /// When it cannot be verified, or is not what it should be: then that stands in its row.
    pub async fn verify(&self, wanted: Verify, progress: Progress) -> Result<BackupRow, BackupError> {
        verify::verify(&self.inner, wanted, progress).await
    }

    /// The beginnings of a backup's stored parts. Who holds the secret key of one of its recipients unwraps the file keys
    /// from them, and gives these for [`Verify::keys`].
    ///
    /// # Errors
    /// When there is no such backup, or no copy of it can be read.
    pub async fn headers(
        &self,
        app: &AppName,
        (id, from): (BackupId, Option<&Origin>),
    ) -> Result<Vec<(PartName, Vec<u8>)>, BackupError> {
        verify::headers(&self.inner, app, (id, from)).await
    }

    /// The backups that were made elsewhere and are where this droplet's backups of an app are.
    ///
    /// # Errors
    /// When the app's places are not known. A destination that cannot be looked at is told in the listing.
    pub async fn list_elsewhere(&self, app: &AppName, from: &Origin) -> Result<Listing, BackupError> {
        origin::list(&self.inner, app, from).await
    }

    /// The backups of an app, or of one of its services: what is remembered, and what is at the destinations now.
    ///
    /// # Errors
    /// When nothing is known of the app or the service. A destination that cannot be looked at is told in the listing.
    pub async fn list(&self, app: &AppName, service: Option<&ServiceName>) -> Result<Listing, BackupError> {
        list::list(&self.inner, app, service).await
    }

    /// The backups of an app that are remembered, the newest first. No destination is looked at.
    ///
    /// # Errors
    /// When the droplet is not enrolled, or the database fails.
    pub async fn remembered(&self, app: &AppName) -> Result<Vec<BackupRow>, BackupError> {
        self.inner.store.rows(&self.inner.droplet()?, app, None).await
    }

    /// One backup with all that is known of it.
    ///
    /// # Errors
    /// When there is no such backup.
    pub async fn show(&self, app: &AppName, id: BackupId) -> Result<Shown, BackupError> {
        list::show(&self.inner, app, id).await
    }

    /// Deletes the backups that the service's `keep` does not keep, or shows which those are.
    ///
    /// # Errors
    /// When it is refused. What could not be deleted is told in [`Deleted::failures`].
    pub async fn prune(&self, wanted: Prune) -> Result<Vec<Pruned>, BackupError> {
        prune::prune(&self.inner, wanted).await
    }

    /// At the agent's start: rows that a dead agent left running are judged by what is at the destinations, scratch servers
    /// are removed; how many there were of both. Runs that are under way are left alone.
    ///
    /// # Errors
    /// When the database or Docker fail; a repeated call goes on.
    pub async fn recover(&self) -> Result<usize, BackupError> {
        recover::recover(&self.inner).await
    }
}

impl Inner {
    fn droplet(&self) -> Result<DropletFolder, BackupError> {
        (self.settings.whose)().ok_or(BackupError::NotEnrolled)
    }
}
