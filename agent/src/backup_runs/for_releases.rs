//! Backups that a release wants before it changes anything.

use std::sync::{Arc, Weak};

use futures::future::BoxFuture;

use super::{BackupRuns, Cause, Inner, Make, Progress, make, progress::size};
use crate::{
    apps::ServiceName,
    release::{DataKeeper, Failure, ReleaseId},
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

impl DataKeeper for ForReleases {
    fn back_up<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let gone = || Failure::new("the backup was not made", "the agent is ending");
            let inner = self.0.upgrade().ok_or_else(gone)?;
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
}
