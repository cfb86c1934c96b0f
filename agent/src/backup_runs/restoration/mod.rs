//! Restores in earnest: a backup becomes databases beside those that serve, is looked at, and takes their place; what served
//! before is kept. A journaled saga, so that an agent that is killed anywhere ends with what served before, or with all of
//! what was restored.
//!
//! Owns the course of a restore and what is remembered of it. How a backup is opened is `opened`'s, how databases change
//! their names `crate::postgres`'s, who stands still meanwhile `crate::release`'s.

mod admit;
mod course;
mod engines;
mod mysql;
mod plan;
mod redis;
mod row;
mod run;
mod steps;
mod store;
pub(super) mod with_release;

use std::sync::Arc;

use secrecy::SecretString;

pub(super) use self::run::expire;
pub use self::{
    plan::{Place, PlannedDatabase, Replaces, RestorePlan, RestoreSource},
    row::{RestoreRow, RestoreState},
    store::{MIGRATION, RestoreStore},
};
use super::{BackupError, BackupId, BackupRuns, FileKeys, Origin, Progress};
use crate::{
    apps::{AppName, ServiceName},
    postgres::DatabaseName,
};

/// A backup is to be restored.
#[derive(Debug)]
pub struct Restore {
    /// Of this app.
    pub app: AppName,
    /// Of this service of it; none: that of the backup, or the only one that asks for backups.
    pub service: Option<ServiceName>,
    /// This one; none: the latest that is stored.
    pub id: Option<BackupId>,
    /// Only this database of it; none: all.
    pub database: Option<DatabaseName>,
    /// Under this name beside all others; none: in the place of those that serve.
    pub into: Option<DatabaseName>,
    /// What opens it; empty: the agent's own key, as long as it has it.
    pub keys: FileKeys,
    /// Where it was made; none: on this droplet, for this service.
    pub from: Option<Origin>,
    /// Statements that run in the restored database, all or none, before anybody sees it.
    pub scrub: Option<SecretString>,
    /// Who asks.
    pub actor: String,
}

/// What served before a restore is to serve again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// Of this app.
    pub app: AppName,
    /// Before this restore.
    pub id: BackupId,
    /// Who asks.
    pub actor: String,
}

impl BackupRuns {
    /// What a restore would do. Changes nothing.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub async fn plan_restore(&self, wanted: &Restore) -> Result<RestorePlan, BackupError> {
        let subject = admit::subject(&self.inner, wanted).await?;
        let (plan, _) = admit::restore(
            &self.inner,
            (&subject, wanted),
            BackupId::new(self.inner.clock.now(), rand::random()),
        )
        .await?;
        Ok(plan)
    }

    /// Restores a backup. Dropped before its end it stands still until the agent's next start.
    ///
    /// # Errors
    /// When it is refused, and nothing was changed; or when it failed, and was undone.
    pub async fn restore(&self, wanted: Restore, progress: Progress) -> Result<RestoreRow, BackupError> {
        run::restore(&self.inner, wanted, progress).await
    }

    /// What putting back would do. Changes nothing.
    ///
    /// # Errors
    /// Everything that stands against it.
    pub async fn plan_revert(&self, wanted: &Revert) -> Result<RestorePlan, BackupError> {
        let id = BackupId::new(self.inner.clock.now(), rand::random());
        admit::revert(&self.inner, wanted, id).await.map(|(_, plan)| plan)
    }

    /// Puts back what served before a restore; what serves now is kept in its turn.
    ///
    /// # Errors
    /// As [`BackupRuns::restore`].
    pub async fn revert(&self, wanted: Revert, progress: Progress) -> Result<RestoreRow, BackupError> {
        run::revert(&self.inner, wanted, progress).await
    }

    /// The restores of an app, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn restores(&self, app: &AppName) -> Result<Vec<RestoreRow>, BackupError> {
        self.inner.restores.rows(&self.inner.droplet()?, Some(app)).await
    }

    /// Removes for good what served before a restore; the databases that went.
    ///
    /// # Errors
    /// When there is nothing of that kind, or the server refuses.
    pub async fn drop_former(
        &self,
        app: &AppName,
        (id, actor): (BackupId, &str),
    ) -> Result<Vec<DatabaseName>, BackupError> {
        run::drop_former(&self.inner, app, (id, actor)).await
    }

    /// At the agent's start: restores that a dead agent left behind are finished or undone, in the background; how many.
    ///
    /// # Errors
    /// When the agent's database fails.
    pub async fn resume_restores(&self) -> Result<usize, BackupError> {
        run::resume_all(&Arc::clone(&self.inner)).await
    }
}
