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
    /// What they are.
    #[serde(default)]
    pub replaces: Replaces,
}

/// What a restore puts in the place of what serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replaces {
    /// Databases of a server that goes on.
    #[default]
    Databases,
    /// The file or directory that a server reads when it starts: it is started anew for it. Names are paths in its container.
    Files,
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

/// What takes the place of the file or directory that a server keeps its data in.
pub fn file_in_place(beside: impl Fn(&str) -> String, data: String, id: BackupId) -> PlannedDatabase {
    let name = |what: &str| DatabaseName(beside(&format!(".tidegate-{what}-{}", random_of(id))));
    PlannedDatabase {
        source: DatabaseName(data.clone()),
        name: DatabaseName(data),
        fresh: name("restoring"),
        former: Some(name("before")),
    }
}

/// `shop_before_4f2a91c0`: of the restore with that id, and no longer than the server takes.
fn named(database: &DatabaseName, what: &str, id: BackupId) -> DatabaseName {
    derived(database, &format!("_{what}_{}", random_of(id)))
}

/// `4f2a91c0`
fn random_of(id: BackupId) -> String {
    let id = id.to_string();
    id.rsplit('-').next().unwrap_or_default().to_owned()
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
    fn a_file_has_its_former_beside_it() {
        let id = "20261123T030000Z-4f2a91c0".parse().unwrap();
        let planned = file_in_place(|name| format!("/data/{name}"), "/data/dump.rdb".to_owned(), id);
        assert_eq!(planned.fresh, name("/data/.tidegate-restoring-4f2a91c0"));
        assert_eq!(planned.former, Some(name("/data/.tidegate-before-4f2a91c0")));
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
