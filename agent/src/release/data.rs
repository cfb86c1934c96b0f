//! The data of an app, as far as a release has to do with it: that it is backed up before anything changes, and comes back
//! when a breaking migration is taken back.
//!
//! Owns what a release asks of whoever keeps backups, and which services that is about. Must not know how a backup is made:
//! backups know releases, not the other way round.

use std::{fmt::Debug, sync::Arc};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{
    DeployInput, Engine, EngineError, Failure, ReleaseId, ReleasePlan,
    plan::{ReturningBackup, Step},
};
use crate::apps::{AppName, ServiceName};

/// Keeps the data of apps.
pub trait DataKeeper: Debug + Send + Sync {
    /// Makes a backup of a service for this release, as the release that serves asks for it; what was made, in a few words.
    fn back_up<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<String, Failure>>;

    /// Refuses where a service's databases could not be copied: too little room, a server that does not answer, something
    /// that is tied to them. Changes nothing.
    fn may_copy<'a>(
        &'a self,
        app: &'a AppName,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Copies a service's databases for this release, beside them; what was copied, in a few words. Whoever is connected is
    /// cut off. A copy that is there already is that of before.
    fn copy<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<String, Failure>>;

    /// Puts the copies in the place of the databases, which go. Without copies there is nothing to be done.
    fn give_back<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// The backup of a service that a release made between these two times, where there is one.
    fn backup_of<'a>(
        &'a self,
        app: &'a AppName,
        service: &'a ServiceName,
        between: (Timestamp, Timestamp),
    ) -> BoxFuture<'a, Result<Option<ReturningBackup>, Failure>>;

    /// Refuses a backup that could not take the place of what serves. Changes nothing.
    fn may_bring_back<'a>(
        &'a self,
        app: &'a AppName,
        backup: &'a ReturningBackup,
        opens: Opens,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Puts a backup in the place of what serves, which is kept as a copy of this release; what was restored, in a few words.
    fn bring_back<'a>(
        &'a self,
        release: &'a ReleaseId,
        backup: &'a ReturningBackup,
    ) -> BoxFuture<'a, Result<String, Failure>>;

    /// Keeps that copy for some days, as a restore does; what is kept, in a few words.
    fn retain<'a>(
        &'a self,
        release: &'a ReleaseId,
        backup: &'a ReturningBackup,
    ) -> BoxFuture<'a, Result<String, Failure>>;

    /// Removes the copies.
    fn discard<'a>(
        &'a self,
        release: &'a ReleaseId,
        service: &'a ServiceName,
    ) -> BoxFuture<'a, Result<(), Failure>>;
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

/// Whether a rollback brings back the data of then. It is asked for once and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataOfThen {
    /// It leaves the data as it is.
    #[default]
    Stays,
    /// It brings back what was backed up before the first release that is gone back over.
    Comes,
}

/// Whether it matters now that a backup can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// Later: who plans may not have given the keys yet.
    Later,
    /// Now.
    Now,
}

impl Engine {
    /// Names who keeps the data of apps. The first one stays.
    pub fn keep_data_with(&self, keeper: Arc<dyn DataKeeper>) {
        // A second one is a mistake of whoever puts the agent together, and changes nothing.
        drop(self.inner.data.set(keeper));
    }

    /// Who keeps the data of apps.
    pub(super) fn keeper(&self) -> Result<&Arc<dyn DataKeeper>, EngineError> {
        self.inner.data.get().ok_or_else(|| EngineError::Failed(nobody()))
    }

    /// Refuses a standstill whose data could not come back.
    pub(super) async fn may_stand_still(
        &self,
        input: &DeployInput,
        plan: &ReleasePlan,
    ) -> Result<(), EngineError> {
        let Some(still) = &plan.standstill else { return Ok(()) };
        let refused = |failure| Err(EngineError::Refused(vec![failure]));
        if input.together.is_some() {
            let what = "the migration is of kind `breaking`";
            let why = "a release that several droplets make together cannot stand still for it";
            let failure = Failure::new(what, why)
                .hint("split it into steps that old code can live with, and call them `compatible`");
            return refused(failure);
        }
        if !still.returning.is_empty() {
            return Ok(());
        }
        let asking = self.backed_up(&input.app).await?;
        for service in &still.databases {
            if !asking.iter().any(|backed| backed.service == *service) {
                let what = format!("the databases of {service} are not backed up by the release that serves");
                let failure = Failure::new(what, "a breaking migration needs a backup before it begins")
                    .hint("deploy the `backup` of the service first, without the migration");
                return refused(failure);
            }
            let keeper = self.keeper()?;
            if let Err(failure) = keeper.may_copy(&input.app, service).await {
                return refused(failure);
            }
        }
        Ok(())
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
        // What stands still is backed up then.
        let still = std::mem::take(&mut plan.backups);
        let early: Vec<ServiceName> = asking
            .into_iter()
            .map(|backed| backed.service)
            .filter(|service| !still.contains(service))
            .collect();
        plan.backups = still.into_iter().chain(early.iter().cloned()).collect();
        if plan.backups.is_empty() {
            let what = "no service of the release that serves asks for backups";
            let failure = Failure::new(what, "a backup was asked for before anything changes")
                .hint("give the service `x-tidegate: { backup: ... }` and deploy that first");
            return Err(EngineError::Refused(vec![failure]));
        }
        let harmless = |step: &Step| matches!(step, Step::Pull | Step::Prepare | Step::Timers);
        let at = plan.steps.iter().position(|step| !harmless(step)).unwrap_or(plan.steps.len());
        let later = plan.steps.split_off(at);
        plan.steps.extend(early.into_iter().map(Step::Backup));
        plan.steps.extend(later);
        Ok(plan)
    }
}

/// What a release says where nobody keeps data.
pub(super) fn nobody() -> Failure {
    Failure::new("the backup was not made", "this agent keeps no backups")
        .hint("it is a mistake in tidegate; deploy without a backup")
}
