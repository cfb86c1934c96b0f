//! What is at the destinations, in words.

use std::sync::Arc;

use super::{Copy, Inner};
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
    /// What is at the destinations of one service of this droplet.
    pub(super) async fn look(&self, folder: &ServiceFolder) -> Catalog {
        match self.local().await {
            Ok(local) => look(&[local], folder).await,
            Err(error) => {
                let at = format!("directory {}", self.settings.local.display());
                let unseen = vec![Unseen { at, error: CatalogError::List(error) }];
                Catalog { unseen, ..Catalog::default() }
            }
        }
    }
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
