//! Backups and copies of data that a release wants.

use std::sync::{Arc, Weak};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{
    BackupRuns, Cause, Inner, Make, Progress, copies, make, progress::size, restoration::with_release,
};
use crate::{
    apps::{AppName, ServiceName},
    release::{DataKeeper, Failure, Opens, ReleaseId, plan::ReturningBackup},
};

/// Who asks for them.
const AGENT: &str = "agent";

/// Makes them, as long as the runs are there: the engine that holds this is held by them.
struct ForReleases(Weak<Inner>);

impl std::fmt::Debug for ForReleases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForReleases").finish_non_exhaustive()
    }
}

impl BackupRuns {
    /// What the engine asks for backups.
    pub fn for_releases(&self) -> Arc<dyn DataKeeper> {
        Arc::new(ForReleases(Arc::downgrade(&self.inner)))
    }
}

impl ForReleases {
    fn runs(&self, what: &str) -> Result<Arc<Inner>, Failure> {
        self.0.upgrade().ok_or_else(|| Failure::new(what, "the agent is ending"))
    }
}

impl DataKeeper for ForReleases {
    fn back_up<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let inner = self.runs("the backup was not made")?;
            let wanted = Make {
                app: release.app.clone(),
                service: Some(service.clone()),
                cause: Cause::Release,
                actor: AGENT.to_owned(),
            };
            let made = make::make(&inner, wanted, Progress::none()).await;
            let row = made.map_err(|error| error.failure())?;
            Ok(format!("{}, {}", row.id, size(row.stored)))
        })
    }

    fn may_copy<'a>(
        &'a self,
        app: &'a AppName,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let inner = self.runs("nothing was looked at")?;
            copies::may_copy(&inner, app, service).await.map_err(|error| error.failure())
        })
    }

    fn copy<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let inner = self.runs("the databases were not copied")?;
            copies::copy(&inner, release, service).await.map_err(|error| error.failure())
        })
    }

    fn give_back<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let inner = self.runs("the copies were not put back")?;
            copies::give_back(&inner, release, service).await.map_err(|error| error.failure())
        })
    }

    fn backup_of<'a>(
        &'a self,
        app: &'a AppName,
        service: &'a ServiceName,
        between: (Timestamp, Timestamp),
    ) -> BoxFuture<'a, Result<Option<ReturningBackup>, Failure>> {
        Box::pin(async move {
            let inner = self.runs("no backup was looked for")?;
            with_release::backup_of(&inner, (app, service), between).await.map_err(|error| error.failure())
        })
    }

    fn may_bring_back<'a>(
        &'a self,
        app: &'a AppName,
        backup: &'a ReturningBackup,
        opens: Opens,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let inner = self.runs("the backup was not looked at")?;
            let may = with_release::may_bring_back(&inner, (app, backup), opens).await;
            may.map_err(|error| error.failure())
        })
    }

    fn bring_back<'a>(
        &'a self,
        release: &'a ReleaseId,
        backup: &'a ReturningBackup,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let inner = self.runs("nothing was restored")?;
            with_release::bring_back(&inner, release, backup).await.map_err(|error| error.failure())
        })
    }

    fn retain<'a>(
        &'a self,
        release: &'a ReleaseId,
        backup: &'a ReturningBackup,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let inner = self.runs("what served before is in no list")?;
            with_release::retain(&inner, release, backup).await.map_err(|error| error.failure())
        })
    }

    fn discard<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let inner = self.runs("the copies were not removed")?;
            copies::discard(&inner, release, service).await.map_err(|error| error.failure())
        })
    }
}
