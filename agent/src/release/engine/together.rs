//! Releases on many droplets, as the edge sees them: where this agent stands, and an operator's word on one in doubt.

use tidegate_saga::State;

use super::{Engine, EngineError};
use crate::{
    apps::{AppName, ReleaseNumber},
    release::{
        Failure, ReleaseId,
        together::{Outcome, Resolution, RolloutId, outcome},
    },
};

impl Engine {
    /// Where this agent stands in a release on many droplets, as its journal has it; with its number here, if there is one.
    ///
    /// # Errors
    /// When the database fails, or the journal makes no sense.
    pub async fn outcome(
        &self,
        app: &AppName,
        rollout: &RolloutId,
    ) -> Result<(Outcome, Option<ReleaseNumber>), EngineError> {
        let found = self.inner.store.of_rollout(app, rollout).await.map_err(EngineError::Database)?;
        let Some((release, state)) = found else {
            return Ok((Outcome::UNKNOWN, None));
        };
        let id = ReleaseId { app: app.clone(), release };
        let records = self.inner.store.records(&id.label()).await.map_err(EngineError::Database)?;
        let journal = State::replay(&records).map_err(|error| {
            EngineError::Failed(Failure::caused_by(
                format!("the journal of {release} cannot be read"),
                &error,
            ))
        })?;
        Ok((outcome::of(&journal, state), Some(release)))
    }

    /// Ends a release that is in doubt as an operator says; which that is.
    ///
    /// # Errors
    /// When no release of the app is in doubt: nothing was changed.
    pub fn resolve(&self, app: &AppName, resolution: &Resolution) -> Result<ReleaseNumber, EngineError> {
        let live = self.inner.live().get(app).cloned();
        let doubtful = live.and_then(|live| live.release.filter(|_| live.standing.resolve(resolution)));
        doubtful.ok_or_else(|| EngineError::NotInDoubt { app: app.clone() })
    }
}
