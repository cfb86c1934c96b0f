//! The data of an app, as far as a release has to do with it: that it is backed up before anything changes.
//!
//! Owns what a release asks of whoever keeps backups, and which services that is about. Must not know how a backup is made:
//! backups know releases, not the other way round.

use std::{fmt::Debug, sync::Arc};

use futures::future::BoxFuture;

use super::{DeployInput, Engine, EngineError, Failure, ReleaseId, ReleasePlan, plan::Step};
use crate::apps::ServiceName;

/// Keeps the data of apps.
pub trait DataKeeper: Debug + Send + Sync {
    /// Makes a backup of a service for this release, as the release that serves asks for it; what was made, in a few words.
    fn back_up<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<String, Failure>>;
}

/// Whether a release begins with a backup. It is asked for once and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupFirst {
    /// It does not.
    #[default]
    No,
    /// It does, of every service that asks for backups in the release that serves.
    Yes,
}

impl Engine {
    /// Names who keeps the data of apps. The first one stays.
    pub fn keep_data_with(&self, keeper: Arc<dyn DataKeeper>) {
        // A second one is a mistake of whoever puts the agent together, and changes nothing.
        drop(self.inner.data.set(keeper));
    }

    /// Puts the backups that were asked for into a plan.
    pub(super) async fn with_backups(
        &self,
        input: &DeployInput,
        mut plan: ReleasePlan,
    ) -> Result<ReleasePlan, EngineError> {
        if input.backup_first == BackupFirst::No {
            return Ok(plan);
        }
        let asking = match self.backed_up(&input.app).await {
            Ok(asking) => asking,
            Err(EngineError::NoApp(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        plan.backups = asking.into_iter().map(|backed| backed.service).collect();
        if plan.backups.is_empty() {
            let what = "no service of the release that serves asks for backups";
            let failure = Failure::new(what, "a backup was asked for before anything changes")
                .hint("give the service `x-tidegate: { backup: ... }` and deploy that first");
            return Err(EngineError::Refused(vec![failure]));
        }
        let harmless = |step: &Step| matches!(step, Step::Pull | Step::Prepare | Step::Timers);
        let at = plan.steps.iter().position(|step| !harmless(step)).unwrap_or(plan.steps.len());
        let later = plan.steps.split_off(at);
        plan.steps.extend(plan.backups.iter().cloned().map(Step::Backup));
        plan.steps.extend(later);
        Ok(plan)
    }
}

/// What a release says where nobody keeps data.
pub(super) fn nobody() -> Failure {
    Failure::new("the backup was not made", "this agent keeps no backups")
        .hint("it is a mistake in tidegate; deploy without a backup")
}
