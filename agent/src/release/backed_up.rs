//! Which services of the release that serves ask for backups, and what a backup of them has to know.
//!
//! Owns the look. Must not know how backups are made.

use std::collections::BTreeMap;

use tidegate_compose::x_tidegate::Backup;

use super::{Engine, EngineError, ReleaseRow, ReleaseState, load::LoadedProject};
use crate::apps::{AppName, ReleaseNumber, ServiceName};

/// A service whose data is backed up.
#[derive(Clone, Debug)]
pub struct BackedUp {
    /// The release that serves.
    pub release: ReleaseNumber,
    /// Which service.
    pub service: ServiceName,
    /// How.
    pub backup: Backup,
    /// The image as the Compose file names it.
    pub image: String,
    /// The id of that image in this release, `sha256:...`; empty where the release did not tell it.
    pub image_id: String,
    /// The words that it starts with, where the Compose file says any: entry point and command.
    pub command: Vec<String>,
    /// The service's variables.
    pub environment: BTreeMap<String, String>,
}

impl Engine {
    /// The services of the release that serves that ask for backups, in the order of their names.
    ///
    /// # Errors
    /// When no release of the app serves, or its files cannot be read any more.
    pub async fn backed_up(&self, app: &AppName) -> Result<Vec<BackedUp>, EngineError> {
        let (row, loaded) = self.serving_project(app).await?;
        let asking = loaded.extension.services.into_iter();
        let found = asking.filter_map(|(name, extension)| {
            let service = loaded.project.services.get(&name)?;
            let image = service.image.clone();
            let used = row.images.iter().find(|used| used.reference == image);
            let variables = service.environment.iter();
            let words = [&service.entrypoint.0, &service.command.0];
            Some(BackedUp {
                release: row.number,
                service: ServiceName::new(&name),
                backup: extension.backup?,
                image_id: used.map(|used| used.id.clone()).unwrap_or_default(),
                image,
                command: words.into_iter().flatten().flatten().cloned().collect(),
                environment: variables.filter_map(|(k, v)| Some((k.clone(), v.clone()?))).collect(),
            })
        });
        Ok(found.collect())
    }

    /// The release that serves, with its project.
    pub(super) async fn serving_project(
        &self,
        app: &AppName,
    ) -> Result<(ReleaseRow, LoadedProject), EngineError> {
        let rows = self.releases(app).await?;
        let serving = rows.into_iter().find(|row| row.state == ReleaseState::Released);
        let row = serving.ok_or_else(|| EngineError::NoApp(app.clone()))?;
        let (_, loaded) = self.kept(&row)?;
        Ok((row, loaded))
    }
}
