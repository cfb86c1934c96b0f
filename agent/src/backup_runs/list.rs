//! Listing and showing: what is remembered, beside what is at the destinations now.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BackupError, BackupRow, BackupState, Copy, Inner, Listed, Listing, Shown, find, subject::service_folder,
};
use crate::{
    apps::{AppName, ServiceName},
    backup::{
        BackupId, Manifest,
        catalog::{Catalog, CatalogError, Found, Unseen},
    },
};

pub(super) async fn list(
    inner: &Inner,
    app: &AppName,
    service: Option<&ServiceName>,
) -> Result<Listing, BackupError> {
    let mut listing = Listing::default();
    for service in services(inner, app, service).await? {
        // Read before the look: what begins meanwhile is missing from both.
        let rows = inner.store.rows(&inner.droplet()?, app, Some(&service)).await?;
        let (catalog, looked_at) = inner.look(&service_folder(inner.droplet()?, app, &service)?).await?;
        let elsewhere = elsewhere(&rows, &catalog, &looked_at);
        merge(&mut listing, rows, catalog);
        told_once(&mut listing, elsewhere);
    }
    listing.backups.sort_by_key(|listed| std::cmp::Reverse(listed.row.id));
    Ok(listing)
}

pub(super) async fn show(inner: &Inner, app: &AppName, id: BackupId) -> Result<Shown, BackupError> {
    let droplet = inner.droplet()?;
    let row = inner.store.row(&droplet, app, id).await?;
    let services = match &row {
        Some(row) => vec![row.service.clone()],
        None => services(inner, app, None).await?,
    };
    for service in services {
        let (catalog, _) = inner.look(&service_folder(droplet.clone(), app, &service)?).await?;
        let found = catalog.backups.into_iter().find(|found| found.folder.id() == id);
        let copies = found.as_ref().map(find::copies).unwrap_or_default();
        let unremembered = || found.as_ref().and_then(remembered_by_nobody);
        if let Some(row) = row.clone().or_else(unremembered) {
            return Ok(Shown { row, copies, manifest: found.and_then(|found| found.manifest) });
        }
    }
    Err(BackupError::NoBackup { app: app.clone(), id })
}

/// The services to look for: those that have backups, and those that ask for some. An app that was removed still has its
/// backups.
async fn services(
    inner: &Inner,
    app: &AppName,
    wanted: Option<&ServiceName>,
) -> Result<Vec<ServiceName>, BackupError> {
    let rows = inner.store.rows(&inner.droplet()?, app, None).await?;
    let mut known: BTreeSet<ServiceName> = rows.into_iter().map(|row| row.service).collect();
    match inner.asking(app).await {
        Ok(asking) => known.extend(asking.into_iter().map(|backed| backed.service)),
        Err(error) if known.is_empty() => return Err(error),
        Err(error) => tracing::debug!(%error, "backups of an app are listed that does not serve"),
    }
    match wanted {
        None => Ok(known.into_iter().collect()),
        Some(wanted) if known.contains(wanted) => Ok(vec![wanted.clone()]),
        Some(wanted) => Err(BackupError::NotAsked {
            app: app.clone(),
            service: wanted.clone(),
            known: known.into_iter().collect(),
        }),
    }
}

fn merge(listing: &mut Listing, rows: Vec<BackupRow>, catalog: Catalog) {
    let Catalog { backups, orphans, unseen } = catalog;
    let running: BTreeSet<BackupId> =
        rows.iter().filter(|row| row.state == BackupState::Running).map(|row| row.id).collect();
    let mut found: BTreeMap<BackupId, Found> =
        backups.into_iter().map(|found| (found.folder.id(), found)).collect();
    for row in rows {
        let copies: Vec<Copy> = found.remove(&row.id).as_ref().map(find::copies).unwrap_or_default();
        listing.backups.push(Listed { row, copies, made_on: None });
    }
    for found in found.values() {
        if let Some(row) = remembered_by_nobody(found) {
            listing.backups.push(Listed { row, copies: find::copies(found), made_on: None });
        }
    }
    let is_left = |orphan: &crate::backup::catalog::Orphan| !running.contains(&orphan.folder.id());
    listing.orphans.extend(orphans.into_iter().filter(is_left));
    told_once(listing, unseen);
}

/// One destination is looked at for each service, and told once.
fn told_once(listing: &mut Listing, unseen: Vec<Unseen>) {
    for unseen in unseen {
        if !listing.unseen.iter().any(|known| known.at == unseen.at) {
            listing.unseen.push(unseen);
        }
    }
}

/// Places that nothing is known of any more, where a backup of which no copy was found had one: a bucket of an app that was
/// removed, or that is another one now.
fn elsewhere(rows: &[BackupRow], catalog: &Catalog, looked_at: &[String]) -> Vec<Unseen> {
    let is_stored = |row: &&BackupRow| matches!(row.state, BackupState::Stored | BackupState::Verified);
    let is_found = |row: &BackupRow| catalog.backups.iter().any(|found| found.folder.id() == row.id);
    let lost = rows.iter().filter(is_stored).filter(|row| !is_found(row)).flat_map(|row| &row.copies);
    let titles: BTreeSet<&String> = lost.filter(|title| !looked_at.contains(title)).collect();
    let why = "this droplet does not know any more how to get there; deploy the app with that bucket in the fleet file";
    let unseen = |at: &String| Unseen { at: at.clone(), error: CatalogError::Unopened(why.to_owned()) };
    titles.into_iter().map(unseen).collect()
}

/// A row for a backup of which only its copies tell, as after the agent's database was lost.
fn remembered_by_nobody(found: &Found) -> Option<BackupRow> {
    let manifest: &Manifest = found.manifest.as_ref()?;
    Some(BackupRow::found(manifest, find::complete(found)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{
        catalog::{CopyAt, Damage, Orphan},
        layout::BackupFolder,
        sample,
    };

    fn manifest(id: &str) -> Manifest {
        Manifest { id: id.parse().unwrap(), ..sample::manifest() }
    }

    fn found(manifest: &Manifest, damage: Vec<Damage>) -> Found {
        Found {
            folder: BackupFolder::of(manifest).unwrap(),
            manifest: Some(manifest.clone()),
            copies: vec![CopyAt { at: "disk".to_owned(), damage, objects: Vec::new() }],
        }
    }

    #[test]
    fn rows_and_copies_are_told_together() {
        let [gone, here, running, unknown] = [
            "20261119T030000Z-00000001",
            "20261120T030000Z-00000002",
            "20261122T030000Z-00000003",
            "20261121T030000Z-00000004",
        ]
        .map(manifest);
        let row = |manifest, state| BackupRow { state, ..BackupRow::found(manifest, Vec::new()) };
        let rows = vec![
            row(&running, BackupState::Running),
            row(&here, BackupState::Verified),
            row(&gone, BackupState::Stored),
        ];
        let orphan = |manifest| Orphan {
            folder: BackupFolder::of(manifest).unwrap(),
            at: "disk".to_owned(),
            newest: "2026-11-22T03:00:00Z".parse().unwrap(),
            objects: Vec::new(),
            bytes: crate::backup::ByteCount::default(),
        };
        let catalog = Catalog {
            backups: vec![
                found(&here, vec![Damage::Missing("globals.sql.zst.age".parse().unwrap())]),
                found(&unknown, Vec::new()),
            ],
            orphans: vec![orphan(&running), orphan(&manifest("20261001T030000Z-00000009"))],
            unseen: Vec::new(),
        };
        let mut listing = Listing::default();
        merge(&mut listing, rows, catalog);
        let shown: Vec<_> = listing
            .backups
            .iter()
            .map(|listed| (listed.row.id, listed.row.state, listed.copies.len()))
            .collect();
        assert_eq!(
            shown,
            [
                (running.id, BackupState::Running, 0),
                (here.id, BackupState::Verified, 1),
                (gone.id, BackupState::Stored, 0),
                (unknown.id, BackupState::Stored, 1),
            ]
        );
        assert_eq!(listing.backups[1].copies[0].damage, ["globals.sql.zst.age is missing"]);
        assert_eq!(listing.backups[3].row.copies, ["disk"]);
        assert_eq!(listing.orphans.len(), 1, "what is being written is no orphan");
    }
}
