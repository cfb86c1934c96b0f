//! Copies of a service's databases for a release with a breaking migration: made beside them while nobody writes, put in
//! their place when the release is taken back, removed when it counts.
//!
//! Owns the names of copies: `shop_before_r42`. A copy is whole or is not there: the server makes and renames databases in
//! transactions. Must not know releases beyond their numbers.

use std::{collections::BTreeSet, time::Duration};

use super::{
    BackupError, Inner,
    progress::size,
    source::{PostgresSource, answering},
    space,
    subject::Subject,
};
use crate::{
    apps::{AppName, ReleaseNumber, ServiceName},
    postgres::{Connections, DatabaseName, Postgres, PostgresError, Rename, derived},
    release::ReleaseId,
};

/// A gigabyte takes seconds; somebody who has hundreds of them waits, with the app standing still.
const DEADLINE: Duration = Duration::from_hours(1);

/// What a copy is called until it comes back or goes.
pub(super) const BEFORE: &str = "before";
/// What a backup is called until it takes a database's place.
pub(super) const RESTORING: &str = "restoring";
/// What a database is called whose copy came back, until it is gone.
const UNDONE: &str = "undone";

/// Whether the databases can be copied: all that can be known before.
pub(super) async fn may_copy(inner: &Inner, app: &AppName, service: &ServiceName) -> Result<(), BackupError> {
    let subject = inner.subject(app, Some(service)).await?;
    let source = PostgresSource::find(inner, &subject).await?;
    untied(&subject, (&source.postgres, &source.databases)).await?;
    space::check_for_copy(inner, source.size).await
}

pub(super) async fn copy(
    inner: &Inner,
    ReleaseId { app, release }: &ReleaseId,
    service: &ServiceName,
) -> Result<String, BackupError> {
    let subject = inner.subject(app, Some(service)).await?;
    answering(inner, &subject).await?;
    let source = PostgresSource::find(inner, &subject).await?;
    untied(&subject, (&source.postgres, &source.databases)).await?;
    space::check_for_copy(inner, source.size).await?;
    let failed = |error| BackupError::Copying { service: subject.service.clone(), source: error };
    let there = source.postgres.database_names().await.map_err(failed)?;
    let mut copies = Vec::new();
    for database in &source.databases {
        let copy = derived(database, &ending(BEFORE, *release));
        if !there.contains(&copy) {
            source.postgres.copy_database((database, &copy), DEADLINE).await.map_err(failed)?;
        }
        copies.push(copy.0);
    }
    Ok(format!("{}, {}", copies.join(", "), size(source.size)))
}

/// Puts copies that are there in the place of what they are copies of.
pub(super) async fn give_back(
    inner: &Inner,
    ReleaseId { app, release }: &ReleaseId,
    service: &ServiceName,
) -> Result<(), BackupError> {
    inner.lent.end(app);
    let subject = inner.subject(app, Some(service)).await?;
    let postgres = answering(inner, &subject).await?;
    let failed = |source| BackupError::Copying { service: subject.service.clone(), source };
    let there = postgres.database_names().await.map_err(failed)?;
    let mut renames = Vec::new();
    for name in originals(&there, *release) {
        if there.contains(&name) {
            let undone = derived(&name, &ending(UNDONE, *release));
            renames.push(Rename { from: name.clone(), to: undone, then: Connections::Refused });
        }
        let copy = derived(&name, &ending(BEFORE, *release));
        renames.push(Rename { from: copy, to: name, then: Connections::Allowed });
    }
    if !renames.is_empty() {
        postgres.rename(&renames).await.map_err(failed)?;
    }
    let there = postgres.database_names().await.map_err(failed)?;
    for gone in [UNDONE, RESTORING] {
        drop_all((&postgres, &there), (gone, *release)).await.map_err(failed)?;
    }
    Ok(())
}

pub(super) async fn discard(
    inner: &Inner,
    ReleaseId { app, release }: &ReleaseId,
    service: &ServiceName,
) -> Result<(), BackupError> {
    let subject = inner.subject(app, Some(service)).await?;
    let postgres = answering(inner, &subject).await?;
    let failed = |source| BackupError::Copying { service: subject.service.clone(), source };
    let there = postgres.database_names().await.map_err(failed)?;
    drop_all((&postgres, &there), (BEFORE, *release)).await.map_err(failed)
}

async fn drop_all(
    (postgres, there): (&Postgres, &BTreeSet<DatabaseName>),
    (what, release): (&str, ReleaseNumber),
) -> Result<(), PostgresError> {
    let end = ending(what, release);
    for database in there.iter().filter(|database| database.0.ends_with(&end)) {
        postgres.drop_database(database).await?;
    }
    Ok(())
}

/// What is tied to a database does not come back with its copy.
async fn untied(
    subject: &Subject,
    (postgres, databases): (&Postgres, &[DatabaseName]),
) -> Result<(), BackupError> {
    for database in databases {
        let ties = postgres.ties(database).await;
        let ties = ties.map_err(|error| BackupError::Server {
            service: subject.service.clone(),
            source: error.into(),
        })?;
        if !ties.is_empty() {
            return Err(BackupError::Tied { database: database.0.clone(), ties: ties.into_iter().collect() });
        }
    }
    Ok(())
}

/// The databases of which there are copies.
pub(super) fn originals(there: &BTreeSet<DatabaseName>, release: ReleaseNumber) -> BTreeSet<DatabaseName> {
    let end = ending(BEFORE, release);
    let copy_of = |name: &DatabaseName| derived(name, &end);
    let is_copied = |name: &&DatabaseName| !name.0.ends_with(&end) && there.contains(&copy_of(name));
    let mut found: BTreeSet<DatabaseName> = there.iter().filter(is_copied).cloned().collect();
    // One that the migration has renamed or dropped.
    for copy in there {
        let Some(name) = copy.0.strip_suffix(&end).map(|name| DatabaseName(name.to_owned())) else {
            continue;
        };
        if !found.iter().any(|name| copy_of(name) == *copy) {
            found.insert(name);
        }
    }
    found
}

pub(super) fn ending(what: &str, release: ReleaseNumber) -> String {
    format!("_{what}_{release}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> BTreeSet<DatabaseName> {
        texts.iter().map(|text| DatabaseName((*text).to_owned())).collect()
    }

    #[test]
    fn each_copy_of_the_release_has_its_original() {
        let there = names(&[
            "postgres",
            "shop",
            "shop_before_r7",
            "blog_before_r7",
            "shop_before_r71",
            "shop_before_4f2a91c0",
        ]);
        assert_eq!(originals(&there, ReleaseNumber::new(7)), names(&["blog", "shop"]));
        assert_eq!(originals(&names(&["shop"]), ReleaseNumber::new(7)), names(&[]));
    }

    #[test]
    fn a_long_name_is_found_though_its_copy_has_a_part_of_it() {
        let long = DatabaseName("x".repeat(63));
        let copy = derived(&long, &ending(BEFORE, ReleaseNumber::new(7)));
        let there = BTreeSet::from([long.clone(), copy]);
        assert_eq!(originals(&there, ReleaseNumber::new(7)), BTreeSet::from([long]));
    }
}
