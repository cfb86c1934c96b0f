//! What a restore is going to do: data, made before anything is changed, kept as the saga's parameters and in its row.
//!
//! Owns the names that databases get on the way. Pure. Holds no secret.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::{BackupId, MadeOn};
use crate::{
    apps::{AppName, ServiceName},
    backup::ByteCount,
    postgres::{DatabaseName, derived},
    release::Writer,
};

/// How long what served before a restore is kept, unless somebody removes it sooner.
pub const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// What a restore is going to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestorePlan {
    /// Of which app.
    pub app: AppName,
    /// Of which service of it.
    pub service: ServiceName,
    /// Where the data comes from.
    pub source: RestoreSource,
    /// Where the backup was made, where one of elsewhere was asked for.
    #[serde(default)]
    pub made_on: Option<MadeOn>,
    /// The moment whose data comes back.
    pub taken_at: Timestamp,
    /// How much it is, before compression.
    pub plain: ByteCount,
    /// The revision of its schema, where that is known.
    pub revision: Option<String>,
    /// What happens to databases; at least one.
    pub databases: Vec<PlannedDatabase>,
    /// Where they go.
    pub place: Place,
}

/// Where the data of a restore comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreSource {
    /// A backup.
    Backup(BackupId),
    /// What served before an earlier restore, and is still there.
    Former(BackupId),
}

/// Where restored databases go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Beside all others: nobody notices.
    Beside,
    /// In the place of those that serve.
    Serving {
        /// The containers that stand still meanwhile, each before those that it depends on.
        writers: Vec<Writer>,
        /// Whether the app's visitors are to be told to come back later.
        visitors: Visitors,
    },
}

/// What the app's visitors see while it stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visitors {
    /// The maintenance page, from the beginning to the end.
    ToldToWait,
    /// What they see anyway: nothing is behind the ingress, or they are told already.
    AsBefore,
}

/// What happens to one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedDatabase {
    /// What it is called in the backup.
    pub source: DatabaseName,
    /// What it is called in the end.
    pub name: DatabaseName,
    /// What it is called until it serves.
    pub fresh: DatabaseName,
    /// What the one that serves now is called afterwards; none where there is none.
    pub former: Option<DatabaseName>,
}

impl RestorePlan {
    /// The containers that stand still.
    pub fn writers(&self) -> &[Writer] {
        match &self.place {
            Place::Beside => &[],
            Place::Serving { writers, .. } => writers,
        }
    }

    /// The databases that are kept when it is done.
    pub fn formers(&self) -> impl Iterator<Item = &DatabaseName> {
        self.databases.iter().filter_map(|planned| planned.former.as_ref())
    }
}

/// A database that takes the place of the one of its name.
pub fn in_place(source: &DatabaseName, there: &BTreeSet<DatabaseName>, id: BackupId) -> PlannedDatabase {
    PlannedDatabase {
        source: source.clone(),
        name: source.clone(),
        fresh: named(source, "restoring", id),
        former: there.contains(source).then(|| named(source, "before", id)),
    }
}

/// `shop_before_4f2a91c0`: of the restore with that id, and no longer than the server takes.
fn named(database: &DatabaseName, what: &str, id: BackupId) -> DatabaseName {
    let id = id.to_string();
    let random = id.rsplit('-').next().unwrap_or_default();
    derived(database, &format!("_{what}_{random}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DatabaseName {
        DatabaseName(text.to_owned())
    }

    #[test]
    fn what_serves_is_kept_under_a_name_that_tells_of_the_restore() {
        let id = "20261123T030000Z-4f2a91c0".parse().unwrap();
        let there = BTreeSet::from([name("shop"), name("postgres")]);
        let planned = in_place(&name("shop"), &there, id);
        assert_eq!(planned.fresh, name("shop_restoring_4f2a91c0"));
        assert_eq!(planned.former, Some(name("shop_before_4f2a91c0")));
        assert_eq!(in_place(&name("gone"), &there, id).former, None);
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let id = "20261123T030000Z-4f2a91c0".parse().unwrap();
        let long = name(&"ä".repeat(31));
        let planned = in_place(&long, &BTreeSet::from([long.clone()]), id);
        for made in [planned.fresh, planned.former.unwrap()] {
            assert!(made.0.len() <= 63 && made.0.ends_with("_4f2a91c0"), "{made:?}");
        }
    }
}
