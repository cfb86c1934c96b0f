//! Backups that were made elsewhere, by another droplet, in another environment or of another app, and are at a destination that
//! this droplet reaches: a bucket that both write to.
//!
//! Owns finding them. They are only ever read: what rotation or a look at what was left behind deletes is this droplet's own.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use tidegate_proto::names::{DropletId, EnvironmentName};

use super::{
    BackupError, BackupRow, Inner, Listed, Listing, find,
    places::{Places, Unopened},
    subject::Subject,
};
use crate::{
    apps::{AppName, ServiceName},
    backup::{
        BackupId, Manifest,
        catalog::{self, Catalog, CatalogError, Found, Unseen},
        destination::Destination,
        layout::{Scope, ServiceFolder},
    },
    release::chain,
};

/// Where backups were made that are looked for: on any droplet of an environment of this fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The environment.
    pub environment: EnvironmentName,
    /// The app.
    pub app: AppName,
    /// The service; none for all of the app.
    pub service: Option<ServiceName>,
}

/// Where a backup was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeOn {
    /// The environment.
    pub environment: EnvironmentName,
    /// The droplet.
    pub droplet: DropletId,
    /// The app.
    pub app: AppName,
    /// The service.
    pub service: ServiceName,
}

/// A backup that was chosen, and the folder that it lies in.
pub(super) struct Chosen {
    pub(super) row: BackupRow,
    pub(super) folder: ServiceFolder,
}

impl Chosen {
    /// One of the subject's own.
    pub(super) fn own(subject: &Subject, row: BackupRow) -> Self {
        Self { row, folder: subject.folder.clone() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.environment, self.app)?;
        self.service.as_ref().map_or(Ok(()), |service| write!(f, "/{service}"))
    }
}

impl MadeOn {
    /// What a manifest says.
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            environment: manifest.environment.clone(),
            droplet: manifest.droplet,
            app: manifest.app.clone(),
            service: manifest.service.clone(),
        }
    }
}

/// The backup that is meant, at the places of an app of this droplet; without an id the latest that is complete.
pub(super) async fn chosen(
    inner: &Inner,
    app: &AppName,
    (origin, id): (&Origin, Option<BackupId>),
) -> Result<Chosen, BackupError> {
    let catalog = look(inner, app, origin).await?;
    let unseen = catalog.unseen.iter();
    let seen: Vec<String> = unseen
        .map(|unseen| format!("{} could not be looked at: {}", unseen.at, chain(&unseen.error)))
        .collect();
    let is_meant = |found: &Found| match id {
        Some(id) => found.folder.id() == id,
        None => found.is_complete(),
    };
    let meant = catalog.backups.into_iter().filter(is_meant).max_by_key(|found| found.folder.id());
    let Some(found) = meant else {
        return Err(BackupError::NothingElsewhere { origin: origin.to_string(), id, seen });
    };
    let folder = found.folder.service().clone();
    match &found.manifest {
        Some(manifest) => Ok(Chosen { row: BackupRow::found(manifest, find::complete(&found)), folder }),
        None => Err(BackupError::NoCopy { id: found.folder.id(), seen }),
    }
}

/// All backups that were made there, the newest first.
pub(super) async fn list(inner: &Inner, app: &AppName, origin: &Origin) -> Result<Listing, BackupError> {
    let Catalog { backups, unseen, .. } = look(inner, app, origin).await?;
    let listed = |found: &Found| {
        let manifest = found.manifest.as_ref()?;
        let row = BackupRow::found(manifest, find::complete(found));
        Some(Listed { row, copies: find::copies(found), made_on: Some(MadeOn::of(manifest)) })
    };
    let mut backups: Vec<Listed> = backups.iter().filter_map(listed).collect();
    backups.sort_by_key(|listed| std::cmp::Reverse(listed.row.id));
    // What others left behind is theirs.
    Ok(Listing { backups, orphans: Vec::new(), unseen })
}

async fn look(inner: &Inner, app: &AppName, origin: &Origin) -> Result<Catalog, BackupError> {
    let (destinations, unopened): (Vec<Arc<dyn Destination>>, Vec<Unopened>) =
        Places::open(inner, app).await?.all();
    let scope = Scope::Anywhere {
        fleet: inner.droplet()?.fleet,
        environment: origin.environment.clone(),
        app: origin.app.clone(),
        service: origin.service.clone(),
    };
    let mut catalog = catalog::look(&destinations, &scope).await;
    let closed = unopened.into_iter();
    catalog.unseen.extend(closed.map(|(at, why)| Unseen { at, error: CatalogError::Unopened(why) }));
    Ok(catalog)
}
