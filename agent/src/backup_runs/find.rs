//! What is at the destinations, in words.

use std::sync::Arc;

use super::{
    BackupError, Copy, Inner,
    places::{Places, Unopened},
};
use crate::{
    backup::{
        catalog::{self, Catalog, CatalogError, Damage, Found, Unseen},
        destination::Destination,
        layout::{Scope, ServiceFolder},
        manifest::ManifestError,
    },
    release::chain,
};

impl Inner {
    /// What is at the places where backups of one service of this droplet may be, and the titles of all that were looked at.
    pub(super) async fn look(&self, folder: &ServiceFolder) -> Result<(Catalog, Vec<String>), BackupError> {
        let (destinations, unopened) = Places::open(self, folder.app()).await?.all();
        let titles = destinations.iter().map(|destination| destination.title().to_owned()).collect();
        Ok((look_with((&destinations, &unopened), folder).await, titles))
    }
}

/// What is at these destinations; those that could not be opened are told too.
pub(super) async fn look_with(
    (destinations, unopened): (&[Arc<dyn Destination>], &[Unopened]),
    folder: &ServiceFolder,
) -> Catalog {
    let mut catalog = look(destinations, folder).await;
    let unopened = unopened.iter().cloned();
    catalog.unseen.extend(unopened.map(|(at, why)| Unseen { at, error: CatalogError::Unopened(why) }));
    catalog
}

/// The same at destinations that are open already.
pub(super) async fn look(destinations: &[Arc<dyn Destination>], folder: &ServiceFolder) -> Catalog {
    catalog::look(destinations, &Scope::Service(folder.clone())).await
}

/// The copies of a backup, with what is wrong with each.
pub(super) fn copies(found: &Found) -> Vec<Copy> {
    let copies = found.copies.iter();
    copies.map(|copy| Copy { at: copy.at.clone(), damage: copy.damage.iter().map(words).collect() }).collect()
}

/// The titles of the destinations where a backup is complete.
pub(super) fn complete(found: &Found) -> Vec<String> {
    let whole = found.copies.iter().filter(|copy| copy.damage.is_empty());
    whole.map(|copy| copy.at.clone()).collect()
}

/// Whether nobody can say now what a backup is worth: its manifest cannot be read at this moment, or not by this agent. Such a
/// one is neither whole nor damaged, and nobody may delete it for what it seems.
pub(super) fn is_undecided(found: &Found) -> bool {
    let unsaid = |damage: &Damage| {
        matches!(
            damage,
            Damage::Unread(_) | Damage::Manifest(ManifestError::Version { .. } | ManifestError::Unknown(_))
        )
    };
    !found.is_complete() && found.copies.iter().flat_map(|copy| &copy.damage).any(unsaid)
}

fn words(damage: &Damage) -> String {
    match damage {
        Damage::Manifest(error) => chain(error),
        Damage::Unread(error) => format!("its manifest could not be read: {}", chain(error)),
        Damage::Elsewhere => "its manifest is another backup's".to_owned(),
        Damage::Missing(part) => format!("{part} is missing"),
        Damage::Size { part, expected, found } => {
            format!("{part} has {found}, and {expected} were stored")
        }
    }
}
