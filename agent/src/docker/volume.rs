//! Volumes: looking, making, removing.

use std::collections::HashMap;

use bollard::{
    models::VolumeCreateRequest,
    query_parameters::{ListVolumesOptions, RemoveVolumeOptions},
};

use super::{
    Docker, DockerError,
    client::{CALL, within},
};

/// What is known about a volume that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
}

impl Docker {
    /// All volumes.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn volumes(&self) -> Result<Vec<VolumeFacts>, DockerError> {
        let api = self.api().await?;
        let list = within("list the volumes", CALL, api.list_volumes(None::<ListVolumesOptions>)).await?;
        let facts =
            |volume: bollard::models::Volume| VolumeFacts { name: volume.name, labels: volume.labels };
        Ok(list.volumes.unwrap_or_default().into_iter().map(facts).collect())
    }

    /// Makes a volume.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn create_volume(&self, request: VolumeCreateRequest) -> Result<(), DockerError> {
        let doing = format!("create the volume {}", request.name.as_deref().unwrap_or_default());
        within(&doing, CALL, self.api().await?.create_volume(request)).await.map(drop)
    }

    /// Removes a volume with its data; one that is not there is removed.
    ///
    /// # Errors
    /// When it is in use, or the engine does not answer.
    pub async fn remove_volume(&self, name: &str) -> Result<(), DockerError> {
        let doing = format!("remove the volume {name}");
        let api = self.api().await?;
        match within(&doing, CALL, api.remove_volume(name, None::<RemoveVolumeOptions>)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}
